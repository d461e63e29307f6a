# SPDX-License-Identifier: Apache-2.0
"""CPU time of the dashboard, and what it costs the emotion node: with and without a page in a browser.

`python -m benchmarks.dashboard` runs a camera (640x480, one face, 15 images per second), emotion_node and
dashboard_node as processes, and a headless Chromium. It prints a table and writes out/bench/dashboard.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import rclpy
from playwright.sync_api import sync_playwright

from benchmarks.end_to_end import cpu_seconds, run_process, spinning
from fer_ros import dds_profile
from fer_ros.msg import FaceEmotionArray

RESULT = Path("out/bench/dashboard.json")
_DOMAIN = "65"
"""ROS domain of this benchmark."""
_PORT = 8765
_START_TIMEOUT = 60.0
"""Seconds until both nodes must have logged that they are ready."""
_READY = {"fer_ros.nodes.emotion.node": "while subscribed to", "fer_ros.nodes.dashboard.node": "dashboard: http"}
"""Part of a node's log from when it is ready on."""
_SETTLE = 5.0
"""Seconds until the first images are scanned, and what the nodes do once after their start is done."""
_BROWSERS = ("chromium", "chromium-headless-shell", "google-chrome", "chromium-browser")


@dataclass(frozen=True)
class Case:
    """What runs beside the camera and the emotion node."""

    name: str
    listener: bool
    """Whether a behavior subscribes to `emotions`, without which the emotion node has nothing to do."""
    dashboard: bool
    pages: int


CASES = (
    Case("no subscriber", listener=False, dashboard=False, pages=0),
    Case("no subscriber, dashboard without a page", listener=False, dashboard=True, pages=0),
    Case("a behavior", listener=True, dashboard=False, pages=0),
    Case("a behavior, dashboard without a page", listener=True, dashboard=True, pages=0),
    Case("a behavior, one page", listener=True, dashboard=True, pages=1),
)


@dataclass(frozen=True)
class Row:
    """Measurements of a case, in percent of one core."""

    case: Case
    emotion_node: float
    dashboard_node: float


def measure(case: Case, rate: float, seconds: float) -> Row:
    """Measure one case for this many seconds."""
    camera = ["--width", "640", "--height", "480", "--faces", "1", "--rate", str(rate)]
    with ExitStack() as running:
        if case.listener:
            running.enter_context(_listener())
        running.enter_context(run_process("benchmarks.camera", camera))
        node = running.enter_context(_node("fer_ros.nodes.emotion.node"))
        served = None
        if case.dashboard:
            served = running.enter_context(_node("fer_ros.nodes.dashboard.node", "-p", f"port:={_PORT}"))
        if case.pages:
            running.enter_context(_pages(case.pages))
        time.sleep(_SETTLE)
        processes = [process.pid for process in (node, served) if process]
        before = [cpu_seconds(pid) for pid in processes]
        time.sleep(seconds)
        spent = [cpu_seconds(pid) - start for pid, start in zip(processes, before, strict=True)]
    shares = [100 * each / seconds for each in (*spent, 0.0)]
    return Row(case, shares[0], shares[1])


@contextmanager
def _node(module: str, *arguments: str) -> Iterator[subprocess.Popen]:
    """Run a node that is ready.

    Raises:
        RuntimeError: it does not become ready.
    """
    log = RESULT.with_name(f"{module}.log")
    with run_process(module, ["--ros-args", *arguments]) as started:
        deadline = time.monotonic() + _START_TIMEOUT
        while _READY[module] not in log.read_text():
            if started.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{module} did not start; see {log}")
            time.sleep(0.1)
        yield started


@contextmanager
def _listener() -> Iterator[None]:
    node = rclpy.create_node("behavior")
    node.create_subscription(FaceEmotionArray, "emotions", lambda _: None, 10)
    with spinning(node):
        yield


@contextmanager
def _pages(count: int) -> Iterator[None]:
    """Open the page in a browser, and wait until it shows live images."""
    path = next(filter(None, map(shutil.which, _BROWSERS)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        for _ in range(count):
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{_PORT}")
            page.wait_for_function("document.querySelector('.live img').naturalWidth > 0")
            page.wait_for_selector(".person svg path")
        yield
        browser.close()


def main() -> None:
    """Measure all cases, print a line for each, and write JSON."""
    command_line = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    command_line.add_argument(
        "--seconds", type=float, default=20.0, help="duration of each case (default: %(default)s)"
    )
    command_line.add_argument("--rate", type=float, default=15.0, help="images per second (default: %(default)s)")
    options = command_line.parse_args()
    os.environ.update(dds_profile.variables(os.environ))
    os.environ |= {"ROS_DOMAIN_ID": _DOMAIN, "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    rclpy.init()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n", flush=True)
    print("| | emotion_node, % of a core | dashboard_node, % of a core |\n|---|---|---|", flush=True)
    rows = []
    for case in CASES:
        rows.append(row := measure(case, options.rate, options.seconds))
        shown = f"{row.dashboard_node:.1f}" if case.dashboard else ""
        print(f"| {case.name} | {row.emotion_node:.1f} | {shown} |", flush=True)
    rclpy.shutdown()
    content = {"load": os.getloadavg(), "cores": os.cpu_count(), "rows": [asdict(row) for row in rows]}
    RESULT.write_text(json.dumps(content, indent=1) + "\n")
    print(f"\nwritten to {RESULT}")


if __name__ == "__main__":
    main()
