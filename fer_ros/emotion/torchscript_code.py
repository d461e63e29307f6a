# SPDX-License-Identifier: Apache-2.0
"""Check the code in a TorchScript archive: only what a traced network needs passes.

TorchScript is a language with loops, and with operators that read and write files. A traced network is a list of calls
of operators on tensors. Its text is a part of Python's grammar, so Python's parser reads it.

Another package whose network needs a further operator adds it: `OPERATORS.add("my_operator")`.
"""

from __future__ import annotations

import ast
import re

from fer_ros.text import printable

OPERATORS = {
    # convolution, dense layers, normalization
    *("_convolution", "conv1d", "conv2d", "linear", "addmm", "matmul", "bmm", "t"),
    *("batch_norm", "instance_norm", "layer_norm", "group_norm", "dropout", "dropout_", "feature_dropout"),
    # activation
    *("relu", "relu_", "relu6", "relu6_", "leaky_relu", "leaky_relu_", "elu", "elu_", "selu", "selu_", "prelu", "gelu"),
    *("silu", "silu_", "mish", "mish_", "hardtanh", "hardtanh_", "hardsigmoid", "hardsigmoid_", "hardswish"),
    *("hardswish_", "sigmoid", "sigmoid_", "tanh", "tanh_", "softplus", "softmax", "log_softmax"),
    # pooling
    *("max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d"),
    # arithmetic
    *("add", "add_", "sub", "sub_", "mul", "mul_", "div", "div_", "neg", "abs", "sqrt", "rsqrt", "exp", "log", "pow"),
    *("clamp", "clamp_", "clamp_min", "mean", "sum", "amax", "var", "std"),
    # shape
    *("flatten", "reshape", "view", "permute", "transpose", "squeeze", "unsqueeze", "cat", "stack", "chunk", "split"),
    *("slice", "select", "flip", "size", "contiguous", "detach", "to"),
}
"""Functions of torch that a model may call: each computes tensors from tensors, without access to anything else."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
_METHOD = re.compile(r"forward\d{0,6}")
_RESERVED = {"torch", "ops", "CONSTANTS", "__torch__", "annotate", "getattr", "int", "float", "bool"}
_NAMESPACES = {"ops.prim": {"NumToTensor"}}
_CONVERSIONS = {"int", "float", "bool"}
_FIELDS = {"__parameters__", "__buffers__", "__annotations__"}
_MAX_LINE = 4000
_MAX_BRACKETS = 60
"""Nested ones in a line; a deeper tree can exhaust the stack of a parser."""
_MANGLED = re.compile(r"___torch_mangle_\d+\.")
"""Distinguishes classes with equal code."""
_TEXT = re.compile(r"[\n -~]*")
_FORBIDDEN = re.compile(r"#|\\|\"\"\"|'|;")
"""torch writes none of them, and parsers may disagree on them."""

_checked: set[str] = set()
"""Code that has passed, because most classes of a network have equal code."""
_MAX_CHECKED = 1000


def check(name: str, content: bytes) -> None:
    """Check one file of code.

    Args:
        name: of the file in the archive, for errors.
        content: of the file.

    Raises:
        ValueError: it has anything but classes whose methods `forward` call operators of `OPERATORS` and each other.
    """
    try:
        text = _MANGLED.sub("", content.decode("ascii"))
        if text in _checked:
            return
        _check_text(text)
        for statement in ast.parse(text).body:
            _check_top(statement)
    except _Refused as error:
        raise ValueError(f"its code {name} {error}; a model may only call operators on tensors") from error
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"its code {name} is not that of a network ({printable(error, 100)})") from error
    if len(_checked) < _MAX_CHECKED:
        _checked.add(text)


class _Refused(Exception):
    """The code has something that a network does not need; the message says what."""


def _refuse(node: ast.AST, what: str = "") -> _Refused:
    line = getattr(node, "lineno", 0)
    return _Refused(f"has {what or printable(ast.unparse(node))} in line {line}")


def _check_text(text: str) -> None:
    if not _TEXT.fullmatch(text):
        raise _Refused("has a control character")
    if found := _FORBIDDEN.search(text):
        raise _Refused(f"has the character {found[0][0]}")
    for line in text.split("\n"):
        depth = deepest = 0
        for character in line if len(line) <= _MAX_LINE else "":
            depth += (character in "([{") - (character in ")]}")
            deepest = max(deepest, depth)
        if len(line) > _MAX_LINE or deepest > _MAX_BRACKETS:
            raise _Refused("has an expression that is too long")


def _check_top(statement: ast.stmt) -> None:
    if isinstance(statement, ast.Assign):  # by torch before 1.4
        (target,) = statement.targets
        if isinstance(target, ast.Name) and target.id == "op_version_set":
            return
    is_module = (
        isinstance(statement, ast.ClassDef)
        and [ast.unparse(base) for base in statement.bases] == ["Module"]
        and not statement.keywords
        and not statement.decorator_list
    )
    if not is_module:
        raise _refuse(statement)
    assert isinstance(statement, ast.ClassDef)
    for member in statement.body:
        _check_member(member)


def _check_member(member: ast.stmt) -> None:
    if isinstance(member, ast.FunctionDef):
        _check_method(member)
    elif isinstance(member, ast.AnnAssign):
        if not isinstance(member.target, ast.Name) or (member.value and not _is_literal(member.value)):
            raise _refuse(member)
        _check_type(member.annotation)
    elif isinstance(member, ast.Assign) and len(member.targets) == 1:
        target = ast.unparse(member.targets[0])
        if target in _FIELDS and _is_literal(member.value):
            return
        if not re.fullmatch(r"__annotations__\['\w+'\]", target):
            raise _refuse(member)
        _check_type(member.value)
    elif not isinstance(member, ast.Pass):
        raise _refuse(member)


def _check_method(method: ast.FunctionDef) -> None:
    arguments = method.args
    others = (arguments.vararg, arguments.kwarg, *arguments.kwonlyargs, *arguments.posonlyargs, *arguments.defaults)
    if not _METHOD.fullmatch(method.name):
        raise _refuse(method, f"the method {printable(method.name)}")
    if any(others) or method.decorator_list:
        raise _refuse(method, "arguments that are not tensors")
    for argument in arguments.args:
        _check_target(ast.Name(argument.arg, lineno=method.lineno))
    for statement in method.body:
        _check_statement(statement)


def _check_statement(statement: ast.stmt) -> None:
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            _check_target(target)
    elif not isinstance(statement, (ast.Return, ast.Expr)):
        raise _refuse(statement, f"a statement '{type(statement).__name__.lower()}'")
    if statement.value:
        _check_expression(statement.value)


def _check_target(target: ast.expr) -> None:
    for one in target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]:
        if not isinstance(one, ast.Name) or not _NAME.fullmatch(one.id) or one.id in _RESERVED:
            raise _refuse(target)


def _check_type(annotation: ast.expr) -> None:
    for node in ast.walk(annotation):
        if isinstance(node, ast.Name) and node.id.startswith("__") and node.id != "__torch__":
            raise _refuse(annotation)
        if not isinstance(node, (ast.Name, ast.Attribute, ast.Subscript, ast.Tuple, ast.List, ast.Load)):
            raise _refuse(annotation)


def _is_literal(value: ast.expr) -> bool:
    kinds = (ast.Constant, ast.Tuple, ast.List, ast.UnaryOp, ast.USub, ast.Load)
    return all(isinstance(node, kinds) for node in ast.walk(value))


def _check_expression(expression: ast.expr) -> None:
    if isinstance(expression, ast.Call):
        _check_call(expression)
    elif isinstance(expression, (ast.Tuple, ast.List)):
        for one in expression.elts:
            _check_expression(one)
    elif isinstance(expression, ast.Attribute):
        if expression.attr.startswith("__"):
            raise _refuse(expression)
        if ast.unparse(expression.value) != "CONSTANTS":
            _check_expression(expression.value)
    elif isinstance(expression, ast.UnaryOp) and isinstance(expression.op, ast.USub):
        _check_expression(expression.operand)
    elif isinstance(expression, ast.Name):
        if expression.id in _RESERVED:
            raise _refuse(expression)
    elif not isinstance(expression, ast.Constant) or isinstance(expression.value, (str, bytes)):
        raise _refuse(expression)


def _check_call(call: ast.Call) -> None:
    arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
    function = call.func
    if isinstance(function, ast.Name) and function.id == "getattr":
        name = arguments.pop() if len(arguments) == 2 else None
        if not isinstance(name, ast.Constant) or not re.fullmatch(r"\w+", str(name.value)):
            raise _refuse(call)
        if str(name.value).startswith("__"):
            raise _refuse(call)
    elif isinstance(function, ast.Name) and function.id == "annotate":
        _check_type(arguments.pop(0))
    elif isinstance(function, ast.Attribute):
        owner = ast.unparse(function.value)
        if owner == "torch" or owner in _NAMESPACES:
            if function.attr not in _NAMESPACES.get(owner, OPERATORS):
                raise _refuse(call, f"a call of {owner}.{printable(function.attr)}")
        elif _METHOD.fullmatch(function.attr):
            _check_expression(function.value)
        else:
            raise _refuse(call, f"a call of {printable(function.attr)}")
    elif not isinstance(function, ast.Name) or function.id not in _CONVERSIONS:
        raise _refuse(call)
    for argument in arguments:
        _check_expression(argument)
