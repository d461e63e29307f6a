"""Runs on the Python of a peer's environment, which knows nothing of this package: `python peer_fer.py FRAMES`.

Prints, as JSON, CPU and wall time in milliseconds and the boxes of each frame, by the package `fer` as its README has
it used.
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
    started, began = time.process_time(), time.perf_counter()
    found = detector.detect_emotions(frame)
    cpu.append(1e3 * (time.process_time() - started))
    wall.append(1e3 * (time.perf_counter() - began))
    boxes.append([[int(side) for side in face["box"]] for face in found])
print(json.dumps({"cpu": cpu, "wall": wall, "boxes": boxes}))
