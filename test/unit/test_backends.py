"""The same model gives the same answers whichever library runs it, and needs no more than that library."""

import json
import subprocess
import sys
import threading
import time

import cv2
import numpy as np
import pytest
import torch

from fer_ros import resources
from fer_ros.emotion import model_file, onnx_metadata
from fer_ros.emotion.backends import registry, torchscript
from fer_ros.emotion.backends.opencv import OpenCvBackend
from fer_ros.emotion.classifier import Classifier
from fer_ros.emotion.labels import FER2013
from fer_ros.emotion.model_file import ModelFileError, ModelMetadata
from fer_ros.emotion.preprocessing import Preprocessing
from fer_ros.networks import create

LABELS = FER2013[::-1]
CROPS = np.random.default_rng(0).integers(0, 255, (21, 48, 48), np.uint8)


@pytest.fixture(scope="module", params=["mini_xception", "res_se"])
def models(request, tmp_path_factory):
    """The path of a model without its suffix; it is there as TorchScript and as ONNX."""
    pytest.importorskip("onnx", reason="writing ONNX files needs the package onnx")
    torch.manual_seed(0)
    network = create(request.param, len(LABELS))
    # Moves the statistics of batch norm off their start, where mistakes with them would not show.
    network.train()(torch.rand(8, 1, 48, 48))
    metadata = ModelMetadata(request.param, LABELS, Preprocessing(margin=0.1, standardize=True), temperature=1.7)
    path = tmp_path_factory.mktemp("models") / request.param
    for suffix in (".pt", ".onnx"):
        model_file.write(path.with_suffix(suffix), network, metadata)
    return path


@pytest.fixture(scope="module")
def torch_scores(models):
    return Classifier(models.with_suffix(".pt")).scores(CROPS)


def test_an_onnx_file_carries_the_same_metadata(models):
    assert model_file.read_metadata(models.with_suffix(".onnx")) == model_file.read_metadata(models.with_suffix(".pt"))


@pytest.mark.parametrize("backend", ["opencv", "onnx"])
def test_every_backend_gives_the_same_scores_for_any_number_of_faces(models, torch_scores, backend):
    if backend == "onnx":
        pytest.importorskip("onnxruntime", reason="the backend is a package of its own")
    classifier = Classifier(models.with_suffix(".onnx"), backend)
    assert classifier.labels == LABELS
    for faces in (0, 1, 2, 3, 21):
        scores = classifier.scores(CROPS[:faces])
        assert scores.shape == (faces, 7)
        assert np.allclose(scores, torch_scores[:faces], atol=1e-4)


@pytest.mark.parametrize("path", sorted(resources.folders("models")[0].glob("*.pt")), ids=lambda path: path.stem)
def test_a_shipped_model_says_the_same_in_both_of_its_files(path):
    with_torch, without = Classifier(path), Classifier(path.with_suffix(".onnx"))
    assert with_torch.metadata == without.metadata
    assert np.allclose(with_torch.scores(CROPS), without.scores(CROPS), atol=1e-4)


def test_faces_do_not_change_each_others_scores(models, torch_scores):
    """In TorchScript a batch is filled up to a size that is compiled, or cut into several."""
    classifier = Classifier(models.with_suffix(".pt"))
    for faces in (1, 3, 5, 17):
        assert np.allclose(classifier.scores(CROPS[:faces]), torch_scores[:faces], atol=1e-5)


@pytest.mark.parametrize("quicker", [0, 1])
def test_a_torch_that_does_not_fuse_gives_the_same_scores(models, torch_scores, monkeypatch, quicker):
    """As Debian 12's; whichever of its two forms of the network is the quicker there."""
    clock = [2.0, 3.0, 5.0, 5.5] if quicker else [2.0, 2.5, 5.0, 6.0]
    tried = []

    def optimized(network, optimize=torch.jit.optimize_for_inference):
        tried.append(optimize(network))
        return tried[0]

    fused = torch.jit.onednn_fusion_enabled()
    monkeypatch.setattr(torch.jit, "enable_onednn_fusion", lambda enabled: None)
    monkeypatch.setattr(torch.jit, "optimize_for_inference", optimized)
    monkeypatch.setattr(torchscript.time, "thread_time", iter(clock).__next__)
    torch._C._jit_set_llga_enabled(False)
    try:
        classifier = Classifier(models.with_suffix(".pt"), "torchscript")
        assert (classifier._backend._network is tried[0]) == bool(quicker)
        assert np.allclose(classifier.scores(CROPS), torch_scores, atol=1e-5)
    finally:
        torch._C._jit_set_llga_enabled(fused)


def test_torch_takes_no_second_core_in_whichever_thread_it_is_asked(models):
    """A node classifies in another thread than the one that loaded the model, and torch counts threads for each."""
    classifier = Classifier(models.with_suffix(".pt"))
    spent = {}

    def ask():
        classifier.scores(CROPS[:1])
        own, everyones = time.thread_time(), time.process_time()
        for _ in range(100):
            classifier.scores(CROPS[:1])
        spent["own"], spent["everyone's"] = time.thread_time() - own, time.process_time() - everyones

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert spent["everyone's"] < 1.3 * spent["own"]


def test_an_opencv_that_is_wrong_for_several_faces_gets_them_one_by_one(models, torch_scores, monkeypatch):
    forward, batches = OpenCvBackend._forward, []

    def as_before_4_7(self, batch):
        batches.append(len(batch))
        if len(batch) > 1:
            raise cv2.error("assertion failed")
        return forward(self, batch)

    monkeypatch.setattr(OpenCvBackend, "_forward", as_before_4_7)
    assert np.allclose(Classifier(models.with_suffix(".onnx"), "opencv").scores(CROPS[:4]), torch_scores[:4], atol=1e-4)
    assert batches[-4:] == [1, 1, 1, 1]


CHILD = """
import sys
for absent in ("torch", "onnx", "onnxruntime"):
    sys.modules[absent] = None
import numpy as np
from fer_ros.emotion.classifier import Classifier
classifier = Classifier(sys.argv[1])
crops = np.random.default_rng(0).integers(0, 255, (21, 48, 48), np.uint8)
print(classifier.backend, *classifier.labels, *classifier.scores(crops).ravel())
"""


def test_a_robot_without_torch_answers_through_opencv(models, torch_scores):
    ran = subprocess.run(
        [sys.executable, "-c", CHILD, models.with_suffix(".onnx")], capture_output=True, text=True, check=True
    )
    words = ran.stdout.split()
    assert words[:8] == ["opencv", *LABELS]
    scores = np.array(words[8:], float).reshape(21, 7)
    assert np.allclose(scores, torch_scores, atol=1e-4)


@pytest.mark.parametrize(
    ("torch_is_installed", "backend", "expected"),
    [
        (True, "auto", ("m.pt", "torchscript")),
        (False, "auto", ("m.onnx", "opencv")),
        (True, "opencv", ("m.onnx", "opencv")),
        (True, "onnx", ("m.onnx", "onnx")),
        (True, "torchscript", ("m.pt", "torchscript")),
    ],
)
def test_a_models_name_stands_for_the_file_that_can_be_run(
    tmp_path, monkeypatch, torch_is_installed, backend, expected
):
    models = tmp_path / "share" / "fer_ros" / "models"
    models.mkdir(parents=True)
    for suffix in (".pt", ".onnx"):
        (models / f"m{suffix}").touch()
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    monkeypatch.setattr(registry, "find_spec", lambda name: torch_is_installed or None)
    path, chosen = registry.find("m", backend)
    assert (path.name, chosen) == expected


def test_an_unknown_backend_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match="no backend 'openvino'; known are: auto, torchscript, opencv, onnx"):
        Classifier(tmp_path / "m.pt", "openvino")


def test_a_backend_refuses_the_other_kind_of_file_by_name(tmp_path):
    (tmp_path / "m.pt").touch()
    with pytest.raises(ModelFileError, match=r"'opencv' runs \.onnx files, and .*m\.pt is none"):
        Classifier(tmp_path / "m.pt", "opencv")


@pytest.mark.parametrize(("backend", "package"), [("onnx", "onnxruntime"), ("torchscript", "torch")])
def test_a_missing_library_is_named_with_the_remedy(backend, package):
    child = f"""
import sys
sys.modules[{package!r}] = None
from fer_ros.emotion.backends import registry
registry.load({backend!r}, None, None)
"""
    ran = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True)
    assert f"needs the package {package} (pip install {package})" in ran.stderr


def test_an_onnx_file_without_metadata_is_refused_with_the_remedy(models, tmp_path):
    bare = tmp_path / "bare.onnx"
    content = models.with_suffix(".onnx").read_bytes()
    bare.write_bytes(content.replace(b"fer_ros.json", b"another.json"))
    with pytest.raises(ModelFileError, match=r"bare\.onnx is an ONNX file without fer_ros metadata.*fer-export"):
        Classifier(bare)


@pytest.mark.parametrize("content", [b"not a model", b"\x0a\xff\x01cut off", b"\x0f" * 20])
def test_what_is_no_onnx_file_is_refused_by_name(tmp_path, content):
    path = tmp_path / "notes.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"notes\.onnx is not a readable model file"):
        Classifier(path)


@pytest.mark.parametrize("backend", ["opencv", "onnx"])
def test_an_onnx_file_that_cannot_run_is_refused_by_name(tmp_path, backend):
    if backend == "onnx":
        pytest.importorskip("onnxruntime", reason="the backend is a package of its own")
    path = tmp_path / "m.onnx"
    metadata = json.dumps({"network": "mini_xception", "labels": ["happy", "sad"], "preprocessing": {}})
    path.write_bytes(onnx_metadata.add(b"", "fer_ros.json", metadata))
    with pytest.raises(ModelFileError, match=r"cannot run .*m\.onnx"):
        Classifier(path, backend)


def test_onnx_properties_are_read_as_the_onnx_package_wrote_them():
    onnx = pytest.importorskip("onnx", reason="the package to compare with")
    model = onnx.ModelProto(ir_version=7, producer_name="torch", model_version=300)
    onnx.helper.set_model_props(model, {"key": "Grüße" * 100, "other": ""})
    content = model.SerializeToString()
    assert onnx_metadata.read(content) == {"key": "Grüße" * 100, "other": ""}
    again = onnx.ModelProto.FromString(onnx_metadata.add(content, "third", "x" * 70_000))
    assert {entry.key: entry.value for entry in again.metadata_props}["third"] == "x" * 70_000
