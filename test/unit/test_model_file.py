# SPDX-License-Identifier: Apache-2.0
"""Model files contain what is needed to use them; other files are refused."""

import json
import zipfile

import numpy as np
import pytest
import torch

from fer_ros.emotion import model_file
from fer_ros.emotion.classifier import Classifier
from fer_ros.emotion.labels import FER2013
from fer_ros.emotion.model_file import ModelFileError, ModelMetadata
from fer_ros.emotion.preprocessing import Preprocessing
from fer_ros.networks import create


def write(path, labels=FER2013, **metadata):
    torch.manual_seed(0)
    network = create("mini_xception", len(labels))
    model_file.write(path, network, ModelMetadata("mini_xception", labels, **metadata))
    return network.eval()


def rewrite_metadata(path, change):
    """Change the metadata of an archive in place."""
    with zipfile.ZipFile(path) as archive:
        entries = {info: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for info, content in entries.items():
            if info.filename.endswith("fer_ros.json"):
                metadata = json.loads(content)
                change(metadata)
                content = json.dumps(metadata)
            archive.writestr(info, content)


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(labels=["happy", "happy"]), "two or more different names"),
        (lambda m: m.update(labels=["happy", "hungry"]), "unknown labels"),
        (lambda m: m.update(temperature=0), "temperature must be above 0"),
        (lambda m: m.update(format_version=99), "format version is 99"),
        (lambda m: m.pop("labels"), "labels"),
        (lambda m: m.pop("preprocessing"), "preprocessing"),
        (lambda m: m.update(labels=["happy", "sad"]), "outputs of shape .7,. for its 2 labels"),
    ],
)
def test_invalid_metadata_is_refused(tmp_path, change, message):
    path = tmp_path / "m.pt"
    write(path)
    rewrite_metadata(path, change)
    with pytest.raises(ModelFileError, match=message):
        Classifier(path)


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
