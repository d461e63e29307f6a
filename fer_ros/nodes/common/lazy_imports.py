# SPDX-License-Identifier: Apache-2.0
"""Executes modules that a library imports for features that a node may never use when they are first used.

For the programs of this package only: a library leaves the imports of its process alone.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType


def defer(*names: str) -> None:
    """Let `import` execute these modules when one of their attributes is first accessed.

    Args:
        names: absolute, as in "torch._native"; those that do not exist have no effect.
    """
    sys.meta_path.insert(0, _LazyFinder(names))


class _LazyFinder(MetaPathFinder):
    """Finds some modules as ever, and has them executed later, in the way that importlib documents."""

    def __init__(self, names: Sequence[str]):
        self._names = names

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `MetaPathFinder`."""
        spec = PathFinder.find_spec(fullname, path, target) if fullname in self._names else None
        if spec and spec.loader:
            spec.loader = LazyLoader(spec.loader)
        return spec
