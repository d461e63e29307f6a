# SPDX-License-Identifier: Apache-2.0
"""fer-export: write a model file from a training run, convert one to ONNX, calibrate or quantize it."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fer_ros.cli.errors import one_line_errors
from fer_ros.cli.options.common import command_parser
from fer_ros.cli.options.data import add_data_options, data_options
from fer_ros.emotion.backends.registry import AUTO
from fer_ros.files import atomic_write, check_writable

if TYPE_CHECKING:
    from fer_ros.datasets.face_images import FaceImages
    from fer_ros.emotion.metadata import ModelMetadata

_EXAMPLES = """\
examples:
  fer-export out/training/mini_xception-... --output my_model.pt                   its best epoch
  fer-export out/training/mini_xception-.../checkpoint.pth --output my_model.pt    its latest epoch
  fer-export mini_xception --output mini_xception.onnx                             a shipped model
  fer-export my_model.pt --output my_model.onnx                                    for OpenCV and ONNX Runtime
  fer-export my_model.pt --output my_model.pt --calibrate --data fer2013.csv       fit its temperature anew
  fer-export res_se --output res_se_int8.onnx --int8 --data fer2013.csv            for ONNX Runtime alone
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
    result.add_argument(
        "--calibrate",
        action="store_true",
        help="fit the temperature on the images of the split public in --data: clean, placed as by a detector, "
        "blurred, noisy, dark, bright, rolled and covered",
    )
    result.add_argument(
        "--int8",
        action="store_true",
        help="quantize an .onnx file to 8 bits, with ranges measured on training images in --data; only the "
        "backend onnx runs it",
    )
    add_data_options(result, required=False)
    return result


@one_line_errors("fer-export")
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    command_line = parser()
    options = command_line.parse_args(arguments)
    from fer_ros.emotion import model_file
    from fer_ros.emotion.classifier import Classifier

    suffixes = (model_file.SUFFIX, model_file.ONNX_SUFFIX)
    if options.output.suffix not in suffixes:
        command_line.error(f"--output must end in {' or '.join(suffixes)}, not '{options.output.suffix}'")
    if options.int8 and options.output.suffix != model_file.ONNX_SUFFIX:
        command_line.error(f"--int8 writes {model_file.ONNX_SUFFIX} files, not '{options.output.suffix}'")
    if (options.calibrate or options.int8) != bool(options.data):
        command_line.error("--calibrate and --int8 need --data, which nothing else here uses")
    check_writable(options.output.parent)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder) / options.output.name
        metadata = _write(options, temporary)
        with atomic_write(options.output) as output:
            shutil.copyfile(temporary, output)
    exported = Classifier(options.output.absolute(), "onnx" if options.int8 else AUTO)
    scores = metadata.scores.get("validation")
    print(
        f"{options.output}: {exported.model_id}, {metadata.network} for {', '.join(metadata.labels)}"
        + (f"; validation accuracy {100 * scores['accuracy']:.2f} % in epoch {scores['epoch']}" if scores else "")
        + (", before it was quantized" if scores and options.int8 else "")
    )
    return 0


def _write(options: argparse.Namespace, path: Path) -> ModelMetadata:
    """Write the model file `path`; return the metadata of the source."""
    from fer_ros.training.export import export

    metadata = export(options.source, path)
    if options.data:
        from fer_ros.datasets import registry

        images = registry.read(options.data, metadata.preprocessing.input_size, **data_options(options))
        if options.int8:
            from fer_ros.training import quantization

            split = images.split("training") if images.has_split("training") else images
            quantization.quantize(path, split.pixels)
        if options.calibrate:
            _calibrate(path, images, "onnx" if options.int8 else AUTO)
    return metadata


def _calibrate(path: Path, images: FaceImages, backend: str) -> None:
    """Fit the temperature of a model file, and print what it changes."""
    from fer_ros.datasets.face_images import DataError
    from fer_ros.emotion import model_file
    from fer_ros.emotion.classifier import Classifier
    from fer_ros.evaluation import mixed_calibration, selection

    classifier = Classifier(path, backend)
    known = selection.find_provenance(classifier.model_id, classifier.metadata, images)
    if not images.has_split("public") and not known:
        raise DataError(
            "--calibrate needs images that the network was not trained on: data with a split 'public', or the data of "
            "its run, of which it held some out"
        )
    held_out = images.take(selection.select(images, "public", [known] if known else []).mask)
    temperature, rows = mixed_calibration.fit(classifier, held_out)
    model_file.recalibrate(path, temperature)
    print(mixed_calibration.table(rows))
    print(f"temperature {classifier.metadata.temperature:.3f} to {temperature:.3f}, of {len(held_out)} images")


if __name__ == "__main__":
    sys.exit(main())
