# SPDX-License-Identifier: Apache-2.0
"""Measure the package `fer` as its README uses it, in an environment without this package: `python peer_fer.py FRAMES`.

Prints CPU and wall time in milliseconds and the boxes of each frame as JSON.
"""

import json
import sys
import time

import numpy as np
from fer.fer import FER

frames = np.load(sys.argv[1])
detector = FER()
detector.detect_emotions(frames[0])
cpu, wall, boxes = [], [], []
for frame in frames:
    cpu_start, wall_start = time.process_time(), time.perf_counter()
    found = detector.detect_emotions(frame)
    cpu.append(1e3 * (time.process_time() - cpu_start))
    wall.append(1e3 * (time.perf_counter() - wall_start))
    boxes.append([[int(side) for side in face["box"]] for face in found])
print(json.dumps({"cpu": cpu, "wall": wall, "boxes": boxes}))
