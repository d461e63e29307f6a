# SPDX-License-Identifier: Apache-2.0
"""Compare with public libraries on the same frames, without ROS: `python -m benchmarks.peers`, or `make bench PEERS=1`.

The first run creates a virtual environment for each library in out/bench/peers (1 GB for TensorFlow).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.crowd import crowd
from fer_ros.emotion.classifier import Classifier
from fer_ros.faces.detectors.viola_jones import ViolaJones
from fer_ros.pipeline import CameraState, recognize
from fer_ros.types import Frame

ENVIRONMENTS = Path("out/bench/peers")
RESULT = Path("out/bench/peers.json")
RATE = 30.0
ROUNDS = 3


@dataclass(frozen=True)
class Peer:
    """A library and its dependencies; those that it declares itself include several gigabytes of CUDA."""

    package: str
    needs: tuple[str, ...]
    script: Path


PEERS = (
    Peer(
        "fer==25.10.3",
        ("tensorflow-cpu", "opencv-contrib-python<5", "pandas", "requests", "tqdm", "Pillow", "setuptools<81"),
        Path(__file__).with_name("peer_fer.py"),
    ),
)


def interpreter(peer: Peer) -> Path:
    """Return the Python of the library's environment, which is created if it does not exist."""
    folder = (ENVIRONMENTS / peer.package.replace("==", "-")).absolute()
    python = folder / "bin" / "python"
    done = folder / "complete"
    if not done.exists():
        print(f"creating an environment for {peer.package} ...", flush=True)
        venv.create(folder, clear=True, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "-q"]
        subprocess.run([*pip, *peer.needs], check=True)
        subprocess.run([*pip, "--no-deps", peer.package], check=True)
        done.touch()
    return python


def measure_peer(peer: Peer, frames: Path) -> dict:
    """Return what the script of the library prints: CPU and wall time in milliseconds, and boxes, by frame."""
    plain = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "LD_LIBRARY_PATH")}
    command = [str(interpreter(peer)), str(peer.script), str(frames)]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=plain, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def measure_fer_ros(frames: np.ndarray) -> dict:
    """Return the same of this package."""
    classifier = Classifier("mini_xception")
    state = CameraState(ViolaJones())
    cpu, wall, boxes = [], [], []
    for step, image in enumerate(frames):
        cpu_start, wall_start = time.process_time(), time.perf_counter()
        frame = Frame(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), step / RATE)
        (faces,) = recognize([(state, frame)], classifier)
        cpu.append(1e3 * (time.process_time() - cpu_start))
        wall.append(1e3 * (time.perf_counter() - wall_start))
        boxes.append([[*vars(face.box).values()] for face in faces])
    return {"cpu": cpu, "wall": wall, "boxes": boxes}


def main() -> None:
    """Measure the libraries in turns, print a table and write JSON."""
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for people in (1, 3):
            frames = np.stack(list(crowd(640, 480, people, RATE)))
            path = Path(folder) / "frames.npy"
            np.save(path, frames)
            for _ in range(ROUNDS):
                for name, measured in (
                    ("fer_ros", measure_fer_ros(frames)),
                    *((peer.package, measure_peer(peer, path)) for peer in PEERS),
                ):
                    results.setdefault((name, people), []).append(measured)
    print("| library | faces | CPU, ms per frame | wall, ms per frame | faces found per frame |\n|---|---|---|---|---|")
    table = []
    for (name, people), rounds in results.items():
        row = {"library": name, "faces": people}
        for measure in ("cpu", "wall"):
            row[measure] = float(np.median([np.mean(one[measure]) for one in rounds]))
        row["found"] = float(np.mean([len(boxes) for boxes in rounds[0]["boxes"]]))
        table.append(row)
        print(f"| {name} | {people} | {row['cpu']:.1f} | {row['wall']:.1f} | {row['found']:.2f} |")
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps({"load": os.getloadavg(), "640x480": table}, indent=1) + "\n")
    print(f"\nwritten to {RESULT}")


if __name__ == "__main__":
    sys.exit(main())
