# SPDX-License-Identifier: Apache-2.0
"""Options of an evaluation, shared by fer-evaluate and fer-compare."""

from __future__ import annotations

import argparse
from pathlib import Path

from fer_ros.emotion.backends.registry import AUTO, BACKENDS
from fer_ros.files import check_writable


def add_evaluation_options(parser: argparse.ArgumentParser) -> None:
    """Add --split, --flip, --ten-crop, --backend, --robustness and --json."""
    parser.add_argument(
        "--split",
        choices=("training", "public", "private", "validation", "all"),
        default="public",
        help="part of the data to evaluate on; validation: those that the first model was chosen on, held out "
        "or public (default: %(default)s)",
    )
    views = parser.add_mutually_exclusive_group()
    views.add_argument("--flip", action="store_true", help="average the scores of each crop and its mirror image")
    views.add_argument(
        "--ten-crop",
        action="store_true",
        help="average the scores of the four corners, the center, and their mirror images",
    )
    parser.add_argument(
        "--backend",
        default=AUTO,
        metavar="NAME",
        choices=(AUTO, *BACKENDS),
        help="inference backend: %(choices)s (default: auto, by the kind of file)",
    )
    parser.add_argument(
        "--robustness",
        action="store_true",
        help="also measure accuracy and calibration under rotation, brightness, blur, noise, covers and other crops",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all measures to this file")


def check_outputs(options: argparse.Namespace) -> None:
    """Check that the files of --output and --json can be written, before the evaluation.

    Raises:
        OSError: one of them cannot.
    """
    check_writable(options.output)
    if options.json:
        check_writable(options.json.parent)


def views_of(options: argparse.Namespace) -> str:
    """Return the name of the views whose scores are averaged."""
    return "ten crops" if options.ten_crop else "with flip" if options.flip else "single crop"
