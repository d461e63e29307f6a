# SPDX-License-Identifier: Apache-2.0
"""Run all benchmarks one after another: `make bench`, or `python -m benchmarks --help`.

Each prints a table and writes a JSON file to out/bench; out/bench/bench.json combines them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

RESULTS = Path("out/bench")
ALWAYS = ("inference", "detection", "front_ends", "smoothing", "end_to_end", "transport")


def main() -> int:
    """Run the benchmarks; return the exit status of the first that fails, or 0."""
    command_line = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    command_line.add_argument(
        "--peers", action="store_true", help="also measure public libraries, which are installed first"
    )
    command_line.add_argument("--only", nargs="+", choices=(*ALWAYS, "peers"), metavar="NAME", help="run these only")
    options = command_line.parse_args()
    combined = {"cores": os.cpu_count(), "machine": platform.machine(), "load_before": os.getloadavg()}
    for name in options.only or (*ALWAYS, *(("peers",) if options.peers else ())):
        print(f"\n## {name}\n", flush=True)
        status = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode
        if status:
            return status
        combined[name] = json.loads((RESULTS / f"{name}.json").read_text())
    combined["load_after"] = os.getloadavg()
    (RESULTS / "bench.json").write_text(json.dumps(combined, indent=1) + "\n")
    print(f"\nall results: {RESULTS / 'bench.json'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
