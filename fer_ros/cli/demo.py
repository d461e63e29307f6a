# SPDX-License-Identifier: Apache-2.0
"""fer-demo: video publisher, emotion node, recorder and, if asked, dashboard, as processes on this machine."""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from fer_ros import dds_profile
from fer_ros.child_process import ChildProcess, stop_all
from fer_ros.cli.errors import FAILED, STOPPED, one_line_errors, values_from_options
from fer_ros.cli.options.common import command_parser
from fer_ros.cli.options.recognition import add_recognition_options
from fer_ros.cli.processes import Interrupts, start_node, wait_until
from fer_ros.emotion import model_file
from fer_ros.faces.detectors.registry import DETECTORS
from fer_ros.files import check_writable
from fer_ros.media.sources import IMAGE_SUFFIXES, SCENE, is_webcam, open_source
from fer_ros.recording.animation import check_animation, write_animation
from fer_ros.text import printable

_DURATION = 20.0
"""Seconds, for sources without an end: one period of the synthetic scene."""
_TIMEOUT = 90.0
"""Seconds until the first emotion must arrive; a busy machine loads the model in half of it."""
_DRAIN = 2.0
"""Seconds for the last images of a file to be processed."""


_EXAMPLES = """\
examples:
  fer-demo                              the synthetic scene, into out/demo/
  fer-demo --input clip.mp4 --output out/clip
  fer-demo --input 0                    the first webcam, until Ctrl-C
  fer-demo --dashboard                  the scene on a web page, until Ctrl-C
  fer-demo --animation docs/images/demo.webp    the animation of the README
"""


@dataclass(frozen=True)
class Plan:
    """Source, duration and output of a demo."""

    source: str
    duration: float
    """Seconds; 0 runs to the end of the source."""
    loop: bool
    output: Path
    model: str
    detector: str
    detector_model: str
    animation: Path | None
    dashboard: bool
    """Whether to serve the web page."""


def parser() -> argparse.ArgumentParser:
    result = command_parser(
        "fer-demo",
        "Run the nodes on a video, images or a webcam and record what they recognize. Needs ROS 2.",
        _EXAMPLES,
    )
    result.add_argument(
        "--input",
        default=SCENE,
        metavar="SOURCE",
        help="a video, an image, a folder of images, or the number or device of a webcam "
        "(default: a built-in synthetic scene)",
    )
    result.add_argument(
        "--output",
        type=Path,
        default=Path("out/demo"),
        metavar="FOLDER",
        help="folder of emotions.csv, annotated.mp4 and annotated.png (default: %(default)s)",
    )
    result.add_argument(
        "--duration",
        type=float,
        metavar="SECONDS",
        help="stop after this time (default: the end of a file, Ctrl-C for a webcam and with --dashboard, else 20 s)",
    )
    result.add_argument(
        "--dashboard",
        action="store_true",
        help="also serve a web page that shows everything live, and open it; a file is repeated until Ctrl-C",
    )
    add_recognition_options(result)
    result.add_argument(
        "--animation", type=Path, metavar="FILE", help="also write a small animation of the video: .webp, .gif or .png"
    )
    return result


def plan(options: argparse.Namespace) -> Plan:
    """Fill in the options that were not given."""
    source = options.input or SCENE
    is_image = Path(source).suffix.lower() in IMAGE_SUFFIXES
    duration = options.duration
    if duration is None:
        duration = _DURATION if not options.dashboard and (source == SCENE or is_image) else 0.0
    return Plan(
        source,
        duration,
        is_image or (options.dashboard and not is_webcam(source)),
        options.output,
        options.model,
        options.detector,
        options.detector_model,
        options.animation,
        options.dashboard,
    )


def _stands_alone(source: str) -> bool:
    """Return whether a source has images without times: an image, or a folder of them."""
    path = Path(source).expanduser()
    return path.is_dir() or (path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """Return the nodes' environment: `base`, plus a random ROS domain limited to this machine where none is set."""
    chosen = {
        # Not the default 0, below the range that the tests use; above 101 the ports of DDS are not always free.
        "ROS_DOMAIN_ID": str(random.randint(1, 60)),
        "RCUTILS_CONSOLE_OUTPUT_FORMAT": "[{severity}] {name}: {message}",
    }
    if base.get("ROS_DISTRO") == "humble":
        chosen["ROS_LOCALHOST_ONLY"] = "1"
    else:
        chosen["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    return {**chosen, **dds_profile.variables(base), **base}


def show(plan: Plan) -> int:
    """Run the demo; return the exit status."""
    nodes = environment(os.environ)
    started = time.time() - 1  # a file system's times are not exact
    processes: list[ChildProcess] = []

    def start(name: str, **parameters: object) -> ChildProcess:
        processes.append(start_node(name, parameters, nodes))
        return processes[-1]

    with Interrupts() as interrupts:
        try:
            recorder = start(
                "emotion_recorder_node", output=str(plan.output), duration=float(plan.duration), timeout=_TIMEOUT
            )
            node = start(
                "emotion_node",
                model=plan.model,
                **{"detector.name": plan.detector, "detector.model": plan.detector_model},
            )
            endless = [node, *([start("dashboard_node", open=True)] if plan.dashboard else ())]
            # Publishing starts when both have subscribed; the emotion node subscribes once its model is loaded.
            publisher = start("video_publisher_node", source=plan.source, loop=plan.loop, wait_for_subscribers=2)
            failed = _watch(recorder, endless, publisher, interrupts)
        finally:
            stop_all(processes[::-1])
    table = plan.output / "emotions.csv"
    has_recorded = table.exists() and table.stat().st_mtime >= started
    if interrupts.received and recorder.status in (-signal.SIGTERM, STOPPED):
        # The recorder completes its files, and on a busy machine it is ended before the middleware has shut down.
        return 0 if has_recorded else STOPPED
    if recorder.status and not failed:
        failed.append(recorder)
    if not failed and not interrupts.received and not has_recorded:
        print(f"fer-demo: error: no emotions arrived from {plan.source}", file=sys.stderr)
        return FAILED
    for process in failed[:1]:  # the others follow from it; its log was printed as it came
        print(f"fer-demo: error: {process.name} {process.exit_reason}; its log is above", file=sys.stderr)
    return FAILED if failed else 0


def _watch(
    recorder: ChildProcess, endless: Sequence[ChildProcess], publisher: ChildProcess, interrupts: Interrupts
) -> list[ChildProcess]:
    """Wait until the demo is over; return the processes that ended early or with an error, first those of `endless`."""

    def failed() -> list[ChildProcess]:
        return [
            process
            for process in (*endless, publisher, recorder)
            if process.status is not None and (process.status or process in endless)
        ]

    def is_over() -> bool:
        return interrupts.received or bool(failed()) or recorder.status is not None

    wait_until(lambda: is_over() or publisher.status is not None)
    if publisher.status == 0:
        wait_until(is_over, _DRAIN)
    return failed()


@one_line_errors("fer-demo")
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0 when emotions were recorded, 1 when not or a node failed, 2 for unusable input."""
    planned = plan(parser().parse_args(arguments))
    if _stands_alone(planned.source) and not planned.dashboard:
        # A node would track and smooth what does not belong together.
        from fer_ros.cli import annotate

        options = ["--output", str(planned.output), "--model", planned.model, "--detector", planned.detector]
        if planned.detector_model:
            options += ["--detector-model", planned.detector_model]
        return annotate.main([os.path.abspath(planned.source), *options])
    if not (find_spec("rclpy") and find_spec("fer_ros.msg")):
        print(
            "fer-demo: error: ROS 2 or the package's messages are not found: run `make setup` and source "
            "scripts/env.sh, or build the package with colcon and source its install/setup.bash",
            file=sys.stderr,
        )
        return FAILED
    _check(planned)
    status = show(planned)
    if planned.animation and status == 0:
        write_animation(planned.output / "annotated.mp4", planned.animation)
        print(f"  {printable(planned.animation, 500)}")
    return status


def _check(plan: Plan) -> None:
    """Find out what is unusable before any node is started."""
    model_file.find(plan.model)
    values = {"model": plan.detector_model} if plan.detector_model else {}
    with values_from_options():
        DETECTORS.create(plan.detector, DETECTORS.select_options(plan.detector, values))
    check_writable(plan.output)
    if plan.animation:
        check_animation(plan.animation)
        check_writable(plan.animation.parent)
    if not is_webcam(plan.source):  # opening a webcam twice takes seconds
        open_source(plan.source, warn=lambda _: None).close()


if __name__ == "__main__":
    sys.exit(main())
