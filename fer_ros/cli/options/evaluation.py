"""How a model is to be judged: the same options for every command that does."""

from __future__ import annotations

import argparse


def add_judging_options(parser: argparse.ArgumentParser) -> None:
    """Adds --split, --flip, --ten-crop, --backend and --robustness."""
    parser.add_argument("--split", choices=("training", "public", "private", "all"), default="public")
    views = parser.add_mutually_exclusive_group()
    views.add_argument("--flip", action="store_true", help="average each crop with its mirror image")
    views.add_argument(
        "--ten-crop", action="store_true", help="average four corners, the center, and the mirror images of the five"
    )
    parser.add_argument(
        "--backend",
        default="auto",
        choices=("auto", "torchscript", "opencv", "onnx"),
        help="what runs the network (default: by the kind of file)",
    )
    parser.add_argument(
        "--robustness", action="store_true", help="accuracy over rotations, brightnesses and crops, and robustness.png"
    )


def views_of(options: argparse.Namespace) -> str:
    """How each face is shown to the model, in words."""
    return "ten crops" if options.ten_crop else "with flip" if options.flip else "single crop"
