# SPDX-License-Identifier: Apache-2.0
"""Check the graph of an ONNX file of unknown origin: operators, attributes, and the shape of every value.

OpenCV and ONNX Runtime can end the process on a graph that contradicts itself, and read other files if a tensor names
one. So the shapes are followed from the crops to the logits here, before either sees the file. Shapes are those of two
crops, so that an operator that mixes them is noticed. See https://github.com/onnx/onnx/blob/main/docs/Operators.md.

Another package whose network needs a further operator adds it: `OPERATORS["MyOperator"] = shape_function`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from fer_ros.emotion.protobuf import Field, parse
from fer_ros.text import printable

Shape = tuple[int, ...]

CROPS = 2
"""Number of crops that the shapes are followed for."""
_MAX_NODES = 5000
_MAX_ELEMENTS = CROPS << 24
"""Of one value between two operators, 64 MiB for each crop."""
_MAX_MULTIPLICATIONS = 50_000_000_000
"""For one crop; ResNet-50 needs 0.2e9 for 48x48 pixels and VGG-16 3e9 for 180x180."""
_MAX_ATTRIBUTE = 1024
_OPSETS = range(9, 26)
_FLOAT, _INT64 = 1, 7
_ITEM_BYTES = {_FLOAT: 4, _INT64: 8}

_MODEL = {
    1: Field("ir_version", "int"),
    2: Field("producer_name", "text"),
    3: Field("producer_version", "text"),
    4: Field("domain", "text"),
    5: Field("model_version", "int"),
    6: Field("doc_string", "text"),
    7: Field("graph", "bytes"),
    8: Field("opset_import", "bytes", True),
    14: Field("metadata_props", "bytes", True),
}
_OPSET = {1: Field("domain", "text"), 2: Field("version", "int")}
_GRAPH = {
    1: Field("node", "bytes", True),
    2: Field("name", "text"),
    5: Field("initializer", "bytes", True),
    10: Field("doc_string", "text"),
    11: Field("input", "bytes", True),
    12: Field("output", "bytes", True),
    13: Field("value_info", "bytes", True),
}
_NODE = {
    1: Field("input", "text", True),
    2: Field("output", "text", True),
    3: Field("name", "text"),
    4: Field("op_type", "text"),
    5: Field("attribute", "bytes", True),
    6: Field("doc_string", "text"),
    7: Field("domain", "text"),
}
_ATTRIBUTE = {
    1: Field("name", "text"),
    2: Field("f", "float"),
    3: Field("i", "int"),
    4: Field("s", "text"),
    8: Field("ints", "int", True),
    13: Field("doc_string", "text"),
    20: Field("type", "int"),
}
_ATTRIBUTE_TYPES = {1: "f", 2: "i", 3: "s", 7: "ints"}
_TENSOR = {
    1: Field("dims", "int", True),
    2: Field("data_type", "int"),
    8: Field("name", "text"),
    9: Field("raw_data", "bytes"),
    12: Field("doc_string", "text"),
}
_VALUE_INFO = {1: Field("name", "text"), 2: Field("type", "bytes"), 3: Field("doc_string", "text")}
_TYPE = {1: Field("tensor_type", "bytes")}
_TENSOR_TYPE = {1: Field("elem_type", "int"), 2: Field("shape", "bytes")}
_SHAPE = {1: Field("dim", "bytes", True)}
_DIMENSION = {1: Field("dim_value", "int"), 2: Field("dim_param", "text")}


class Value(NamedTuple):
    """What is known of a value in the graph."""

    shape: Shape
    constant: bool = False


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


def check(content: bytes) -> int:
    """Check the content of an ONNX file, and return the width of its crops in pixels.

    Raises:
        ValueError: the file is not a network from (N, 1, size, size) float32 to (N, classes) float32, or uses an
            operator that is not in `OPERATORS`.
    """
    model = parse(content, _MODEL)
    for opset in model["opset_import"]:
        found = parse(opset, _OPSET)
        if found.get("domain", "") not in ("", "ai.onnx") or found.get("version") not in _OPSETS:
            raise ValueError(f"it needs the operators {printable(found)}; expected versions are 9 to 25 of ONNX")
    if "graph" not in model or len(model["opset_import"]) != 1:
        raise ValueError("it has no graph, or more or less than one version of operators")
    graph = parse(model["graph"], _GRAPH)
    values = _initializers(graph["initializer"])
    inputs = [_value_info(one) for one in graph["input"]]
    (crops,) = [one for one in inputs if one[0] not in values] or [("", None)]
    shape = crops[1]
    if not shape or len(shape) != 4 or shape[1] != 1 or shape[2] != shape[3] or not shape[2]:
        raise ValueError(f"its input has the shape {printable(shape)}, expected (N, 1, size, size)")
    values[crops[0]] = Value((CROPS, *(int(one or 0) for one in shape[1:])))
    _follow(graph["node"], values)
    for info in graph["value_info"]:
        name, declared = _value_info(info)
        if name not in values or not _agree(values[name].shape, declared):
            raise ValueError(f"it declares another shape for '{printable(name)}' than it computes")
    (output,) = [_value_info(one) for one in graph["output"]] or [("", None)]
    logits = values[output[0]].shape if output[0] in values else ()
    if len(logits) != 2 or logits[0] != CROPS or not _agree(logits, output[1]):
        raise ValueError(f"its output has the shape {printable(logits)}, expected (N, classes)")
    return int(shape[2])


def _initializers(tensors: Sequence[memoryview]) -> dict[str, Value]:
    if len(tensors) > _MAX_NODES:
        raise ValueError(f"it has {len(tensors)} constants; the limit is {_MAX_NODES}")
    values: dict[str, Value] = {}
    for content in tensors:
        tensor = parse(content, _TENSOR)
        name, shape = tensor.get("name", ""), tuple(tensor["dims"])
        item_bytes = _ITEM_BYTES.get(tensor.get("data_type", 0))
        if not item_bytes:
            raise ValueError(f"the constant '{printable(name)}' is neither float32 nor int64")
        if not all(0 < one < 1 << 31 for one in shape) or len(shape) > 4:
            raise ValueError(f"the constant '{printable(name)}' has the shape {printable(shape)}")
        if len(tensor.get("raw_data", b"")) != item_bytes * math.prod(shape):
            raise ValueError(f"the constant '{printable(name)}' of shape {shape} has another number of bytes")
        _add(values, name, Value(shape, constant=True))
    return values


def _value_info(content: memoryview) -> tuple[str, tuple[int | None, ...] | None]:
    """Return the name and the shape of a declared value; None for what is not declared."""
    info = parse(content, _VALUE_INFO)
    tensor = parse(parse(info.get("type", b""), _TYPE).get("tensor_type", b""), _TENSOR_TYPE)
    if tensor.get("elem_type") not in _ITEM_BYTES:
        raise ValueError(f"'{printable(info.get('name'))}' is neither float32 nor int64")
    if "shape" not in tensor:
        return info.get("name", ""), None
    dimensions = [parse(one, _DIMENSION) for one in parse(tensor["shape"], _SHAPE)["dim"]]
    return info.get("name", ""), tuple(one.get("dim_value") for one in dimensions)


def _agree(shape: Shape, declared: tuple[int | None, ...] | None) -> bool:
    """Return whether a shape is as declared; the number of crops is not compared, because a file may fix it to one."""
    if declared is None:
        return True
    pairs = list(zip(shape, declared, strict=False))
    return len(shape) == len(declared) and all(one in (None, size) for size, one in pairs[1:])


def _add(values: dict[str, Value], name: str, value: Value) -> None:
    if not name or len(name) > 500 or not name.isprintable() or name in values:
        raise ValueError(f"it has a value with an empty, unprintable or repeated name: '{printable(name)}'")
    values[name] = value


def _follow(nodes: Sequence[memoryview], values: dict[str, Value]) -> None:
    """Add the outputs of all nodes to `values`."""
    if len(nodes) > _MAX_NODES:
        raise ValueError(f"it has {len(nodes)} operators; the limit is {_MAX_NODES}")
    multiplications = 0
    for content in nodes:
        node = parse(content, _NODE)
        kind = node.get("op_type", "")
        if kind not in OPERATORS or node.get("domain", "") not in ("", "ai.onnx"):
            raise ValueError(f"it uses the operator {printable(kind)}; allowed are {', '.join(sorted(OPERATORS))}")
        unknown = [name for name in node["input"] if name not in values]
        if unknown or len(node["output"]) != 1:
            raise ValueError(f"the inputs or outputs of an operator {kind} do not exist: {printable(unknown)}")
        attributes = dict(_attribute(one) for one in node["attribute"])
        inputs = [values[name] for name in node["input"]]
        try:
            shape = OPERATORS[kind](Node(attributes, inputs))
        except (LookupError, TypeError, ValueError) as error:
            raise ValueError(f"an operator {kind} cannot be computed: {printable(error, 200)}") from error
        constant = kind == "Identity" and inputs[0].constant
        if not constant and math.prod(shape) > _MAX_ELEMENTS:
            raise ValueError(f"an operator {kind} has an output of shape {printable(shape)}, which is too large")
        if kind in ("Conv", "Gemm"):
            multiplications += math.prod(shape) // CROPS * math.prod(inputs[1].shape[1:])
        _add(values, node["output"][0], Value(shape, constant))
    if multiplications > _MAX_MULTIPLICATIONS:
        raise ValueError(f"it takes {multiplications:.0e} multiplications for a crop; expected fewer than 5e10")


def _attribute(content: memoryview) -> tuple[str, Any]:
    attribute = parse(content, _ATTRIBUTE)
    kind = _ATTRIBUTE_TYPES.get(attribute.get("type", 0))
    present = {name for name in _ATTRIBUTE_TYPES.values() if attribute.get(name, []) != []}
    if kind is None or present - {kind}:
        raise ValueError(f"the attribute {printable(attribute.get('name'))} is neither a number, numbers nor text")
    value = attribute.get(kind, 0)
    if isinstance(value, float) and not abs(value) < 1e9:
        raise ValueError(f"the attribute {printable(attribute.get('name'))} is {value}")
    return attribute.get("name", ""), value


# --- the shapes of the outputs of operators ---


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


OPERATORS: dict[str, Callable[[Node], Shape]] = {
    **dict.fromkeys(("Elu", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Relu", "Sigmoid", "Tanh"), _same),
    **dict.fromkeys(("Add", "Mul", "Sub"), _elementwise),
    **dict.fromkeys(("MaxPool", "AveragePool"), _pool),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), _global_pool),
    "BatchNormalization": _batch_norm,
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _conv,
    "Flatten": _flatten,
    "Gemm": _gemm,
}
"""Shape of an operator's output from its attributes and inputs; raises ValueError if it cannot be computed."""
