# SPDX-License-Identifier: Apache-2.0
"""Metrics and calibration against values computed by hand, and fer-evaluate."""

import json
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
import torch
from torch import nn
from training_data import arrays, bars, class_folders

from fer_ros.cli import evaluate
from fer_ros.datasets import registry
from fer_ros.datasets.registry import DataError
from fer_ros.emotion import model_file
from fer_ros.emotion.classifier import Classifier
from fer_ros.emotion.labels import FER2013
from fer_ros.emotion.model_file import ModelMetadata
from fer_ros.evaluation import calibration, html, metrics


class BrightestRow(nn.Module):
    """Classifies the bars of `training_data` without training: the logit of a class is the mean of its rows."""

    def forward(self, crops):
        return torch.stack([crops[:, 0, 6 * k + 2 : 6 * k + 8].mean(dim=(1, 2)) for k in range(7)], dim=1)


class ReversedBrightestRow(BrightestRow):
    def forward(self, crops):
        return super().forward(crops).flip(1)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "rows.pt"
    model_file.write(path, BrightestRow(), ModelMetadata(network="mini_xception", labels=FER2013))
    return path


class Page(HTMLParser):
    """Text and images of a page, and whether it is self-contained."""

    def __init__(self, html: str):
        super().__init__()
        self.text, self.images, self.is_self_contained = "", 0, "<script" not in html and "@import" not in html
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("src", "href", "srcset", "data"):
                self.is_self_contained &= value.startswith("data:image/png;base64,iVBOR")
                self.images += tag == "img"

    def handle_data(self, data):
        self.text += data


def one_hot(predicted, confidence=1.0):
    scores = np.full((len(predicted), 3), (1 - confidence) / 2)
    scores[np.arange(len(predicted)), predicted] = confidence
    return scores


def measures(precision, recall, f1, support):
    """Return the expected measures of one class."""
    return pytest.approx(
        {"precision": precision, "recall": recall, "f1": f1, "misclassification": 1 - precision, "support": support}
    )


def test_metrics_match_values_by_hand():
    #   true  predicted: a b c
    #   a (4)            3 1 0
    #   b (2)            1 1 0
    #   c (2)            0 1 1
    targets = np.array([0, 0, 0, 0, 1, 1, 2, 2])
    predicted = np.array([0, 0, 0, 1, 0, 1, 1, 2])
    result = metrics.measure(one_hot(predicted), targets, ("a", "b", "c"))
    assert result.images == 8
    assert result.accuracy == 5 / 8
    assert result.confusion_matrix == [[3, 1, 0], [1, 1, 0], [0, 1, 1]]
    assert result.per_class["a"] == measures(3 / 4, 3 / 4, 3 / 4, 4)
    assert result.per_class["b"] == measures(1 / 3, 1 / 2, 2 / 5, 2)
    assert result.per_class["c"] == measures(1, 1 / 2, 2 / 3, 2)
    assert result.macro_f1 == pytest.approx((3 / 4 + 2 / 5 + 2 / 3) / 3)
    assert result.macro_precision == pytest.approx((3 / 4 + 1 / 3 + 1) / 3)
    assert result.weighted_f1 == pytest.approx((4 * 3 / 4 + 2 * 2 / 5 + 2 * 2 / 3) / 8)
    assert result.weighted_recall == result.accuracy


def test_averages_leave_out_classes_without_images():
    result = metrics.measure(one_hot(np.array([0, 1])), np.array([0, 1]), ("a", "b", "c"))
    assert result.macro_f1 == 1
    assert result.per_class["c"]["support"] == 0


def test_expected_calibration_error_by_hand():
    # Five predictions at 0.9, four of them correct, and five at 0.5, three of them correct.
    scores = np.concatenate([one_hot(np.zeros(5, int), 0.9), one_hot(np.zeros(5, int), 0.5)])
    targets = np.array([0, 0, 0, 0, 1, 0, 0, 0, 1, 1])
    bins = calibration.reliability_bins(scores, targets)
    assert [(each.images, each.accuracy) for each in bins] == [(5, 0.6), (5, 0.8)]
    assert [each.confidence for each in bins] == pytest.approx([0.5, 0.9])
    assert calibration.expected_calibration_error(bins) == pytest.approx(0.5 * 0.1 + 0.5 * 0.1)


@pytest.mark.parametrize("count", [1, 2, 15, 30, 100, 200])
def test_fit_temperature_never_sharpens_on_few_images(count):
    targets = np.arange(count) % 2
    logits = 3.0 * np.eye(2)[targets]
    assert 1 <= calibration.fit_temperature(logits, targets) < 1.3


def test_fit_temperature_softens_wrong_scores_of_few_images():
    targets = np.arange(100) % 7
    wrong = 8.0 * np.eye(7)[(targets + (targets % 2)) % 7]
    assert calibration.fit_temperature(wrong, targets) > 2


def test_fit_temperature_of_many_images_minimizes_the_loss():
    random = np.random.default_rng(1)
    targets = random.integers(7, size=3589)
    logits = random.normal(size=(3589, 7)) + 2.0 * np.eye(7)[targets]
    fitted = calibration.fit_temperature(logits / 2, targets)
    around = np.exp(np.linspace(-0.01, 0.01, 201)) * fitted
    best = around[np.argmin([calibration.log_loss(logits / 2 / each, targets) for each in around])]
    assert fitted == pytest.approx(best, abs=1e-3)
    assert fitted < 1, "many images may sharpen"


def test_fit_temperature_undoes_overconfidence():
    random = np.random.default_rng(0)
    logits = random.normal(size=(4000, 7)) * 2
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    targets = np.array([random.choice(7, p=p) for p in probabilities])
    assert calibration.fit_temperature(logits * 3, targets) == pytest.approx(3, rel=0.1)
    assert calibration.log_loss(logits, targets) == pytest.approx(
        -np.log(probabilities[np.arange(4000), targets]).mean()
    )


def test_targets_match_labels_by_name(tmp_path):
    path = tmp_path / "other.pt"
    model_file.write(path, ReversedBrightestRow(), ModelMetadata(network="mini_xception", labels=FER2013[::-1]))
    images = registry.read([arrays(tmp_path / "a.npz", 21, 1, seed=1)], 48)
    classifier = Classifier(path)
    targets = metrics.targets_for(classifier.labels, images)
    result = metrics.measure(metrics.scores(classifier, images), targets, classifier.labels)
    assert result.accuracy == 1
    assert list(result.per_class) == list(FER2013[::-1])


def test_targets_with_unknown_label_are_an_error(tmp_path):
    images = registry.read([arrays(tmp_path / "a.npz", 14, 1, seed=1)], 48)
    with pytest.raises(DataError, match="2 images of 'neutral'; the model's labels are angry, disgust"):
        metrics.targets_for(FER2013[:6], images)
    assert metrics.targets_for((*FER2013, "contempt"), images).tolist() == images.targets.tolist()


def test_flip_averages_with_mirror_image(model, tmp_path):
    classifier = Classifier(model)
    images = registry.read([arrays(tmp_path / "a.npz", 14, 1, seed=1)], 48)
    mirrored = classifier.scores(images.pixels[:, :, ::-1])
    expected = (metrics.scores(classifier, images) + mirrored) / 2
    np.testing.assert_allclose(metrics.scores(classifier, images, flip=True), expected, atol=1e-6)


def test_ten_crop_averages_corners_center_and_mirrors(model, tmp_path):
    classifier = Classifier(model)
    images = registry.read([arrays(tmp_path / "a.npz", 7, 1, seed=1)], 48)
    expected = 0
    for y, x in ((0, 0), (0, 4), (4, 0), (4, 4), (2, 2)):
        cut = np.stack([cv2.resize(image[y : y + 44, x : x + 44], (48, 48)) for image in images.pixels])
        expected = expected + classifier.scores(cut) + classifier.scores(cut[:, :, ::-1])
    np.testing.assert_allclose(metrics.scores(classifier, images, ten_crop=True), expected / 10, atol=1e-6)


def test_fer_evaluate_writes_table_json_and_report(model, tmp_path, capsys):
    public = bars(np.arange(35) % 7, seed=2)
    training = bars(np.arange(70) % 7, seed=1)
    training[:5] = public[:5]
    arrays(tmp_path / "train.npz", 70, 0, seed=1, pixels=training)
    arrays(
        tmp_path / "public.npz",
        35,
        1,
        seed=2,
        pixels=public,
        label=(np.arange(35, dtype=np.uint8) + (np.arange(35) == 0)) % 7,
    )
    scores = tmp_path / "new" / "scores.json"
    arguments = [
        "--model",
        str(model),
        "--data",
        str(tmp_path),
        "--json",
        str(scores),
        "--output",
        str(tmp_path / "out"),
    ]
    assert evaluate.main(arguments) == 0

    output = capsys.readouterr().out
    assert "accuracy 97.14 %, balanced accuracy " in output
    assert "without 5 duplicates of training images: 100.00 % of 30" in output
    written = json.loads(scores.read_text())
    assert written["accuracy"] == pytest.approx(34 / 35)
    assert written["images"] == 35
    assert written["without_duplicates"] == {"images": 30, "accuracy": 1.0}
    assert 0 < written["macro_f1"] < 1
    assert written["per_class"]["happy"] == measures(1, 1, 1, 5)
    assert np.sum(written["confusion_matrix"]) == 35
    assert 0 <= written["ece"] <= 1
    assert sum(each["images"] for each in written["reliability"]) == 35
    assert cv2.imread(str(tmp_path / "out" / "confusion_matrix.png")).shape[0] > 300

    page = Page((tmp_path / "out" / "report.html").read_text())
    assert page.is_self_contained
    assert page.images == 2
    for fact in ("97.14 %", "2.86 %", "macro F1", "public", str(tmp_path), torch.__version__):
        assert fact in page.text


def test_fer_evaluate_reports_bad_input_in_one_line(model, tmp_path, capsys):
    data = arrays(tmp_path / "a.npz", 14, 1, seed=1)

    def error(*arguments):
        assert evaluate.main([*map(str, arguments), "--output", str(tmp_path / "out")]) == 2
        message = capsys.readouterr().err
        assert message.startswith("fer-evaluate: error: ")
        assert message.count("\n") == 1
        return message

    assert "no image in the split 'private'; it has: public (14)" in error(
        "--model", model, "--data", data, "--split", "private"
    )
    assert "nowhere: there is no such file" in error("--model", model, "--data", tmp_path / "nowhere")
    assert "nothing.pt" in error("--model", tmp_path / "nothing.pt", "--data", data)
    other = class_folders(tmp_path / "faces", per_class=1, seed=1)
    (other / "happy").rename(other / "contempt")
    assert "1 images of 'contempt'" in error("--model", model, "--data", other, "--split", "all")
    assert not (tmp_path / "out").exists()


def test_report_quotes_the_command():
    assert html.facts({"command": ["fer-train", "--data", "my faces"], "split": "all"}) == [
        ("command", "fer-train --data 'my faces'"),
        ("split", "all"),
    ]
