# SPDX-License-Identifier: Apache-2.0
"""Run mutated inputs through every target, each in a child process, so that a crash is a finding and not the end.

    make fuzz MINUTES=10

Findings are written to test/fuzz/findings/, one file each; `test/unit/test_fuzz.py` replays them.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from fuzz import child

_HANG = 30.0
"""Seconds without progress after which a child process is killed."""


def main() -> int:
    """Return 0, or 1 if there are findings."""
    command = argparse.ArgumentParser(prog="fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    command.add_argument("--minutes", type=float, default=5.0, help="of all targets together (default: 5)")
    command.add_argument("--seed", type=int, default=0, help="of the mutations; 0 draws one")
    command.add_argument("--targets", nargs="+", help="their names; default: all")
    command.add_argument(
        "--guided",
        action="store_true",
        help="prefer inputs that reach new lines; needs Atheris (`pip install atheris`)",
    )
    command.add_argument("--child", help=argparse.SUPPRESS)
    options = command.parse_args()
    if options.child:
        child.run(options.child, options.minutes * 60, options.seed, guided=options.guided)
    if options.guided and not importlib.util.find_spec("atheris"):
        command.error("--guided needs Atheris, which has wheels for Linux on x86-64: pip install atheris")
    from fuzz.targets import TARGETS

    names = options.targets or list(TARGETS)
    seed = options.seed or random.randrange(1, 1 << 30)
    print(f"seed {seed}, {options.minutes:g} minutes", flush=True)
    print(f"{'target':18}{'inputs':>10}{'accepted':>10}{'slowest, s':>12}{'peak, MB':>10}{'findings':>10}", flush=True)
    total: Counter[str] = Counter()
    for name in names:
        counts = _fuzz(name, options.minutes * 60 / len(names), seed, guided=options.guided)
        total.update(counts)
        print(
            f"{name:18}{counts['inputs']:10}{counts['accepted']:10}{counts['slowest_ms'] / 1e3:12.2f}"
            f"{counts['peak_mb']:10}{counts['findings']:10}",
            flush=True,
        )
    print(f"{'total':18}{total['inputs']:10}{total['accepted']:10}{'':12}{'':10}{total['findings']:10}")
    return 1 if total["findings"] else 0


def _fuzz(name: str, seconds: float, seed: int, *, guided: bool) -> Counter[str]:
    """Run one target in child processes until the time is over; a child that ends early is a finding."""
    counts: Counter[str] = Counter()
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0.5:
        current = Path(f"/tmp/fuzz_{os.getpid()}_{name.replace(' ', '_')}")
        arguments = ["--child", name, "--minutes", str(left / 60), "--seed", str(seed), *(["--guided"] * guided)]
        process = subprocess.Popen(
            [sys.executable, "-m", "fuzz", *arguments],
            env={**os.environ, "FUZZ_CURRENT": str(current)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libjpeg prints a line for each damaged image
        )
        crash = _wait(process, current)
        printed = process.stdout.read() if process.stdout else b""
        result = {} if crash else json.loads(printed.splitlines()[-1])
        for key in ("inputs", "accepted", "findings"):
            counts[key] += result.get(key, 0)
        for key in ("slowest_ms", "peak_mb"):
            counts[key] = max(counts[key], result.get(key, 0))
        if crash:
            counts["findings"] += 1
            progress = current.with_suffix(".count")
            counts["inputs"] += int(progress.read_text() or 0) if progress.exists() else 0
            child.save(name, current.read_bytes() if current.exists() else b"", crash)
        seed += 1
        for path in (current, current.with_suffix(".count")):
            path.unlink(missing_ok=True)
    return counts


def _wait(process: subprocess.Popen[bytes], current: Path) -> str:
    """Return how a child process crashed; an empty string if it did not."""
    while True:
        try:
            code = process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            if current.exists() and time.time() - current.stat().st_mtime > _HANG:
                process.kill()
                process.wait()
                return "hang"
            continue
        if code == 0:
            return ""
        return signal.Signals(-code).name if code < 0 else f"exit_{code}"


if __name__ == "__main__":
    sys.exit(main())
