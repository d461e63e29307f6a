# SPDX-License-Identifier: Apache-2.0
"""Try a model file in a child process, with limits on time and memory, before a process that must not end loads it.

The checks of `model_file` do not bound what a network needs, and the libraries that run networks have faults of their
own: here these end the child process.

    python -m fer_ros.emotion.model_trial my_model.onnx opencv 60
"""

from __future__ import annotations

import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from fer_ros.child_process import ChildProcess
from fer_ros.emotion import model_file
from fer_ros.emotion.classifier import Classifier
from fer_ros.emotion.model_file import ModelFileError
from fer_ros.emotion.preprocessing import reference_crop
from fer_ros.text import printable

_NICE = 10
"""Niceness of the child process: images are processed meanwhile."""
_MEMORY = 2 << 30
"""Bytes of the child process beside the file; PyTorch takes 0.5 GB of them."""
_COPIES = 8
"""Of the file in memory, at most."""
_MAX_FACE_SECONDS = 1.0
"""For one crop; a network this slow cannot follow a camera."""
_CROPS = 4
_POLL_PERIOD = 0.02
"""Seconds."""
_RESULT, _ERROR = "result: ", "error: "


class TrialCanceledError(ModelFileError):
    """The trial was stopped, because its result is not needed any more."""


def run(path: Path, backend: str, timeout: float, is_canceled: Callable[[], bool] = lambda: False) -> str:
    """Load a model file in a child process, and classify a few crops there.

    Args:
        path: of the model file.
        backend: name of a backend.
        timeout: seconds after which the child process is stopped.
        is_canceled: polled while waiting; True stops the child process.

    Returns:
        The SHA-256 of the file that was tried, hexadecimal.

    Raises:
        ModelFileError: the file cannot be used: its scores are not finite, it takes too long, needs too much memory, or
            ends the process; the message says which.
        TrialCanceledError: `is_canceled` returned True.
    """
    results: list[str] = []
    errors: list[str] = []

    def take(line: str) -> bool:
        for prefix, lines in ((_RESULT, results), (_ERROR, errors)):
            if line.startswith(prefix):
                lines.append(line.removeprefix(prefix))
                return True
        return False

    arguments = ["-n", str(_NICE), sys.executable, "-m", __name__, str(path), backend, str(timeout)]
    end = time.monotonic() + timeout
    with ChildProcess(f"the trial of {path}", ["nice", *arguments], stdout=True, on_line=take) as child:
        while not child.wait(_POLL_PERIOD):
            if is_canceled():
                raise TrialCanceledError(f"{path} was not loaded: the node ends")
            if time.monotonic() > end:
                raise _timed_out(path, timeout)
        if child.status in (-signal.SIGALRM, -signal.SIGXCPU):
            raise _timed_out(path, timeout)
        if errors:
            raise ModelFileError(printable(errors[-1], 1000))
        if child.status or not results:
            last = f": {printable(child.last_lines[-1], 200)}" if child.last_lines else ""
            raise ModelFileError(f"{path} was not loaded: a process that tried it {child.exit_reason}{last}")
    return results[-1]


def _timed_out(path: Path, timeout: float) -> ModelFileError:
    return ModelFileError(f"{path} was not loaded: trying it took longer than {timeout:g} s")


# --- in the child process ---


def main(arguments: Sequence[str]) -> int:
    """Try the model file that the arguments name; print its SHA-256 or an error, and return the exit status."""
    path, backend, timeout = Path(arguments[0]), arguments[1], float(arguments[2])
    _limit(path, timeout)
    try:
        print(f"{_RESULT}{_try(path, backend)}", flush=True)
    except MemoryError:
        print(f"{_ERROR}{path} was not loaded: it needs more than {_MEMORY >> 30} GiB of memory", flush=True)
        return 1
    except (OSError, ValueError, ImportError) as error:
        print(f"{_ERROR}{printable(error, 1000)}", flush=True)
        return 1
    return 0


def _limit(path: Path, timeout: float) -> None:
    seconds = int(timeout) + 1
    # Ends this process even if the one that waits for it was killed.
    signal.alarm(seconds)
    memory = _MEMORY + _COPIES * (path.stat().st_size if path.is_file() else 0)
    for kind, limit in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        resource.setrlimit(kind, (limit, limit + 1 if kind == resource.RLIMIT_CPU else limit))
    cv2.setNumThreads(1)


def _try(path: Path, backend: str) -> str:
    """Return the SHA-256 of a model file; raise ModelFileError if it cannot be used."""
    file = model_file.read(path)
    classifier = Classifier(file, backend)
    crop = reference_crop(classifier.preprocessing.input_size)
    for crops in ([crop], [np.roll(crop, shift, axis=1) for shift in range(_CROPS)]):
        started = time.process_time()
        scores = classifier.scores(crops)
        seconds = (time.process_time() - started) / len(crops)
        if not np.isfinite(scores).all() or not np.allclose(scores.sum(axis=1), 1, atol=1e-3):
            raise ModelFileError(f"{path} gives scores that are not finite or do not sum to 1")
        if seconds > _MAX_FACE_SECONDS:
            raise ModelFileError(f"{path} takes {seconds:.1f} s for a face; expected at most {_MAX_FACE_SECONDS:g} s")
    return file.sha256


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
