"""Network architectures, one file each, found by name through `create`."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches

from torch import nn

from fer_ros.networks.mini_xception import MiniXception

REGISTRY: dict[str, Callable[..., nn.Module]] = {
    "mini_xception": MiniXception,
}


def create(name: str, classes: int, **options) -> nn.Module:
    """The network called `name`, freshly initialised, that maps (N, 1, size, size) float32 to (N, classes) logits.

    Raises:
        ValueError: there is no such network, or it has no such option.
    """
    if name not in REGISTRY:
        near = get_close_matches(name, REGISTRY, n=1)
        raise ValueError(
            f"there is no network '{name}'{f', did you mean {near[0]!r}' if near else ''}; known: {', '.join(REGISTRY)}"
        )
    try:
        return REGISTRY[name](classes=classes, **options)
    except TypeError as error:
        raise ValueError(f"network '{name}': {error}") from error
