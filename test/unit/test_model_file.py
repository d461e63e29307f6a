# SPDX-License-Identifier: Apache-2.0
"""Model files contain what is needed to use them; other files are refused."""

import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from fer_ros import resources
from fer_ros.emotion import model_file
from fer_ros.emotion.backends.torchscript import TorchScriptBackend
from fer_ros.emotion.classifier import Classifier
from fer_ros.emotion.labels import FER2013
from fer_ros.emotion.metadata import from_json
from fer_ros.emotion.model_file import ModelFileError, ModelMetadata
from fer_ros.emotion.preprocessing import Preprocessing
from fer_ros.networks import create


def write(path, labels=FER2013, **metadata):
    torch.manual_seed(0)
    network = create("mini_xception", len(labels))
    model_file.write(path, network, ModelMetadata("mini_xception", labels, **metadata))
    return network.eval()


def rewrite_metadata(path, change):
    """Change the metadata of an archive in place; by default without a digest, as in a file of another program."""
    with zipfile.ZipFile(path) as archive:
        entries = {info: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for info, content in entries.items():
            if info.filename.endswith("fer_ros.json"):
                metadata = json.loads(content)
                verification = metadata.pop("verification")
                change(metadata)
                metadata |= {"verification": verification} if metadata.pop("keep", False) else {}
                content = json.dumps(metadata)
            archive.writestr(info, content)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return the path of a model file, not to be changed."""
    path = tmp_path_factory.mktemp("models") / "m.pt"
    write(path)
    return path


def test_metadata_is_read_as_written(tmp_path):
    path = tmp_path / "m.pt"
    metadata = ModelMetadata(
        "mini_xception",
        ("happy", "sad", "angry"),
        Preprocessing(48, 0.1, 0.4, 0.2),
        temperature=1.5,
        recipe={"epochs": 3},
        scores={"public": 0.6},
    )
    model_file.write(path, create("mini_xception", 3), metadata)
    assert model_file.read_metadata(path) == metadata


def test_classifier_divides_logits_by_temperature(tmp_path):
    network = write(tmp_path / "m.pt", temperature=2.0)
    crops = list(np.random.default_rng(0).integers(0, 255, (3, 48, 48), np.uint8))
    with torch.no_grad():
        expected = torch.softmax(network(torch.from_numpy(Preprocessing().batch(crops))) / 2.0, 1).numpy()
    scores = Classifier(tmp_path / "m.pt").scores(crops)
    assert np.allclose(scores, expected, atol=1e-5)
    assert np.allclose(scores.sum(1), 1, atol=1e-6)


def test_no_crops_give_no_scores(tmp_path):
    write(tmp_path / "m.pt")
    assert Classifier(tmp_path / "m.pt").scores([]).shape == (0, 7)


def test_label_order_is_that_of_the_file(tmp_path):
    write(tmp_path / "m.pt", labels=FER2013[::-1])
    assert Classifier(tmp_path / "m.pt").labels == FER2013[::-1]


def test_model_id_changes_with_content(tmp_path):
    write(tmp_path / "m.pt")
    first = model_file.identify(tmp_path / "m.pt")
    write(tmp_path / "m.pt", temperature=3.0)
    assert first.startswith("m@")
    assert len(first) == len("m@") + 8
    assert model_file.identify(tmp_path / "m.pt") != first


def test_missing_model_is_refused_with_names():
    with pytest.raises(FileNotFoundError, match=r"'mini_exception'.*available: .*mini_xception"):
        model_file.find("mini_exception")
    with pytest.raises(FileNotFoundError, match=r"/nowhere/m\.pt"):
        model_file.find("/nowhere/m.pt")


def test_shipped_model_is_found_by_name():
    assert model_file.find("mini_xception").name == "mini_xception.pt"


def test_other_content_is_refused_as_torchscript(tmp_path):
    text = tmp_path / "notes.pt"
    text.write_text("not a model")
    with pytest.raises(ModelFileError, match=r"notes\.pt is not a readable model file"):
        Classifier(text)


def test_torchscript_without_metadata_is_refused(tmp_path):
    bare = tmp_path / "bare.pt"
    torch.jit.trace(create("mini_xception", 7).eval(), torch.zeros(1, 1, 48, 48)).save(str(bare))
    with pytest.raises(ModelFileError, match=r"bare\.pt is an archive without fer_ros metadata.*fer-export"):
        Classifier(bare)


def deep(levels):
    return {"a": deep(levels - 1)} if levels else {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(labels=["happy", "happy"]), "two or more different names"),
        (lambda m: m.update(labels=["happy", "hungry"]), "unknown labels"),
        (lambda m: m.update(labels="happy"), "labels must be a list of names"),
        (lambda m: m.update(labels=[["happy"], "sad"]), "labels must be a list of names"),
        (lambda m: m.update(temperature=0), "temperature must be from 0.001 to 1000, not 0"),
        (lambda m: m.update(temperature=1e-300), "temperature must be"),
        (lambda m: m.update(temperature=float("nan")), "temperature must be"),
        (lambda m: m.update(temperature="1"), "temperature must be"),
        (lambda m: m.update(format_version=99), "format version is 99"),
        (lambda m: m.update(network="x\n" * 9), "network must be the name of one"),
        (lambda m: m.update(scores=[1]), "scores must be a mapping"),
        (lambda m: m.update(scores={"validation": {"epoch": 1}}), "scores.validation must have accuracy and epoch"),
        (lambda m: m.update(scores={"validation": 0.7}), "scores.validation must have"),
        (lambda m: m.update(recipe=deep(30)), "recipe is nested more than 20 levels deep"),
        (lambda m: m.update(extra=1), "unexpected keyword argument 'extra'"),
        (lambda m: m.pop("labels"), "labels"),
        (lambda m: m.pop("preprocessing"), "preprocessing"),
        (lambda m: m["preprocessing"].update(margin=1000), "'preprocessing.margin' must be from -0.5 to 2, not 1000"),
        (lambda m: m["preprocessing"].update(std=0), "'preprocessing.std' must be"),
        (lambda m: m["preprocessing"].update(mean=float("inf")), "'preprocessing.mean' must be"),
        (lambda m: m["preprocessing"].update(input_size=10**9), "'preprocessing.input_size' must be from 8 to 1024"),
        (lambda m: m["preprocessing"].update(input_size=48.0), "'preprocessing.input_size' must be"),
        (lambda m: m["preprocessing"].update(standardize="no"), "'preprocessing.standardize' must be true or false"),
        (lambda m: m["preprocessing"].update(blur=True), "'preprocessing.blur' must be"),
        (lambda m: m.update(verification={"sha256": "0"}), "missing 1 required positional argument: 'logits'"),
        (lambda m: m.update(verification={"sha256": "0", "logits": []}), "verification.sha256 must have 64 digits"),
        (lambda m: m.update(verification={"sha256": 64 * "0", "logits": [1.0]}), "a list of 7 numbers"),
        (lambda m: m.update(verification={"sha256": 64 * "0", "logits": 7 * [float("nan")]}), "finite numbers"),
    ],
)
def test_invalid_metadata_is_refused(written, tmp_path, change, message):
    path = shutil.copy(written, tmp_path)
    rewrite_metadata(path, change)
    with pytest.raises(ModelFileError, match=message) as raised:
        model_file.read(Path(path))
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 1000


@pytest.mark.parametrize("text", [b"[]", b"null", b"[" * 100_000, b"\xff", b"9" * 5000, b'{"labels": 1}', b"{" * 9])
def test_metadata_that_is_no_mapping_is_refused(text):
    with pytest.raises(ValueError, match=r"[a-z]"):
        from_json(text)


def test_labels_must_match_outputs(written, tmp_path):
    path = shutil.copy(written, tmp_path)
    rewrite_metadata(path, lambda m: m.update(labels=["happy", "sad"]))
    with pytest.raises(ModelFileError, match=r"outputs of shape .7,. for its 2 labels"), pytest.warns(match="digest"):
        Classifier(path)


def test_swapped_labels_are_refused_by_the_digest(written, tmp_path):
    path = shutil.copy(written, tmp_path)
    rewrite_metadata(path, lambda m: m.update(labels=m["labels"][::-1], keep=True))
    with pytest.raises(ModelFileError, match="is damaged: it differs from what was written"):
        model_file.read(Path(path))


def test_model_without_digest_is_used_with_a_warning(written, tmp_path):
    path = shutil.copy(written, tmp_path)
    rewrite_metadata(path, lambda m: None)
    with pytest.warns(UserWarning, match="has no digest"):
        assert Classifier(path).labels == FER2013


def test_outputs_that_differ_from_the_record_are_refused(written, monkeypatch):
    logits = TorchScriptBackend.logits
    monkeypatch.setattr(TorchScriptBackend, "logits", lambda self, batch: logits(self, batch)[:, ::-1])
    with pytest.raises(ModelFileError, match=r"computes .* wrongly on this machine"):
        Classifier(written)


def test_outputs_that_are_not_finite_are_refused(tmp_path):
    network = create("mini_xception", 7)
    with torch.no_grad():
        network.head.bias[0] = float("inf")
    with pytest.raises(ModelFileError, match="was not written: the network's outputs are not finite"):
        model_file.write(tmp_path / "m.pt", network, ModelMetadata("mini_xception", FER2013))


def test_shipped_models_are_those_of_the_manifest():
    folder = resources.folders("models")[0]
    lines = (line.split() for line in (folder / "SHA256SUMS").read_text().splitlines())
    listed = {name: digest for digest, name in lines}
    files = [path for path in folder.iterdir() if path.suffix in (".pt", ".onnx")]
    assert listed == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    for path in files:
        assert path.stat().st_size < 5_000_000
        assert model_file.read(path).verification


def test_truncated_file_is_refused(tmp_path):
    path = tmp_path / "m.pt"
    write(path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(ModelFileError, match=r"m\.pt is not a readable model file"):
        Classifier(path)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_failed_write_leaves_no_file(tmp_path):
    class Random(torch.nn.Module):
        """Returns other logits each time, so that no trace agrees with it."""

        def forward(self, crops):
            return torch.rand_like(crops[:, 0, 0, :7])

    with pytest.raises(ModelFileError, match="was not written"):
        model_file.write(tmp_path / "m.pt", Random(), ModelMetadata("mini_xception", FER2013))
    assert list(tmp_path.iterdir()) == []
