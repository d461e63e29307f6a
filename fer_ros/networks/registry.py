# SPDX-License-Identifier: Apache-2.0
"""Networks by name. Listing the names and checking options needs no torch; creating a network does.

A network of another package is added with `NETWORKS.register("name", Entry(loader, Options))`, where `loader` takes an
instance of `Options` and the number of classes. Recipes then name it in `network`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from fer_ros.registry import Entry, NoOptions, Registry, did_you_mean

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class MiniXceptionOptions:
    """Options of mini-Xception."""

    width: int = field(default=8, metadata={"help": "channels after the stem; the last stage has 16 times as many"})
    first_width: int = field(default=0, metadata={"help": "channels of the first convolution; 0: as many as `width`"})

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"width must be at least 1, not {self.width}")
        if self.first_width < 0:
            raise ValueError(f"first_width must be at least 0, not {self.first_width}")


@dataclass(frozen=True)
class ResSeOptions:
    """Options of the residual network with squeeze-and-excitation."""

    dropout: float = field(default=0.2, metadata={"help": "probability of dropping a pooled feature, 0..1"})


@dataclass(frozen=True)
class CnnLayersOptions:
    """Options of the plain convolutional networks."""

    input_size: ClassVar[int] = 48
    layers: int = field(default=4, metadata={"help": "number of convolution layers, 3 to 6"})
    dropout: float = field(default=0.25, metadata={"help": "probability of dropping a dense layer's input, 0..1"})

    def __post_init__(self) -> None:
        if not 3 <= self.layers <= 6:
            raise ValueError(f"layers must be from 3 to 6, not {self.layers}")


@dataclass(frozen=True)
class ActedCnnOptions:
    """Options of the network for large faces of acted emotions."""

    input_size: ClassVar[int] = 180
    dropout: float = field(
        default=0.3, metadata={"help": "probability of dropping an output of the first pooling, 0..1"}
    )
    later_dropout: float = field(default=0.3, metadata={"help": "the same after the second and third pooling, 0..1"})


@dataclass(frozen=True)
class DenseNetOptions:
    """Options of the small DenseNet."""

    growth: int = field(default=8, metadata={"help": "feature maps that each layer adds"})
    layers: int = field(default=4, metadata={"help": "layers in each of the four blocks"})

    def __post_init__(self) -> None:
        if self.growth < 1 or self.layers < 1:
            raise ValueError(f"growth and layers must be at least 1, not {self.growth} and {self.layers}")


@dataclass(frozen=True)
class VggOptions:
    """Options of VGG-13."""

    input_size: ClassVar[int] = 64
    dropout: float = field(default=0.5, metadata={"help": "probability of dropping a hidden dense unit, 0..1"})


def _entry(module: str, name: str, options: type[Any] = NoOptions, description: str = "") -> Entry[nn.Module]:
    """Return an entry whose loader imports the class `name` from `module` when a network is created."""

    def load(values: Any, classes: int) -> nn.Module:
        network: Callable[..., nn.Module] = getattr(import_module(f"fer_ros.networks.{module}"), name)
        return network(classes, **asdict(values))

    return Entry(load, options, install="pip install torch", description=description)


NETWORKS: Registry[nn.Module] = Registry("network")
for _name, _network in {
    "mini_xception": _entry("mini_xception", "MiniXception", MiniXceptionOptions, "Arriaga et al. 2017; Lyu's widths"),
    "lite_xception": _entry(
        "lite_xception", "LiteXception", description="lite-XceptionFCNet of Vo and Vo, reconstructed"
    ),
    "res_se": _entry("res_se", "ResSe", ResSeOptions, "residual blocks with squeeze-and-excitation"),
    "cnn_layers": _entry("cnn_layers", "CnnLayers", CnnLayersOptions, "Yang et al.: 3 to 6 convolution layers"),
    "acted_cnn": _entry("acted_cnn", "ActedCnn", ActedCnnOptions, "Ding et al.: 180x180 faces of acted emotions"),
    "densenet": _entry("densenet", "DenseNet", DenseNetOptions, "Rao et al.: DenseNet-1"),
    "vgg": _entry("vgg", "Vgg", VggOptions, "VGG-13 of FERPlus, Rao et al.'s VGG-Net"),
    "resnet50": _entry("resnet50", "ResNet50", description="ResNet-50 for one channel"),
}.items():
    NETWORKS.register(_name, _network)


def create(name: str, classes: int, **options: Any) -> nn.Module:
    """Return the network called `name` with new random weights; it maps (N, 1, size, size) float32 crops to
    (N, classes) float32 logits.

    Raises:
        ValueError: there is no such network, it has no such option, or an option is out of range.
    """
    values = options_of(name, options)
    try:
        return NETWORKS.create(name, values, classes)
    except ValueError as error:
        raise ValueError(f"network '{name}': {error}") from error


def options_of(name: str, values: dict[str, Any]) -> Any:
    """Return the options dataclass of the network called `name`, filled with `values` and defaults.

    Raises:
        ValueError: there is no such network, it has no such option, or an option has the wrong type or range.
    """
    options = NETWORKS[name].options
    types = {entry.name: type(entry.default) for entry in fields(options)}
    for key, value in values.items():
        if key not in types:
            names = f"; available: {', '.join(types)}" if types else ", and no other"
            raise ValueError(f"network '{name}' has no option '{key}'{did_you_mean(key, types)}{names}")
        allowed = (int, float) if types[key] is float else (types[key],)
        if not isinstance(value, allowed) or isinstance(value, bool) != (types[key] is bool):
            raise ValueError(f"network '{name}': {key} must be of type {types[key].__name__}, not {value!r}")
    try:
        return options(**values)
    except ValueError as error:
        raise ValueError(f"network '{name}': {error}") from error


def input_size(name: str) -> int | None:
    """Return the only crop size in pixels that the network called `name` accepts; None where it accepts any."""
    size: int | None = getattr(NETWORKS[name].options, "input_size", None)
    return size
