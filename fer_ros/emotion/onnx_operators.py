# SPDX-License-Identifier: Apache-2.0
"""The operators that an ONNX file may use, and the shapes of their outputs.

See https://github.com/onnx/onnx/blob/main/docs/Operators.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from fer_ros.text import printable

Shape = tuple[int, ...]

_MAX_ATTRIBUTE = 1024


class Value(NamedTuple):
    """What is known of a value in the graph."""

    shape: Shape
    constant: bool = False
    quantized: bool = False
    """Whole numbers of 8 bits, or of 32 bits for a bias."""


class Node(NamedTuple):
    """An operator in the graph."""

    attributes: Mapping[str, Any]
    inputs: Sequence[Value]

    def require(self, condition: bool, what: str) -> None:
        """Raise ValueError unless `condition` holds."""
        if not condition:
            shapes = ", ".join(map(str, (value.shape for value in self.inputs)))
            raise ValueError(f"{what} (inputs of shapes {printable(shapes)})")

    def allow(self, *names: str) -> None:
        """Raise ValueError if there are other attributes than these."""
        for name in self.attributes:
            self.require(name in names, f"the attribute {printable(name)} is not known")

    def number(self, name: str, default: int, allowed: Sequence[int]) -> int:
        """Return an attribute that is a whole number."""
        value = self.attributes.get(name, default)
        self.require(type(value) is int and value in allowed, f"{name} is {printable(value)}")
        return int(value)

    def pair(self, name: str, default: tuple[int, ...], lowest: int = 1) -> tuple[int, ...]:
        """Return an attribute that is a list, as long as `default`."""
        value = self.attributes.get(name, default)
        fits = isinstance(value, (list, tuple)) and len(value) == len(default)
        self.require(fits and all(lowest <= one <= _MAX_ATTRIBUTE for one in value), f"{name} is {printable(value)}")
        return tuple(value)


def _same(node: Node) -> Shape:
    node.require(len(node.inputs) == 1, "expected one input")
    node.allow("alpha", "beta", "gamma")
    return node.inputs[0].shape


def _clip(node: Node) -> Shape:
    node.allow()
    node.require(len(node.inputs) == 3, "expected an input and two limits")
    node.require(
        all(one.constant and one.shape == () for one in node.inputs[1:]), "the limits are not constant numbers"
    )
    return node.inputs[0].shape


def _elementwise(node: Node) -> Shape:
    first, second = node.inputs
    node.allow()
    node.require(not (first.constant and second.constant), "expected a value")
    small, large = sorted((first, second), key=lambda one: (not one.constant, math.prod(one.shape)))
    if small.shape != large.shape:
        channels = (*large.shape[:2], *(1 for _ in large.shape[2:]))
        allowed = ((), (1,), channels[1:], (1, *channels[1:])) if small.constant else (channels,)
        node.require(small.shape in allowed, "the shapes do not match")
    return large.shape


def _conv(node: Node) -> Shape:
    node.allow("dilations", "group", "kernel_shape", "pads", "strides")
    image, weights, *bias = node.inputs
    node.require(
        len(image.shape) == len(weights.shape) == 4 and weights.constant, "expected images and constant weights"
    )
    group = node.number("group", 1, range(1, _MAX_ATTRIBUTE * 4))
    fits = image.shape[1] == weights.shape[1] * group and weights.shape[0] % group == 0
    node.require(fits, f"the channels do not match the weights in {group} groups")
    node.require(
        len(bias) <= 1 and all(one == Value(weights.shape[:1], True) for one in bias), "the bias does not match"
    )
    node.require(
        node.pair("kernel_shape", weights.shape[2:]) == weights.shape[2:], "kernel_shape differs from the weights"
    )
    return (*image.shape[:1], weights.shape[0], *_window(node, weights.shape[2:], image.shape[2:]))


def _window(node: Node, kernel: tuple[int, ...], size: Shape) -> Shape:
    """Return the size of the map that a window of `kernel` pixels gives."""
    strides, dilations = node.pair("strides", (1, 1)), node.pair("dilations", (1, 1))
    pads, ceil = node.pair("pads", (0, 0, 0, 0), 0), node.number("ceil_mode", 0, (0, 1))
    extent = [step * (side - 1) + 1 for side, step in zip(kernel, dilations, strict=True)]
    node.require(all(pad < 2 * extent[at % 2] for at, pad in enumerate(pads)), f"pads is {list(pads)}")
    free = [size[at] + pads[at] + pads[at + 2] - extent[at] for at in (0, 1)]
    node.require(min(free) >= 0, f"a window of {extent[0]}x{extent[1]} is larger than its input")
    return tuple((free[at] + ceil * (strides[at] - 1)) // strides[at] + 1 for at in (0, 1))


def _pool(node: Node) -> Shape:
    node.allow("dilations", "kernel_shape", "pads", "strides", "ceil_mode", "count_include_pad", "storage_order")
    node.require(len(node.inputs) == 1 and len(node.inputs[0].shape) == 4, "expected images")
    node.require("kernel_shape" in node.attributes, "kernel_shape is missing")
    node.require(node.pair("dilations", (1, 1)) == (1, 1), "dilations of a pooling are not supported")
    node.number("storage_order", 0, (0,))
    node.number("count_include_pad", 0, (0, 1))
    kernel, pads = node.pair("kernel_shape", (1, 1)), node.pair("pads", (0, 0, 0, 0), 0)
    node.require(all(2 * pad <= kernel[at % 2] for at, pad in enumerate(pads)), f"pads is {list(pads)}")
    return (*node.inputs[0].shape[:2], *_window(node, kernel, node.inputs[0].shape[2:]))


def _global_pool(node: Node) -> Shape:
    node.allow()
    node.require(len(node.inputs) == 1 and len(node.inputs[0].shape) == 4, "expected images")
    return (*node.inputs[0].shape[:2], 1, 1)


def _batch_norm(node: Node) -> Shape:
    node.allow("epsilon", "momentum", "training_mode")
    image, *statistics = node.inputs
    node.number("training_mode", 0, (0,))
    node.require(0 < node.attributes.get("epsilon", 1e-5) <= 1, "epsilon is not between 0 and 1")
    fits = len(image.shape) in (2, 4) and len(statistics) == 4
    expected = Value(image.shape[1:2], True)
    node.require(fits and all(one == expected for one in statistics), "the statistics do not match")
    return image.shape


def _concat(node: Node) -> Shape:
    node.allow("axis")
    node.number("axis", -1, (1,))
    shapes = [one.shape for one in node.inputs]
    first = shapes[0]
    fits = len(first) > 1 and all((one[:1], one[2:]) == (first[:1], first[2:]) for one in shapes)
    node.require(fits and not any(one.constant for one in node.inputs), "the shapes do not match")
    return (first[0], sum(one[1] for one in shapes), *first[2:])


def _flatten(node: Node) -> Shape:
    node.allow("axis")
    node.number("axis", 1, (1,))
    node.require(
        len(node.inputs) == 1 and len(node.inputs[0].shape) in (2, 4) and not node.inputs[0].constant, "expected maps"
    )
    return (node.inputs[0].shape[0], math.prod(node.inputs[0].shape[1:]))


def _gemm(node: Node) -> Shape:
    node.allow("alpha", "beta", "transA", "transB")
    features, weights, *bias = node.inputs
    node.number("transA", 0, (0,))
    node.require(len(features.shape) == len(weights.shape) == 2 and weights.constant, "expected constant weights")
    inputs, outputs = weights.shape[::-1] if node.number("transB", 0, (0, 1)) else weights.shape
    node.require(features.shape[1] == inputs and not features.constant, "the features do not match the weights")
    node.require(len(bias) <= 1 and all(one == Value((outputs,), True) for one in bias), "the bias does not match")
    return (features.shape[0], outputs)


def _quantize(node: Node) -> Shape:
    node.require(not node.inputs[0].quantized, "the values are quantized already")
    return _quantization(node)


def _dequantize(node: Node) -> Shape:
    node.require(node.inputs[0].quantized, "the values are not quantized")
    return _quantization(node)


def _quantization(node: Node) -> Shape:
    """Return the shape of values that are scaled by one number, or by one for each index along an axis."""
    node.allow("axis")
    values, scale, zero = node.inputs
    axis = node.number("axis", 1, range(4))
    allowed = ((), (1,), values.shape[axis : axis + 1] or (1,))
    node.require(scale.shape in allowed and scale == Value(scale.shape, True), "the scale does not match")
    node.require(zero == Value(scale.shape, True, True), "the zero point does not match the scale")
    return values.shape


QUANTIZATION = ("QuantizeLinear", "DequantizeLinear")
OPERATORS: dict[str, Callable[[Node], Shape]] = {
    **dict.fromkeys(("Elu", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Relu", "Sigmoid", "Tanh"), _same),
    **dict.fromkeys(("Add", "Mul", "Sub"), _elementwise),
    **dict.fromkeys(("MaxPool", "AveragePool"), _pool),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), _global_pool),
    "BatchNormalization": _batch_norm,
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _conv,
    "DequantizeLinear": _dequantize,
    "Flatten": _flatten,
    "Gemm": _gemm,
    "QuantizeLinear": _quantize,
}
"""Shape of an operator's output from its attributes and inputs; raises ValueError if it cannot be computed."""
