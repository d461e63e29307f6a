# SPDX-License-Identifier: Apache-2.0
"""Options that name a data set, shared by all commands that read one."""

from __future__ import annotations

import argparse


def add_data_options(parser: argparse.ArgumentParser, required: bool) -> None:
    """Add --data, --by-speaker and --skip-faulty."""
    parser.add_argument(
        "--data",
        nargs="+",
        required=required,
        metavar="PATH",
        help="fer2013.csv, a folder per emotion, .npz files (or a folder of them), KDEF, RAVDESS, SAVEE or MEAD",
    )
    parser.add_argument(
        "--by-speaker", action="store_true", help="for corpora of acted emotions: keep each person in one split"
    )
    parser.add_argument(
        "--skip-faulty",
        action="store_true",
        help="for corpora of acted emotions: leave out unusable files, with a warning",
    )
