# SPDX-License-Identifier: Apache-2.0
"""Options that choose the model and the detector, shared by fer-annotate and fer-demo."""

from __future__ import annotations

import argparse

from fer_ros.faces.detectors.registry import DETECTORS


def add_recognition_options(parser: argparse.ArgumentParser) -> None:
    """Add --model, --detector and --detector-model."""
    parser.add_argument(
        "--model", default="mini_xception", help="name of a shipped model, or a model file (default: %(default)s)"
    )
    parser.add_argument(
        "--detector",
        default="viola_jones",
        choices=DETECTORS.names,
        metavar="NAME",
        help="one of %(choices)s (default: %(default)s)",
    )
    parser.add_argument(
        "--detector-model", default="", metavar="FILE", help="network of the detector yunet, an ONNX file"
    )
