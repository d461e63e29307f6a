# SPDX-License-Identifier: Apache-2.0
"""A progress bar around a loop."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


def with_progress(items: Sequence[T], description: str) -> Iterable[T]:
    """Return the items, with a progress bar on standard error if that is a terminal and tqdm is installed."""
    try:
        from tqdm import tqdm
    except ImportError:
        return items
    return tqdm(items, description, disable=None, leave=False)
