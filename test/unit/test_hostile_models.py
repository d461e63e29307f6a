# SPDX-License-Identifier: Apache-2.0
"""Model files from an attacker are refused in one line before torch, OpenCV or ONNX Runtime sees them."""

import io
import os
import pickle
import random
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hostile_models import METADATA, Branch, Huge, Loop, Reader, State, Toy, Writer, edited, members, node, onnx, pack

from fer_ros import resources
from fer_ros.datasets import npz
from fer_ros.datasets.registry import DataError
from fer_ros.emotion import model_file, onnx_graph, onnx_metadata, protobuf, torchscript_code, torchscript_data
from fer_ros.emotion.model_file import ModelFileError
from fer_ros.training import checkpoint

MODELS = sorted(resources.folders("models")[0].glob("mini_xception.*[tx]"))


@pytest.fixture(scope="module")
def toy():
    return members(Toy())


@pytest.fixture(autouse=True)
def no_library_sees_the_file(monkeypatch):
    """Fail if a file reaches a library that runs networks."""
    import cv2
    import torch

    monkeypatch.setattr(torch.jit, "load", None)
    monkeypatch.setattr(cv2.dnn, "readNetFromONNX", None)


def refusal(path, content: bytes) -> str:
    """Return the message with which a file is refused; checks that it is one short line."""
    path.write_bytes(content)
    with pytest.raises(ModelFileError) as raised:
        model_file.read(path)
    message = str(raised.value)
    assert message.startswith(f"{path} ")
    assert message.isprintable()
    assert len(message) < 1000
    return message


def test_toy_is_a_model(tmp_path, toy):
    (tmp_path / "m.pt").write_bytes(pack(toy))
    assert model_file.read(tmp_path / "m.pt").metadata.network == "toy"
    pytest.importorskip("onnx", reason="makes the files")
    (tmp_path / "m.onnx").write_bytes(onnx())
    assert model_file.read(tmp_path / "m.onnx").metadata.network == "toy"


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (Loop, "has a call of torch.gt"),
        (Branch, "has a statement 'if'"),
        (Reader, "has a call of torch.from_file"),
        (Writer, "has a call of .*save"),
        (State, "has the method __"),
        (Huge, "has .*zeros"),
    ],
    ids=lambda one: getattr(one, "__name__", None),
)
def test_program_in_a_torchscript_file_is_refused(tmp_path, network, reason):
    message = refusal(tmp_path / "m.pt", pack(members(network(), script=True)))
    assert "its code code/__torch__/" in message
    assert "a model may only call operators on tensors" in message
    assert re.search(reason, message)


@pytest.mark.parametrize(
    "line",
    [
        'return ops.aten.save(crops, "/tmp/x")',
        "return torch.load(crops)",
        "return (torch).load(crops)",
        "return self.head.weight.numpy()",
        'return getattr(self, "__setstate__")',
        "return (self.__class__).forward(crops)",
        "for i in range(9): crops = crops",
        "while True: pass",
        "return [crops for _ in crops]",
        "return (lambda x: x)(crops)",
        "torch = self",
        "return torch.add(crops, torch.rand([2]))",
        "import os",
        "raise crops",
        "assert crops",
        'return "text"',
        "return b'\\x00'",
        'return f"{crops}"',
        "return __torch__.other.Thing(crops)",
        "return " + 200 * "(" + "crops" + 200 * ")",
        "return " + 5000 * "-" + "1",
        "return crops # comment",
        "return crop\u0455",
        "return crops\r",
        "def forward2(self): pass",
        "return (yield crops)",
        "return crops[0]",
        "x, *y = crops",
        "self.head = crops",
        "return await_(crops)",
        "@torch.add",
        ")",
        "return ops.prim.Print(crops)",
    ],
)
def test_code_that_a_traced_network_does_not_have_is_refused(line):
    code = f"class Toy(Module):\n  def forward(self, crops: Tensor) -> Tensor:\n    {line}\n"
    with pytest.raises(ValueError, match=r"its code code/x\.py"):
        torchscript_code.check("code/x.py", code.encode())


@pytest.mark.parametrize(
    "text",
    [
        "class Toy(Module, object):\n  pass",
        "class Toy(object):\n  pass",
        "class Toy(Module):\n  def __setstate__(self, state):\n    return state",
        "class Toy(Module):\n  def forward(self, *crops):\n    return crops",
        "class Toy(Module):\n  def forward(self, torch: Tensor):\n    return torch",
        "class Toy(Module):\n  def forward(self, x: Tensor=print):\n    return x",
        "class Toy(Module):\n  x = torch.load",
        "class Toy(Module):\n  x : torch.load(1)",
        "def forward(x):\n  return x",
        "x = 1",
        "",
    ],
)
def test_classes_have_only_forward_methods(text):
    with pytest.raises(ValueError, match=r"its code"):
        torchscript_code.check("code/x.py", (text or "\0").encode())


def test_code_of_old_versions_of_torch_is_allowed():
    code = """op_version_set = 1
class Sequential(Module):
  __parameters__ = ["weight", ]
  __annotations__ = []
  __annotations__["0"] = __torch__.torch.nn.modules.conv.___torch_mangle_3.Conv2d
  weight : Tensor
  padding : Final[int] = -1
  def forward(self: __torch__.torch.nn.modules.container.Sequential,
    crops: Tensor) -> Tensor:
    _0 = torch.max_pool2d(crops, [2, 2], annotate(List[int], []), [0, 0], [1, 1], False)
    _1 = ops.prim.NumToTensor(torch.size(_0, 0))
    _2 = torch.view(_0, [int(_1), -1])
    return (getattr(self, "0")).forward(torch.add(_2, CONSTANTS.c0, alpha=1), )
"""
    torchscript_code.check("code/x.py", code.encode())


def test_operator_of_another_package_can_be_allowed(monkeypatch):
    code = b"class Toy(Module):\n  def forward(self, x: Tensor):\n    return torch.my_operator(x)\n"
    with pytest.raises(ValueError, match=r"code/x\.py has a call of torch\.my_operator in line 3"):
        torchscript_code.check("code/x.py", code)
    monkeypatch.setattr(torchscript_code, "OPERATORS", torchscript_code.OPERATORS | {"my_operator"})
    torchscript_code.check("code/x.py", code)


class Exploit:
    """Runs a command when Python's unpickler reads it."""

    def __reduce__(self):
        return os.mkdir, ("owned",)


def test_nothing_is_unpickled(tmp_path, toy, monkeypatch):
    import torch

    monkeypatch.chdir(tmp_path)
    saved = io.BytesIO()
    torch.save({"records": Exploit()}, saved)
    arrays = io.BytesIO()
    np.savez(arrays, pixels=np.array([Exploit()], object), label=np.zeros(1), usage=np.zeros(1))
    for read, error, content in (
        (model_file.read, ModelFileError, edited(toy, "data.pkl", lambda _: pickle.dumps(Exploit(), 2))),
        (model_file.read, ModelFileError, edited(toy, "constants.pkl", lambda _: pickle.dumps(Exploit(), 2))),
        (model_file.read, ModelFileError, pickle.dumps(Exploit())),
        (model_file.read, ModelFileError, saved.getvalue()),
        (checkpoint.read, checkpoint.CheckpointError, saved.getvalue()),
        (checkpoint.read, checkpoint.CheckpointError, pickle.dumps(Exploit(), 2)),
        (lambda path: npz.read(path, 48), DataError, arrays.getvalue()),
    ):
        (tmp_path / "file").write_bytes(content)
        with pytest.raises(error):
            read(tmp_path / "file")
    assert not (tmp_path / "owned").exists()
    pickle.loads(pickle.dumps(Exploit()))
    assert (tmp_path / "owned").exists(), "the exploit works"


def test_source_has_no_unpickler():
    loads = re.compile(
        r"^\s*(import|from) (c?pickle|dill|joblib|shelve|marshal)\b|allow_pickle=True|yaml\.load\(", re.MULTILINE
    )
    package = Path(model_file.__file__).parents[1]
    for path in package.rglob("*.py"):
        if path.name == "mtcnn_networks.py":  # reads the weights in the pip package mtcnn, which is code as well
            continue
        text = path.read_text()
        assert not loads.search(text), path
        assert text.count("torch.load(") == text.count("weights_only=True"), path


def looped() -> bytes:
    """Return the description of a module that contains itself."""
    return b"\x80\x02c__torch__\nToy\n)\x81q\x00}(X\x01\x00\x00\x00ah\x00ub."


def test_description_of_objects_is_followed(tmp_path, toy):
    size = toy["data.pkl"].index(b"(K\x07K@t")
    for change, reason in {
        lambda data: pickle.dumps(Exploit(), 2): "a call of posix mkdir",
        lambda data: pickle.dumps(Exploit(), 4): "the operation",
        lambda data: looped(): "nested too deeply, or within themselves",
        lambda data: data[: len(data) // 2]: "is not that of a network",
        lambda data: data[:size] + b"(K\xffK@t" + data[size + 6 :]: "a tensor of size (255, 64) in 448 values",
        lambda data: data.replace(b"FloatStorage", b"EvilsStorage"): "torch EvilsStorage",
        lambda data: b"": "is not that of a network",
        lambda data: data.replace(b"q\x01", b"r\x01\0\0\x10", 1): "the object number 268435457 after 1 others",
        lambda data: b"\x80\x02" + 2000 * b"]" + b".": "is not that of a network",
    }.items():
        assert reason in refusal(tmp_path / "m.pt", edited(toy, "data.pkl", change))


def test_strides_and_offsets_lie_within_the_values():
    storage = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\1\0\0\x000X\3\0\0\0cpuK\x04tQ"
    start = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(" + storage
    end = b"\x89ccollections\nOrderedDict\n)RtR."
    torchscript_data.check("data.pkl", start + b"K\0K\2K\2\x86K\2K\1\x86" + end, {"0": 16})
    for numbers in (
        b"K\1K\2K\2\x86K\2K\1\x86",
        b"K\0K\2K\2\x86K\3K\1\x86",
        b"K\0K\2K\2\x86J\xff\xff\xff\xffK\1\x86",
        b"K\0K\2K\2\x86K\2\x85",
        b"K\x05K\0\x85K\1\x85",
        b"K\0J\0\0\0\x40\x85K\0\x85",
    ):
        with pytest.raises(ValueError, match="a tensor"):
            torchscript_data.check("data.pkl", start + numbers + end, {"0": 16})
    with pytest.raises(ValueError, match="4 values in the 12 bytes"):
        torchscript_data.check("data.pkl", start + b"K\0K\2K\2\x86K\2K\1\x86" + end, {"0": 12})


def test_archive_that_torch_does_not_write_is_refused(tmp_path, toy):
    path = tmp_path / "m.pt"
    assert "has 67108864 bytes; the limit is 1048576" in refusal(path, pack(toy, metadata=bytes(1 << 26)))
    assert "is compressed as torch does not write it" in refusal(path, pack(toy, zipfile.ZIP_DEFLATED))
    assert "is compressed" in refusal(path, pack(toy, zipfile.ZIP_LZMA))
    assert "more than 4194304 bytes" in refusal(path, pack({**toy, "code/x.py": bytes(5 << 20)}))
    assert "has no member 'data.pkl'" in refusal(path, pack({"code/x.py": b""}))
    doubled = pack({**toy, "code/x.py": b"", "code/y.py": b""}).replace(b"code/y.py", b"code/x.py")
    assert "has two members 'code/x.py'" in refusal(path, doubled)
    encrypted = bytearray(pack(toy))
    for at in (encrypted.index(b"PK\1\2") + 8, 6):
        encrypted[at] |= 1
    assert "encrypted" in refusal(path, bytes(encrypted))
    assert "more than 20000 members" in refusal(path, pack(toy) + 30_000 * b"PK\1\2")


def initializer(array, name="w", **fields):
    from onnx import numpy_helper

    tensor = numpy_helper.from_array(np.asarray(array, np.float32), name)
    for key, value in fields.items():
        if key == "external":
            tensor.ClearField("raw_data")
            tensor.data_location = 1
            entry = tensor.external_data.add()
            entry.key, entry.value = "location", value
        else:
            setattr(tensor, key, value)
    return tensor


def integers(shape, name):
    from onnx import numpy_helper

    return numpy_helper.from_array(np.zeros(shape, np.int8), name)


def quantized(scale=(), zero=(), **attributes):
    """Return the parts of a network whose weights are quantized."""
    weights = node("DequantizeLinear", "q s z", "w", **attributes)
    return {
        "nodes": [weights, node("Flatten", "crops", "flat", axis=1), node("Gemm", "flat w", "logits", transB=1)],
        "initializers": [integers((7, 64), "q"), initializer(np.ones(scale), "s"), integers(zero, "z")],
    }


def convolution(**attributes):
    """Return the parts of a network with one convolution."""
    head = [node("Flatten", "map", "flat", axis=1), node("Gemm", "flat w", "logits", transB=1)]
    return {
        "nodes": [node("Conv", "crops k", "map", **attributes), *head],
        "initializers": [initializer(np.zeros((1, 1, 3, 3)), "k"), initializer(np.zeros((7, 36)))],
    }


def hostile_graphs():
    """Return the parts of an ONNX file, and why it is refused."""
    gemm = node("Gemm", "flat w", "logits", transB=1)
    flatten = node("Flatten", "crops", "flat", axis=1)
    return [
        ({"nodes": [node("Loop", "crops", "logits")]}, "uses the operator Loop"),
        ({"nodes": [node("Relu", "crops", "logits", domain="evil")]}, "uses the operator Relu"),
        ({"domain": "evil"}, "it needs the operators"),
        ({"initializers": [initializer(np.zeros((7, 64)), external="/etc/passwd")]}, "field 13 that is not expected"),
        ({"initializers": [initializer(np.zeros((7, 64)), raw_data=b"1234")]}, "has another number of bytes"),
        ({"initializers": [initializer(np.zeros((7, 63)))]}, "do not match the weights"),
        ({"initializers": [initializer(np.zeros((7, 64)), data_type=11)]}, "neither float32 nor int64"),
        ({"initializers": [initializer(np.zeros((0, 64)))]}, "has the shape (0, 64)"),
        ({"initializers": 2 * [initializer(np.zeros((7, 64)))]}, "repeated name"),
        ({"initializers": []}, "do not exist: ['w']"),
        ({"nodes": [gemm, flatten]}, "do not exist: ['flat']"),
        ({"nodes": [flatten]}, "its output has the shape ()"),
        ({"nodes": [flatten, gemm, node("Relu", "logits", "logits")]}, "repeated name"),
        ({"nodes": [flatten, node("Gemm", "flat w", "logits", transB=2)]}, "transB is 2"),
        ({"nodes": [flatten, node("Gemm", "flat w", "logits", alpha=1e30)]}, "the attribute alpha is"),
        ({"nodes": [flatten, node("Gemm", "w flat", "logits")]}, "expected constant weights"),
        ({"nodes": [node("MaxPool", "crops", "logits", kernel_shape=[9, 9])]}, "larger than its input"),
        ({"nodes": [node("MaxPool", "crops", "logits")]}, "kernel_shape is missing"),
        ({"nodes": [node("AveragePool", "crops", "logits", kernel_shape=[2, 2], strides=[0, 1])]}, "strides is [0, 1]"),
        ({"nodes": [node("Concat", "crops crops", "logits", axis=0)]}, "axis is 0"),
        ({"nodes": [node("BatchNormalization", "crops w w w w", "logits")]}, "the statistics do not match"),
        ({"nodes": [node("Add", "crops w", "logits")]}, "the shapes do not match"),
        ({"nodes": [node("Identity", "crops", "a b")]}, "inputs or outputs of an operator Identity do not exist"),
        ({"initializers": [integers((7, 64), "w")]}, "an operator Gemm takes quantized values"),
        (quantized(scale=(7,), zero=(7,), axis=1), "the scale does not match"),
        (quantized(scale=(7,), axis=0), "the zero point does not match"),
        (quantized(block_size=2), "the attribute block_size is not known"),
        ({"nodes": [flatten, node("DequantizeLinear", "flat w w", "logits")]}, "the values are not quantized"),
        ({"size": 9}, "takes crops of 9 pixels, its metadata says 8"),
        (convolution(group=0), "group is 0"),
        (convolution(group=2), "the channels do not match the weights in 2 groups"),
        (convolution(strides=[0, 0]), "strides is [0, 0]"),
        (convolution(strides=[1]), "strides is [1]"),
        (convolution(dilations=[99, 1]), "a window of 199x3 is larger than its input"),
        (convolution(pads=[1 << 40, 0, 0, 0]), "pads is [1099511627776, 0, 0, 0]"),
        (convolution(pads=[-1, 0, 0, 0]), "pads is [-1, 0, 0, 0]"),
        (convolution(kernel_shape=[5, 5]), "kernel_shape differs from the weights"),
        (convolution(auto_pad="SAME_UPPER"), "the attribute auto_pad is not known"),
    ]


def test_onnx_graph_that_contradicts_itself_is_refused(tmp_path):
    pytest.importorskip("onnx", reason="makes the files")
    (tmp_path / "fine.onnx").write_bytes(onnx(**convolution()))
    model_file.read(tmp_path / "fine.onnx")
    (tmp_path / "int8.onnx").write_bytes(onnx(**quantized(scale=(7,), zero=(7,), axis=0)))
    model_file.read(tmp_path / "int8.onnx")
    for parts, reason in hostile_graphs():
        message = refusal(tmp_path / "m.onnx", onnx(**parts))
        assert reason in message, (reason, message)


def test_protobuf_that_two_readers_see_differently_is_refused(tmp_path):
    pytest.importorskip("onnx", reason="makes the files")
    graph = next(bytes(value) for number, _, value in protobuf.fields(onnx()) if number == 7)
    for more, reason in {
        protobuf.encode(7, graph): "the field graph twice",
        protobuf.encode(20, b""): "a field 20 that is not expected",
        protobuf.encode(25, b""): "a field 25 that is not expected",
        b"\x3a\xff\xff\xff\x7f": "truncated",
        200_000 * b"\x08\x01": "more than 100000 fields",
    }.items():
        assert reason in refusal(tmp_path / "m.onnx", onnx() + more)
    twice = onnx_metadata.add(onnx(), "fer_ros.json", METADATA)
    assert "two metadata entries of one name" in refusal(tmp_path / "m.onnx", twice)


def test_operator_of_onnx_can_be_allowed(tmp_path, monkeypatch):
    pytest.importorskip("onnx", reason="makes the files")
    parts = {"nodes": [node("Flatten", "crops", "flat"), node("MatMul", "flat w", "logits")]}
    content = onnx(**parts, initializers=[initializer(np.zeros((64, 7)))])
    assert "uses the operator MatMul; allowed are Add" in refusal(tmp_path / "m.onnx", content)
    monkeypatch.setitem(onnx_graph.OPERATORS, "MatMul", lambda operator: (onnx_graph.CROPS, 7))
    model_file.read(tmp_path / "m.onnx")


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.suffix)
def test_one_changed_byte_is_noticed(tmp_path, path):
    content, draw = path.read_bytes(), random.Random(1)
    for _ in range(60):
        damaged = bytearray(content)
        damaged[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        (tmp_path / path.name).write_bytes(damaged)
        try:
            file = model_file.read(tmp_path / path.name)
        except ModelFileError:
            continue
        # A bit of a zip file that nothing depends on, such as a date.
        assert file.network == model_file.read(path).network
    for size in draw.sample(range(len(content)), 20):
        refusal(tmp_path / path.name, content[:size])


@pytest.mark.parametrize("suffix", [".pt", ".onnx"])
def test_only_regular_files_are_read(tmp_path, suffix):
    path = tmp_path / f"m{suffix}"
    for create, reason in {
        lambda: os.mkfifo(path): "not a regular file",
        lambda: path.symlink_to("/dev/zero"): "not a regular file",
        lambda: path.symlink_to("/dev/full"): "not a regular file",
        path.mkdir: "not a regular file",
        lambda: path.symlink_to("/proc/self/mem"): "bytes|file|Input",
        lambda: path.symlink_to("/proc/self/environ"): "file|member|zip",
        lambda: path.symlink_to(path): "symbolic links",
    }.items():
        create()
        with pytest.raises(ModelFileError, match=reason):
            model_file.read(path)
        path.rmdir() if path.is_dir() else path.unlink()


def test_large_file_is_not_read(tmp_path):
    path = tmp_path / "m.onnx"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ModelFileError, match="has 1099511627776 bytes; the limit is 536870912"):
        model_file.identify(path)
