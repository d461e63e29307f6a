# SPDX-License-Identifier: Apache-2.0
"""Check the graph of an ONNX file of unknown origin: operators, attributes, and the shape of every value.

OpenCV and ONNX Runtime can end the process on a graph that contradicts itself, and read other files if a tensor names
one. So the shapes are followed from the crops to the logits here, before either sees the file. Shapes are those of two
crops, so that an operator that mixes them is noticed. See https://github.com/onnx/onnx/blob/main/docs/Operators.md.

Another package whose network needs a further operator adds it: `OPERATORS["MyOperator"] = shape_function`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fer_ros.emotion.onnx_operators import OPERATORS, QUANTIZATION, Node, Shape, Value
from fer_ros.emotion.protobuf import Field, parse
from fer_ros.text import printable

CROPS = 2
"""Number of crops that the shapes are followed for."""
_MAX_NODES = 5000
_MAX_ELEMENTS = CROPS << 24
"""Of one value between two operators, 64 MiB for each crop."""
_MAX_MULTIPLICATIONS = 50_000_000_000
"""For one crop; ResNet-50 needs 0.2e9 for 48x48 pixels and VGG-16 3e9 for 180x180."""
_OPSETS = range(9, 26)
_FLOAT, _UINT8, _INT8, _INT32, _INT64 = 1, 2, 3, 6, 7
_ITEM_BYTES = {_FLOAT: 4, _INT64: 8}
_QUANTIZED_BYTES = {_UINT8: 1, _INT8: 1, _INT32: 4}
"""Only the two operators of quantization may take these."""

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


def is_quantized(content: bytes) -> bool:
    """Return whether a checked ONNX file has operators of quantization."""
    nodes = parse(parse(content, _MODEL).get("graph", b""), _GRAPH)["node"]
    return any(parse(node, _NODE).get("op_type") in QUANTIZATION for node in nodes)


def _initializers(tensors: Sequence[memoryview]) -> dict[str, Value]:
    if len(tensors) > _MAX_NODES:
        raise ValueError(f"it has {len(tensors)} constants; the limit is {_MAX_NODES}")
    values: dict[str, Value] = {}
    for content in tensors:
        tensor = parse(content, _TENSOR)
        name, shape = tensor.get("name", ""), tuple(tensor["dims"])
        data_type = tensor.get("data_type", 0)
        item_bytes = (_ITEM_BYTES | _QUANTIZED_BYTES).get(data_type)
        if not item_bytes:
            raise ValueError(f"the constant '{printable(name)}' is neither float32 nor int64, int32, int8 or uint8")
        if not all(0 < one < 1 << 31 for one in shape) or len(shape) > 4:
            raise ValueError(f"the constant '{printable(name)}' has the shape {printable(shape)}")
        if len(tensor.get("raw_data", b"")) != item_bytes * math.prod(shape):
            raise ValueError(f"the constant '{printable(name)}' of shape {shape} has another number of bytes")
        _add(values, name, Value(shape, constant=True, quantized=data_type in _QUANTIZED_BYTES))
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
        if kind not in QUANTIZATION and any(value.quantized for value in inputs):
            raise ValueError(f"an operator {kind} takes quantized values")
        try:
            shape = OPERATORS[kind](Node(attributes, inputs))
        except (LookupError, TypeError, ValueError) as error:
            raise ValueError(f"an operator {kind} cannot be computed: {printable(error, 200)}") from error
        constant = kind in ("Identity", *QUANTIZATION) and inputs[0].constant
        if not constant and math.prod(shape) > _MAX_ELEMENTS:
            raise ValueError(f"an operator {kind} has an output of shape {printable(shape)}, which is too large")
        if kind in ("Conv", "Gemm"):
            multiplications += math.prod(shape) // CROPS * math.prod(inputs[1].shape[1:])
        _add(values, node["output"][0], Value(shape, constant, kind == "QuantizeLinear"))
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
