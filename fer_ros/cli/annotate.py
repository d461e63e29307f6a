# SPDX-License-Identifier: Apache-2.0
"""fer-annotate: emotions in images, folders, videos and rosbag2 recordings, without ROS."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fer_ros.annotation.blur import all_detectors
from fer_ros.annotation.inputs import find_inputs
from fer_ros.annotation.run import Annotation, Listener, Summary
from fer_ros.cli.errors import BAD_INPUT, FAILED, STOPPED, one_line_errors, values_from_options
from fer_ros.cli.options.common import command_parser
from fer_ros.cli.options.recognition import add_recognition_options
from fer_ros.cli.processes import Interrupts
from fer_ros.cli.progress import Progress
from fer_ros.emotion.backends import registry as backends
from fer_ros.faces.detectors.registry import DETECTORS
from fer_ros.recognizer import EmotionRecognizer
from fer_ros.recording.output_folder import OutputFolder
from fer_ros.text import printable

PROGRAM = "fer-annotate"
_EXAMPLES = """\
examples:
  fer-annotate photo.jpg holiday/       tables, annotated copies and a contact sheet, into out/annotate/
  fer-annotate clip.mp4 --output out/clip
  fer-annotate recording/ --topic /camera/image_raw --bag
  fer-annotate party/ --blur            copies in which every face that was found is hidden
"""


def parser() -> argparse.ArgumentParser:
    command = command_parser(
        PROGRAM,
        "Recognize emotions in images, folders of images, videos and rosbag2 recordings. Needs no ROS.\n\n"
        "Each image stands alone; in videos and recordings faces are tracked and their scores smoothed.",
        _EXAMPLES,
    )
    command.add_argument(
        "input", nargs="+", metavar="INPUT", help="an image, a folder of images, a video, or a rosbag2 recording"
    )
    command.add_argument(
        "--output",
        type=Path,
        default=Path("out/annotate"),
        metavar="FOLDER",
        help="for emotions.csv, emotions.jsonl, annotated copies and plots (default: %(default)s)",
    )
    add_recognition_options(command)
    command.add_argument(
        "--backend", default=backends.AUTO, metavar="NAME", help="what runs the model (default: %(default)s)"
    )
    command.add_argument(
        "--topic", default="", metavar="NAME", help="image topic of a recording (default: its only one)"
    )
    command.add_argument(
        "--bag",
        action="store_true",
        help="also write a copy of each recording with the topics /emotions and /emotion_events of emotion_node added",
    )
    command.add_argument(
        "--blur",
        action="store_true",
        help="hide every face in the copies, which get no labels; all installed detectors search for faces",
    )
    command.add_argument(
        "--resume", action="store_true", help="skip the inputs that an earlier run into FOLDER completed"
    )
    return command


@one_line_errors(PROGRAM)
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, 1 if an input could not be read, 2 if none could, or 130 if it was interrupted."""
    options = parser().parse_args(arguments)
    with values_from_options():
        recognizer = _create_recognizer(options)  # before the folder is created
    with Interrupts() as interrupts, Progress(PROGRAM) as progress:
        output = OutputFolder(options.output, PROGRAM)
        inputs, failures = find_inputs(options.input, options.topic, output.owns)
        for failure in failures:
            progress.warn(failure, "error")
        if not inputs:
            return BAD_INPUT
        with values_from_options():
            annotation = Annotation(
                output,
                recognizer,
                {key: vars(options)[key] for key in ("backend", "detector", "detector_model", "topic", "blur", "bag")},
                all_detectors() if options.blur else None,
                options.bag,
                options.resume,
                Listener(
                    describe=lambda name: progress.describe(printable(name, 40)),
                    step=progress.step,
                    warn=progress.warn,
                    fail=lambda line: progress.warn(line, "error"),
                    is_stopped=lambda: interrupts.received,
                ),
            )
        annotation.run(inputs)
    print(_report(annotation.summary))
    for path in annotation.files[:2]:
        print(f"  {printable(path, 500)}")
    if len(annotation.files) > 2:
        print(f"  and {len(annotation.files) - 2} more in {printable(options.output, 500)}")
    if annotation.summary.stopped:
        print(f"{PROGRAM}: stopped; --resume continues", file=sys.stderr)
        return STOPPED
    if not annotation.summary.inputs + annotation.summary.skipped:
        return BAD_INPUT
    return FAILED if failures or annotation.summary.failed else 0


def _create_recognizer(options: argparse.Namespace) -> EmotionRecognizer:
    values = {"model": options.detector_model} if options.detector_model else {}
    detector_options = DETECTORS.select_options(options.detector, values)
    return EmotionRecognizer(options.model, options.detector, options.backend, detector_options=detector_options)


def _report(summary: Summary) -> str:
    faces = sum(summary.emotions.values())
    emotions = ", ".join(f"{emotion} {count}" for emotion, count in summary.emotions.most_common())
    skipped = f" ({summary.skipped} more were complete)" if summary.skipped else ""
    head = f"{_count(summary.inputs, 'input')}{skipped}, {_count(summary.frames, 'image')}, {_count(faces, 'face')}"
    return head + (f": {emotions}" if emotions else "")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


if __name__ == "__main__":
    sys.exit(main())
