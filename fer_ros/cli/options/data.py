"""How a data set is named on the command line: the same for every command that reads one."""

from __future__ import annotations

import argparse


def add_data_options(parser: argparse.ArgumentParser, required: bool) -> None:
    """Adds --data, --by-speaker and --skip-faulty."""
    parser.add_argument(
        "--data",
        nargs="+",
        required=required,
        metavar="PATH",
        help="fer2013.csv, a folder per emotion, .npz files (or a folder of them), KDEF, RAVDESS, SAVEE or MEAD",
    )
    parser.add_argument(
        "--by-speaker", action="store_true", help="of acted emotions, keep each person in one split only"
    )
    parser.add_argument(
        "--skip-faulty",
        action="store_true",
        help="of acted emotions, leave out files that cannot be used, with a warning",
    )
