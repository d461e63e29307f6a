"""Network architectures, one file each, found by name through `create`."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches

from torch import nn

from fer_ros.networks.acted_cnn import ActedCnn
from fer_ros.networks.cnn_layers import CnnLayers
from fer_ros.networks.densenet import DenseNet
from fer_ros.networks.lite_xception import LiteXception
from fer_ros.networks.mini_xception import MiniXception
from fer_ros.networks.mini_xception_width import MiniXceptionWidth
from fer_ros.networks.res_se import ResSe
from fer_ros.networks.resnet50 import ResNet50
from fer_ros.networks.vgg import Vgg

REGISTRY: dict[str, Callable[..., nn.Module]] = {
    "mini_xception": MiniXception,
    "mini_xception_width": MiniXceptionWidth,
    "lite_xception": LiteXception,
    "res_se": ResSe,
    "cnn_layers": CnnLayers,
    "acted_cnn": ActedCnn,
    "densenet": DenseNet,
    "vgg": Vgg,
    "resnet50": ResNet50,
}


def create(name: str, classes: int, **options) -> nn.Module:
    """The network called `name`, freshly initialized, that maps (N, 1, size, size) float32 to (N, classes) logits.

    Raises:
        ValueError: there is no such network, it has no such option, or not such a value of it.
    """
    if name not in REGISTRY:
        near = get_close_matches(name, REGISTRY, n=1)
        raise ValueError(
            f"there is no network '{name}'{f', did you mean {near[0]!r}' if near else ''}; known: {', '.join(REGISTRY)}"
        )
    try:
        return REGISTRY[name](classes=classes, **options)
    except (TypeError, ValueError) as error:
        raise ValueError(f"network '{name}': {error}") from error


def input_size(name: str) -> int | None:
    """Width and height of the only crops the network called `name` can take; None where its size is free."""
    return getattr(REGISTRY[name], "input_size", None)
