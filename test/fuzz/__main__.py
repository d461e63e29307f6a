# SPDX-License-Identifier: Apache-2.0
"""Run mutated inputs through every target, each in a child process, so that a crash is a finding and not the end.

    make fuzz MINUTES=10

Findings are written to test/fuzz/findings/, one file each; `test/unit/test_fuzz.py` replays them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import NoReturn

_FINDINGS = Path(__file__).parent / "findings"
_SLOW = 1.0
"""Seconds of CPU for one input, above which it is a finding."""
_MAX_MEMORY = 4 << 30
"""Bytes of address space of a child process."""
_HANG = 30.0
"""Seconds without progress after which a child process is killed."""


def main() -> int:
    """Return 0, or 1 if there are findings."""
    command = argparse.ArgumentParser(prog="fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    command.add_argument("--minutes", type=float, default=5.0, help="of all targets together (default: 5)")
    command.add_argument("--seed", type=int, default=0, help="of the mutations; 0 draws one")
    command.add_argument("--targets", nargs="+", help="their names; default: all")
    command.add_argument("--child", help=argparse.SUPPRESS)
    options = command.parse_args()
    if options.child:
        _child(options.child, options.minutes * 60, options.seed)
    from fuzz.targets import TARGETS

    names = options.targets or list(TARGETS)
    seed = options.seed or random.randrange(1, 1 << 30)
    print(f"seed {seed}, {options.minutes:g} minutes", flush=True)
    print(f"{'target':18}{'inputs':>10}{'accepted':>10}{'slowest, s':>12}{'peak, MB':>10}{'findings':>10}", flush=True)
    total: Counter[str] = Counter()
    for name in names:
        counts = _fuzz(name, options.minutes * 60 / len(names), seed)
        total.update(counts)
        print(
            f"{name:18}{counts['inputs']:10}{counts['accepted']:10}{counts['slowest_ms'] / 1e3:12.2f}"
            f"{counts['peak_mb']:10}{counts['findings']:10}",
            flush=True,
        )
    print(f"{'total':18}{total['inputs']:10}{total['accepted']:10}{'':12}{'':10}{total['findings']:10}")
    return 1 if total["findings"] else 0


def _fuzz(name: str, seconds: float, seed: int) -> Counter[str]:
    """Run one target in child processes until the time is over; a child that ends early is a finding."""
    counts: Counter[str] = Counter()
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0.5:
        current = Path(f"/tmp/fuzz_{os.getpid()}_{name.replace(' ', '_')}")
        arguments = ["--child", name, "--minutes", str(left / 60), "--seed", str(seed)]
        child = subprocess.Popen(
            [sys.executable, "-m", "fuzz", *arguments],
            env={**os.environ, "FUZZ_CURRENT": str(current)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libjpeg prints a line for each damaged image
        )
        crash = _wait(child, current)
        lines = child.stdout.read().decode().splitlines() if child.stdout else []
        result = json.loads(lines[-1]) if lines else {}
        for key in ("inputs", "accepted", "findings"):
            counts[key] += result.get(key, 0)
        for key in ("slowest_ms", "peak_mb"):
            counts[key] = max(counts[key], result.get(key, 0))
        if crash:
            counts["findings"] += 1
            progress = current.with_suffix(".count")
            counts["inputs"] += int(progress.read_text() or 0) if progress.exists() else 0
            _save(name, current.read_bytes() if current.exists() else b"", crash)
        seed += 1
        for path in (current, current.with_suffix(".count")):
            path.unlink(missing_ok=True)
    return counts


def _wait(child: subprocess.Popen[bytes], current: Path) -> str:
    """Return how a child process crashed; an empty string if it did not."""
    while True:
        try:
            code = child.wait(timeout=1)
        except subprocess.TimeoutExpired:
            if current.exists() and time.time() - current.stat().st_mtime > _HANG:
                child.kill()
                child.wait()
                return "hang"
            continue
        if code == 0:
            return ""
        return signal.Signals(-code).name if code < 0 else f"exit_{code}"


def _child(name: str, seconds: float, seed: int) -> NoReturn:
    from fuzz import mutations, targets

    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY, _MAX_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    draw, seeds = random.Random(seed), targets.TARGETS[name].seeds()
    counts: Counter[str] = Counter()
    current = os.open(os.environ["FUZZ_CURRENT"], os.O_RDWR | os.O_CREAT)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        content = mutations.mutate(seeds, draw)
        # Survives a crash of this process.
        os.pwrite(current, content, 0)
        os.ftruncate(current, len(content))
        start = time.process_time()
        try:
            counts["accepted"] += targets.run(name, content)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            counts["findings"] += _save(
                name, content, f"{type(error).__name__}_{Path(place.filename).stem}_{place.lineno}"
            )
        passed = time.process_time() - start
        counts["inputs"] += 1
        counts["slowest_ms"] = max(counts["slowest_ms"], round(passed * 1e3))
        if passed > _SLOW:
            counts["findings"] += _save(name, content, "slow")
        if counts["inputs"] % 1000 == 0:
            Path(os.environ["FUZZ_CURRENT"]).with_suffix(".count").write_text(str(counts["inputs"]))
    counts["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(counts), flush=True)
    os._exit(0)  # the shutdown of torch's threads is not what is tested


def _save(name: str, content: bytes, kind: str) -> int:
    """Write a finding, and return 1; 0 if there is one of its kind already."""
    folder = _FINDINGS / name.replace(" ", "_")
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.glob(f"{kind}-*")):
        return 0
    (folder / f"{kind}-{hashlib.sha256(content).hexdigest()[:8]}").write_bytes(content)
    return 1


if __name__ == "__main__":
    sys.exit(main())
