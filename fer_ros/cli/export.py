# SPDX-License-Identifier: Apache-2.0
"""fer-export: write a model file from a training run, or convert one to ONNX."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fer_ros.cli.errors import one_line_errors
from fer_ros.cli.options.common import command_parser
from fer_ros.files import check_writable

_EXAMPLES = """\
examples:
  fer-export out/training/mini_xception-... --output my_model.pt                   its best epoch
  fer-export out/training/mini_xception-.../checkpoint.pth --output my_model.pt    its latest epoch
  fer-export mini_xception --output mini_xception.onnx                             a shipped model
  fer-export my_model.pt --output my_model.onnx                                    for OpenCV and ONNX Runtime
"""


def parser() -> argparse.ArgumentParser:
    result = command_parser(
        "fer-export", "Write the model file of a training run, for emotion_node and the commands.", _EXAMPLES
    )
    result.add_argument(
        "source", type=Path, help="folder of a run, its checkpoint, a .pt model file, or a shipped model"
    )
    result.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="model file to write: *.pt (TorchScript) or *.onnx",
    )
    return result


@one_line_errors("fer-export")
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    command_line = parser()
    options = command_line.parse_args(arguments)
    from fer_ros.emotion import model_file
    from fer_ros.emotion.classifier import Classifier
    from fer_ros.training.export import export

    suffixes = (model_file.SUFFIX, model_file.ONNX_SUFFIX)
    if options.output.suffix not in suffixes:
        command_line.error(f"--output must end in {' or '.join(suffixes)}, not '{options.output.suffix}'")
    check_writable(options.output.parent)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    metadata = export(options.source, options.output)
    exported = Classifier(options.output.absolute())
    scores = metadata.scores.get("validation")
    print(
        f"{options.output}: {exported.model_id}, {metadata.network} for {', '.join(metadata.labels)}"
        + (f"; validation accuracy {100 * scores['accuracy']:.2f} % in epoch {scores['epoch']}" if scores else "")
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
