# SPDX-License-Identifier: Apache-2.0
"""Options that name a data set, shared by all commands that read one."""

from __future__ import annotations

import argparse
from dataclasses import Field, fields
from typing import Any

from fer_ros.datasets.registry import DATASETS


def add_data_options(parser: argparse.ArgumentParser, required: bool) -> None:
    """Add --data, and an option for every option of a registered reader."""
    forms = "; ".join(DATASETS[name].description for name in DATASETS if DATASETS[name].description)
    parser.add_argument("--data", nargs="+", required=required, metavar="PATH", help=forms)
    for option in _reader_options():
        flag, text = f"--{option.name.replace('_', '-')}", option.metadata.get("help")
        if isinstance(option.default, bool):
            parser.add_argument(flag, action="store_true", help=text)
        else:
            parser.add_argument(flag, type=type(option.default), default=option.default, help=text)


def data_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return the parsed options of the readers, for `fer_ros.datasets.registry.read`."""
    return {option.name: getattr(options, option.name) for option in _reader_options()}


def _reader_options() -> list[Field[Any]]:
    by_name = {option.name: option for name in DATASETS for option in fields(DATASETS[name].options)}
    return list(by_name.values())
