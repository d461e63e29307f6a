# SPDX-License-Identifier: Apache-2.0
"""All backends give the same scores for a model, and need no other library than their own."""

import subprocess
import sys
import threading
import time
from dataclasses import replace

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
    """Return the path, without suffix, of a model in both formats."""
    pytest.importorskip("onnx", reason="writing ONNX files needs the package onnx")
    torch.manual_seed(0)
    network = create(request.param, len(LABELS))
    # Moves the statistics of batch norm away from their initial values, with which an error would go unnoticed.
    network.train()(torch.rand(8, 1, 48, 48))
    metadata = ModelMetadata(request.param, LABELS, Preprocessing(margin=0.1, standardize=True), temperature=1.7)
    path = tmp_path_factory.mktemp("models") / request.param
    for suffix in (".pt", ".onnx"):
        model_file.write(path.with_suffix(suffix), network, metadata)
    return path


@pytest.fixture(scope="module")
def torch_scores(models):
    return Classifier(models.with_suffix(".pt")).scores(CROPS)


def test_onnx_and_torchscript_have_same_metadata(models):
    assert model_file.read_metadata(models.with_suffix(".onnx")) == model_file.read_metadata(models.with_suffix(".pt"))


@pytest.mark.parametrize("backend", ["opencv", "onnx"])
def test_backends_agree_for_all_batch_sizes(models, torch_scores, backend):
    if backend == "onnx":
        pytest.importorskip("onnxruntime", reason="the backend onnx needs onnxruntime")
    classifier = Classifier(models.with_suffix(".onnx"), backend)
    assert classifier.labels == LABELS
    for faces in (0, 1, 2, 3, 21):
        scores = classifier.scores(CROPS[:faces])
        assert scores.shape == (faces, 7)
        assert np.allclose(scores, torch_scores[:faces], atol=1e-4)


@pytest.mark.parametrize("path", sorted(resources.folders("models")[0].glob("*.pt")), ids=lambda path: path.stem)
def test_shipped_model_formats_agree(path):
    with_torch, without = Classifier(path), Classifier(path.with_suffix(".onnx"))
    assert with_torch.metadata == without.metadata
    assert np.allclose(with_torch.scores(CROPS), without.scores(CROPS), atol=1e-4)


def test_scores_do_not_depend_on_batch(models, torch_scores):
    """TorchScript splits large batches into sizes that are compiled."""
    classifier = Classifier(models.with_suffix(".pt"))
    for faces in (1, 3, 5, 17):
        assert np.allclose(classifier.scores(CROPS[:faces]), torch_scores[:faces], atol=1e-5)


def test_torch_compiles_batches_of_several_faces_when_frequent(models, torch_scores):
    backend = (classifier := Classifier(models.with_suffix(".pt")))._backend
    classifier.scores(CROPS[:3])
    assert backend._compiled == 1, "a false detection or a passer-by is not worth the memory"
    for _ in range(4):
        assert np.allclose(classifier.scores(CROPS[:8]), torch_scores[:8], atol=1e-5)
    deadline = time.monotonic() + 20
    while backend._compiled < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert backend._compiled == 4
    assert np.allclose(classifier.scores(CROPS), torch_scores, atol=1e-5)


@pytest.mark.parametrize("faster", [0, 1])
def test_torch_without_fusion_gives_same_scores(models, torch_scores, monkeypatch, faster):
    """As in Debian 12, whichever of the two forms of the network is faster there."""
    clock = [2.0, 3.0, 5.0, 5.5] if faster else [2.0, 2.5, 5.0, 6.0]
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
        assert (classifier._backend._network is tried[0]) == bool(faster)
        assert np.allclose(classifier.scores(CROPS), torch_scores, atol=1e-5)
    finally:
        torch._C._jit_set_llga_enabled(fused)


def test_torch_uses_one_thread_in_every_calling_thread(models):
    """A node classifies in another thread than the one that loads the model; torch counts threads for each."""
    classifier = Classifier(models.with_suffix(".pt"))
    spent = {}

    def classify():
        classifier.scores(CROPS[:1])
        thread, process = time.thread_time(), time.process_time()
        for _ in range(100):
            classifier.scores(CROPS[:1])
        spent["thread"], spent["process"] = time.thread_time() - thread, time.process_time() - process

    thread = threading.Thread(target=classify)
    thread.start()
    thread.join()
    assert spent["process"] < 1.3 * spent["thread"]


def test_opencv_without_batches_gets_single_faces(models, torch_scores, monkeypatch):
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


def test_model_runs_by_opencv_without_torch(models, torch_scores):
    ran = subprocess.run(
        [sys.executable, "-c", CHILD, models.with_suffix(".onnx")], capture_output=True, text=True, check=True
    )
    printed = ran.stdout.split()
    assert printed[:8] == ["opencv", *LABELS]
    scores = np.array(printed[8:], float).reshape(21, 7)
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
def test_model_name_resolves_to_file_of_backend(tmp_path, monkeypatch, torch_is_installed, backend, expected):
    models = tmp_path / "share" / "fer_ros" / "models"
    models.mkdir(parents=True)
    for suffix in (".pt", ".onnx"):
        (models / f"m{suffix}").touch()
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    monkeypatch.setattr(registry, "find_spec", lambda name: torch_is_installed or None)
    path, chosen = registry.resolve("m", backend)
    assert (path.name, chosen) == expected


def test_unknown_backend_is_refused_with_names(tmp_path):
    names = "auto, torchscript, opencv, onnx"
    with pytest.raises(ValueError, match=f"unknown backend 'openvc', did you mean 'opencv'; available: {names}"):
        Classifier(tmp_path / "m.pt", "openvc")


def test_backend_refuses_other_kind_of_file(tmp_path):
    (tmp_path / "m.pt").touch()
    with pytest.raises(ModelFileError, match=r"'opencv' runs \.onnx files, not .*m\.pt"):
        Classifier(tmp_path / "m.pt", "opencv")


@pytest.mark.parametrize(("backend", "package"), [("onnx", "onnxruntime"), ("torchscript", "torch")])
def test_missing_package_is_named_with_remedy(backend, package):
    child = f"""
import sys
sys.modules[{package!r}] = None
from fer_ros.emotion.backends import registry
registry.load({backend!r}, None)
"""
    ran = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True)
    assert f"backend '{backend}' needs a package that is missing" in ran.stderr
    assert f"install it with: pip install {package}. The backend 'opencv' runs .onnx files" in ran.stderr


def test_onnx_without_metadata_is_refused_with_remedy(models, tmp_path):
    bare = tmp_path / "bare.onnx"
    content = models.with_suffix(".onnx").read_bytes()
    bare.write_bytes(content.replace(b"fer_ros.json", b"another.json"))
    with pytest.raises(ModelFileError, match=r"bare\.onnx is an ONNX file without fer_ros metadata.*fer-export"):
        Classifier(bare)


@pytest.mark.parametrize("content", [b"not a model", b"\x0a\xff\x01cut off", b"\x0f" * 20])
def test_other_content_is_refused_as_onnx(tmp_path, content):
    path = tmp_path / "notes.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"notes\.onnx is not a readable model file"):
        Classifier(path)


@pytest.mark.parametrize("backend", ["opencv", "onnx", "torchscript"])
def test_network_that_cannot_run_is_refused(models, backend):
    if backend == "onnx":
        pytest.importorskip("onnxruntime", reason="the backend onnx needs onnxruntime")
    file = model_file.read(models.with_suffix(".pt" if backend == "torchscript" else ".onnx"))
    with pytest.raises(ModelFileError, match=r"cannot (run|load) .*(mini_xception|res_se)\."):
        registry.load(backend, replace(file, network=b"\x08\x07"))


def test_onnx_metadata_agrees_with_onnx_package():
    onnx = pytest.importorskip("onnx", reason="the package to compare with")
    model = onnx.ModelProto(ir_version=7, producer_name="torch", model_version=300)
    onnx.helper.set_model_props(model, {"key": "Grüße" * 100, "other": ""})
    content = model.SerializeToString()
    assert onnx_metadata.read(content) == {"key": ("Grüße" * 100).encode(), "other": b""}
    again = onnx.ModelProto.FromString(onnx_metadata.add(content, "third", "x" * 70_000))
    assert {entry.key: entry.value for entry in again.metadata_props}["third"] == "x" * 70_000


class CountingBackend(OpenCvBackend):
    """A toy backend."""

    batches = 0

    def logits(self, batch):
        self.batches += 1
        return super().logits(batch)


def test_backend_from_outside_runs_a_model():
    entry = registry.BackendEntry(lambda _, model: CountingBackend(model), description="toy")
    registry.BACKENDS.register("counting", entry)
    try:
        assert "counting" in registry.choices()
        classifier = Classifier("mini_xception", "counting")
        before = classifier._backend.batches
        assert np.array_equal(classifier.scores(CROPS), Classifier("mini_xception", "opencv").scores(CROPS))
        assert classifier._backend.batches == before + 1
    finally:
        registry.BACKENDS.unregister("counting")


def test_torch_settings_of_process_are_restored(models):
    torch.set_num_threads(2)
    fusion = torch.jit.onednn_fusion_enabled()
    Classifier(models.with_suffix(".pt"), "torchscript").scores(CROPS[:5])
    assert torch.get_num_threads() == 2
    assert torch.jit.onednn_fusion_enabled() == fusion


def test_compilation_in_the_background_can_be_awaited(models):
    before = set(threading.enumerate())
    classifier = Classifier(models.with_suffix(".pt"))
    classifier.scores(CROPS)
    classifier.finish_compilation()
    assert set(threading.enumerate()) <= before
