"""fer-export: a model file out of a training run."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fer_ros.cli.errors import one_line_errors

_EXAMPLES = """\
examples:
  fer-export out/training/mini_xception-... --output my_model.pt                   its best epoch
  fer-export out/training/mini_xception-.../checkpoint.pth --output my_model.pt    its latest epoch
  fer-export my_model.pt --output my_model.onnx                                    the same for OpenCV and ONNX Runtime
"""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="fer-export",
        description="Write the model file of a training run, for emotion_node, fer-demo and fer-evaluate.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("source", type=Path, help="the folder of a run, its checkpoint, or a .pt model file")
    made.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="the model file to write: *.pt (TorchScript) or *.onnx",
    )
    return made


@one_line_errors("fer-export")
def main(arguments: list[str] | None = None) -> int:
    command_line = parser()
    options = command_line.parse_args(arguments)
    from fer_ros.emotion import model_file
    from fer_ros.emotion.classifier import Classifier
    from fer_ros.training.export import export

    suffixes = (model_file.SUFFIX, model_file.ONNX_SUFFIX)
    if options.output.suffix not in suffixes:
        command_line.error(f"--output must end in {' or '.join(suffixes)}: that is how models are found by name")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    try:
        metadata = export(options.source, options.output)
    except ImportError as error:
        command_line.error(str(error))
    served = Classifier(options.output.absolute())
    scores = metadata.scores["validation"]
    print(
        f"{options.output}: {served.model_id}, {metadata.network} for {', '.join(metadata.labels)}; "
        f"{100 * scores['accuracy']:.2f} % of its validation images in epoch {scores['epoch']}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
