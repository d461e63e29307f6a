# SPDX-License-Identifier: Apache-2.0
"""The child process of `make fuzz`: reads changed inputs until its time is over."""

from __future__ import annotations

import hashlib
import json
import os
import random
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

_FINDINGS = Path(__file__).parent / "findings"
_SLOW = 1.0
"""Seconds of CPU for one input, above which it is a finding."""
_MAX_MEMORY = 4 << 30
"""Bytes of address space."""
_MAX_INPUT = 1 << 16
"""Bytes of the longest input of a guided run."""


class _Session:
    """Runs inputs of one target, counts them, and ends the process when the time is over."""

    def __init__(self, name: str, run: Callable[[str, bytes], bool], seconds: float):
        self._name = name
        self._run = run
        self._end = time.monotonic() + seconds
        self._counts: Counter[str] = Counter()
        self._count_file = Path(os.environ["FUZZ_CURRENT"]).with_suffix(".count")
        self._current = os.open(os.environ["FUZZ_CURRENT"], os.O_RDWR | os.O_CREAT)

    def run(self, content: bytes) -> None:
        counts = self._counts
        if time.monotonic() >= self._end:
            self._finish()
        # Survives a crash of this process.
        os.pwrite(self._current, content, 0)
        os.ftruncate(self._current, len(content))
        start = time.process_time()
        try:
            counts["accepted"] += self._run(self._name, content)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            kind = f"{type(error).__name__}_{Path(place.filename).stem}_{place.lineno}"
            counts["findings"] += save(self._name, content, kind)
        passed = time.process_time() - start
        counts["inputs"] += 1
        counts["slowest_ms"] = max(counts["slowest_ms"], round(passed * 1e3))
        if passed > _SLOW:
            counts["findings"] += save(self._name, content, "slow")
        if counts["inputs"] % 1000 == 0:
            self._count_file.write_text(str(counts["inputs"]))

    def _finish(self) -> NoReturn:
        self._counts["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(json.dumps(self._counts), flush=True)
        os._exit(0)  # the shutdown of torch's threads is not what is tested


def run(name: str, seconds: float, seed: int, *, guided: bool) -> NoReturn:
    """Run one target; print the counts as JSON and end the process when the time is over.

    Args:
        name: of the target.
        seconds: until the end.
        seed: of the mutations.
        guided: prefer inputs that reach new lines of fer_ros, by Atheris, to changes of the seeds alone.
    """
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY, _MAX_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if guided:
        _run_guided(name, seconds, seed)
    from fuzz import mutations, targets

    session, draw, seeds = _Session(name, targets.run, seconds), random.Random(seed), targets.TARGETS[name].seeds()
    while True:
        session.run(mutations.mutate(seeds, draw))


def _run_guided(name: str, seconds: float, seed: int) -> NoReturn:
    import atheris

    with atheris.instrument_imports(include=["fer_ros"]):
        from fuzz import mutations, targets

    def mutate(content: bytes, max_size: int, number: int) -> bytes:
        draw = random.Random(number)
        if draw.random() < 0.5:
            changed: bytes = atheris.Mutate(content, max_size)
            return changed
        return mutations.mutate([content, *seeds], draw)[:max_size]

    session, seeds = _Session(name, targets.run, seconds), targets.TARGETS[name].seeds()
    targets.run(name, seeds[0])  # imports what the target needs, which may take longer than Atheris waits
    with tempfile.TemporaryDirectory() as folder:
        for number, content in enumerate(seeds):
            Path(folder, str(number)).write_bytes(content)
        options = [f"-seed={seed}", f"-max_len={_MAX_INPUT}", f"-artifact_prefix={folder}/"]
        # The parent watches memory and time.
        options += ["-rss_limit_mb=0", "-timeout=0"]
        atheris.Setup([sys.argv[0], *options, folder], session.run, custom_mutator=mutate)
        atheris.Fuzz()
    raise AssertionError("Atheris ended before its time")


def save(name: str, content: bytes, kind: str) -> int:
    """Write a finding for `test/unit/test_fuzz.py`, and return 1; 0 if there is one of its kind already."""
    folder = _FINDINGS / name.replace(" ", "_")
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.glob(f"{kind}-*")):
        return 0
    (folder / f"{kind}-{hashlib.sha256(content).hexdigest()[:8]}").write_bytes(content)
    return 1
