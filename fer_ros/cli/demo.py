"""The whole chain on this machine: publisher, emotion node and recorder as processes of their own, on real DDS."""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from fer_ros import dds_profile
from fer_ros.cli.processes import Interrupts, NodeProcess, end_all, wait_until
from fer_ros.media.sources import IMAGE_SUFFIXES, SCENE, SourceError, open_source

_DURATION = 20.0
"""Seconds, of sources that have no end of their own. One period of the scene."""
_PATIENCE = 90.0
"""Seconds until the first emotion must have come; a busy machine loads the model in half of it."""
_DRAIN = 2.0
"""Seconds that the last images of a file get to be answered."""
_FAILED, _BAD_INPUT, _STOPPED = 1, 2, 130


@dataclass(frozen=True)
class Plan:
    """What is shown for how long, and where it goes."""

    source: str
    duration: float
    """Seconds, 0 for until the source ends."""
    loop: bool
    output: Path
    model: str


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="demo", description=__doc__)
    made.add_argument(
        "--input",
        default=SCENE,
        metavar="SOURCE",
        help="a video, a picture, a folder of pictures, or the number of a webcam (default: a scene that is built in)",
    )
    made.add_argument(
        "--output", type=Path, default=Path("out/demo"), metavar="FOLDER", help="for the results (default: %(default)s)"
    )
    made.add_argument(
        "--duration",
        type=float,
        metavar="SECONDS",
        help="at most so long (default: a file to its end, a webcam until Ctrl-C, all else 20 s)",
    )
    made.add_argument("--model", default="mini_xception", help="name or path of a model file (default: %(default)s)")
    return made


def plan(options: argparse.Namespace) -> Plan:
    """Fills in what the user has left open."""
    source = options.input or SCENE
    is_picture = Path(source).suffix.lower() in IMAGE_SUFFIXES
    duration = options.duration
    if duration is None:
        duration = _DURATION if source == SCENE or is_picture else 0.0
    return Plan(source, duration, is_picture, options.output, options.model)


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """For the nodes: a ROS domain of their own on this machine, unless the user has chosen one."""
    chosen = {
        # Not the usual 0, and below those that the tests take; above 101 the ports of DDS are not always free.
        "ROS_DOMAIN_ID": str(random.randint(1, 60)),
        "RCUTILS_CONSOLE_OUTPUT_FORMAT": "[{severity}] {name}: {message}",
    }
    if base.get("ROS_DISTRO") == "humble":
        chosen["ROS_LOCALHOST_ONLY"] = "1"
    else:
        chosen["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    return {**chosen, **dds_profile.variables(base), **base}


def show(plan: Plan) -> int:
    """Runs the demo; the exit status."""
    nodes = environment(os.environ)
    processes: list[NodeProcess] = []

    def start(name: str, **parameters: object) -> NodeProcess:
        processes.append(NodeProcess(name, parameters, nodes))
        return processes[-1]

    with Interrupts() as interrupts:
        try:
            recorder = start(
                "emotion_recorder_node", output=str(plan.output), duration=float(plan.duration), patience=_PATIENCE
            )
            node = start("emotion_node", model=plan.model)
            # It begins when both have subscribed, and the emotion node does so when it is ready to answer.
            publisher = start("video_publisher_node", source=plan.source, loop=plan.loop, wait_for_subscribers=2)
            died = _watch(recorder, node, publisher, interrupts)
        finally:
            end_all(processes[::-1])
    if interrupts.came and recorder.status == -signal.SIGTERM:
        return _STOPPED  # before there was anything to complete
    if recorder.status and not died:
        died.append(recorder)
    for process in died:
        print(process.exit_summary, file=sys.stderr)
    return _FAILED if died else 0


def _watch(
    recorder: NodeProcess, node: NodeProcess, publisher: NodeProcess, interrupts: Interrupts
) -> list[NodeProcess]:
    """Returns when the demo is over, with the processes that ended and should not have."""

    def has_failed() -> list[NodeProcess]:
        return [
            process
            for process, good in ((node, ()), (publisher, (0,)), (recorder, (0,)))
            if process.status is not None and process.status not in good
        ]

    def is_over() -> bool:
        return interrupts.came or bool(has_failed()) or recorder.status is not None

    wait_until(lambda: is_over() or publisher.status is not None)
    if publisher.status == 0:
        wait_until(is_over, _DRAIN)
    return has_failed()


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; 0 when emotions were recorded, 1 when not or a node failed, 2 for input that cannot be used."""
    planned = plan(parser().parse_args(arguments))
    if not (find_spec("rclpy") and find_spec("fer_ros.msg")):
        print("demo: ROS 2 and the built package are not in reach: run `make demo`", file=sys.stderr)
        return _FAILED
    try:
        if not planned.source.isdigit():
            open_source(planned.source, warn=lambda _: None).close()
    except SourceError as error:
        print(f"demo: {error}", file=sys.stderr)
        return _BAD_INPUT
    return show(planned)


if __name__ == "__main__":
    sys.exit(main())
