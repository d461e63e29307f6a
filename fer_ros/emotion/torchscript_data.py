# SPDX-License-Identifier: Apache-2.0
"""Check the description of objects and tensors in a TorchScript archive.

torch reads it with an unpickler of its own, which takes the sizes and strides of a tensor as they are: with false ones
it reads and writes memory outside the tensor. Here the same description is followed step by step, without creating
anything, and each tensor must lie within its values. Python's unpickler is not used.
"""

from __future__ import annotations

import math
import pickletools
from collections.abc import Mapping
from typing import Any, NamedTuple

from fer_ros.text import printable

_ITEM_BYTES = {
    "torch FloatStorage": 4,
    "torch DoubleStorage": 8,
    "torch HalfStorage": 2,
    "torch BFloat16Storage": 2,
    "torch LongStorage": 8,
    "torch IntStorage": 4,
    "torch ShortStorage": 2,
    "torch CharStorage": 1,
    "torch ByteStorage": 1,
    "torch BoolStorage": 1,
}
_TENSOR = "torch._utils _rebuild_tensor_v2"
_FUNCTIONS = {"collections OrderedDict", *(f"torch.jit._pickle build_{kind}list" for kind in ("int", "double", "bool"))}
_OBJECTS = ("__torch__.", "__torch__ ")
_MAX_OBJECTS = 100_000
_MAX_DEPTH = 100
_MAX_ELEMENTS = 1 << 31


class _Global(NamedTuple):
    name: str


class _Storage(NamedTuple):
    elements: int


class _Tensor(NamedTuple):
    elements: int


class _Object:
    """An object of a class of the archive."""

    state: Any = None


_MARK = object()


def check(name: str, content: bytes, sizes: Mapping[str, int]) -> None:
    """Check one description.

    Args:
        name: of the file in the archive, for errors.
        content: of the file.
        sizes: number of bytes of each file of values, by its key.

    Raises:
        ValueError: it has anything but modules, tensors within their values, and numbers.
    """
    try:
        value = _Machine(sizes).run(content)
        _check_tree(value, [])
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"its {name} is not that of a network ({printable(error, 200)})") from error


def _check_tree(value: Any, path: list[int]) -> None:
    """Refuse objects that contain themselves, which torch would follow without end."""
    if id(value) in path or len(path) > _MAX_DEPTH:
        raise ValueError("objects are nested too deeply, or within themselves")
    inner: Any = ()
    if isinstance(value, _Object):
        inner = [value.state]
    elif isinstance(value, dict):
        inner = value.values()
    elif isinstance(value, (list, tuple)) and not isinstance(value, (_Global, _Storage, _Tensor)):
        inner = value
    for one in inner:
        _check_tree(one, [*path, id(value)])


class _Machine:
    """Follows the operations of a description; raises an exception that `check` catches for those it does not know."""

    def __init__(self, sizes: Mapping[str, int]):
        self._sizes = sizes
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._objects = 0

    def run(self, content: bytes) -> Any:
        """Return the value that is described, with inert stand-ins for objects and tensors."""
        for operation, argument, _ in pickletools.genops(content):
            self._objects += 1
            if self._objects > 10 * _MAX_OBJECTS:
                raise ValueError("more objects than a network has")
            if operation.name == "STOP":
                (value,) = self._stack
                return value
            self._step(operation.name, argument)
        raise ValueError("truncated")

    def _step(self, name: str, argument: Any) -> None:
        stack = self._stack
        if name in ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE"):
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in ("EMPTY_LIST", "EMPTY_DICT"):
            stack.append([] if name == "EMPTY_LIST" else {})
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "GLOBAL":
            stack.append(_Global(argument))
        elif name in ("BINPUT", "LONG_BINPUT"):
            # torch's reader has an array of all numbers up to this one.
            if argument != len(self._memo):
                raise ValueError(f"the object number {argument} after {len(self._memo)} others")
            self._memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self._memo[argument])
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            count = int(name[-1])
            stack[-count:] = [tuple(stack[-count:])]
        elif name != "PROTO":
            self._build(name)

    def _build(self, name: str) -> None:
        stack = self._stack
        if name == "TUPLE":
            stack.append(tuple(self._since_mark()))
        elif name == "APPENDS":
            values = self._since_mark()
            stack[-1].extend(values)
        elif name == "APPEND":
            value = stack.pop()
            stack[-1].append(value)
        elif name == "SETITEMS":
            values = self._since_mark()
            stack[-1].update(zip(values[::2], values[1::2], strict=True))
        elif name == "BINPERSID":
            stack.append(self._storage(stack.pop()))
        elif name == "NEWOBJ":
            _, kind = stack.pop(), stack.pop()
            if not isinstance(kind, _Global) or not kind.name.startswith(_OBJECTS):
                raise ValueError(f"an object of {printable(kind)}")
            stack.append(_Object())
        elif name == "BUILD":
            state = stack.pop()
            if not isinstance(stack[-1], _Object) or stack[-1].state is not None:
                raise ValueError("a state of something that is no module")
            stack[-1].state = state
        elif name == "REDUCE":
            arguments, function = stack.pop(), stack.pop()
            stack.append(self._call(function, arguments))
        else:
            raise ValueError(f"the operation {name}")

    def _since_mark(self) -> list[Any]:
        at = len(self._stack) - 1 - self._stack[::-1].index(_MARK)
        values = self._stack[at + 1 :]
        del self._stack[at:]
        return values

    def _storage(self, description: Any) -> _Storage:
        kind, storage, key, device, elements = description
        if kind != "storage" or device != "cpu" or not isinstance(elements, int):
            raise ValueError(f"values in {printable(description)}")
        if elements < 0 or elements * _ITEM_BYTES[storage.name] != self._sizes[key]:
            raise ValueError(f"{elements} values in the {self._sizes[key]} bytes of '{printable(key)}'")
        return _Storage(elements)

    def _call(self, function: Any, arguments: Any) -> Any:
        if function.name in _FUNCTIONS:
            return arguments
        if function.name != _TENSOR:
            raise ValueError(f"a call of {printable(function.name)}")
        storage, offset, size, stride, *_ = arguments
        if not isinstance(storage, _Storage):
            raise ValueError("a tensor without values")
        numbers = (offset, *size, *stride)
        if len(size) != len(stride) or not all(type(n) is int and 0 <= n < _MAX_ELEMENTS for n in numbers):
            raise ValueError(f"a tensor of size {printable(size)} with strides {printable(stride)}")
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if math.prod(size) > storage.elements or (all(size) and last >= storage.elements):
            raise ValueError(f"a tensor of size {printable(size)} in {storage.elements} values")
        if offset > storage.elements:
            raise ValueError("a tensor beyond its values")
        return _Tensor(storage.elements)


_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
