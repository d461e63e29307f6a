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
from fer_ros.evaluation import calibration, confusion, html, metrics, risk_coverage, sheets


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


def test_metrics_match_values_by_hand():
    #   true  predicted: a b c
    #   a (4)            3 1 0
    #   b (2)            1 1 0
    #   c (2)            0 1 1
    targets = np.array([0, 0, 0, 0, 1, 1, 2, 2])
    predicted = np.array([0, 0, 0, 1, 0, 1, 1, 2])
    result = metrics.measure(one_hot(predicted, 0.8), targets, ("a", "b", "c"))
    assert result.images == 8
    assert result.accuracy == 5 / 8
    assert result.confusion_matrix == [[3, 1, 0], [1, 1, 0], [0, 1, 1]]
    rows = {label: list(vars(row).values()) for label, row in result.per_class.items()}
    # Precision, recall, specificity, F1, one-vs-rest accuracy, misclassification, support, predictions.
    assert rows["a"] == pytest.approx([3 / 4, 3 / 4, 3 / 4, 3 / 4, 6 / 8, 1 / 4, 4, 4])
    assert rows["b"] == pytest.approx([1 / 3, 1 / 2, 4 / 6, 2 / 5, 5 / 8, 2 / 3, 2, 3])
    assert rows["c"] == pytest.approx([1, 1 / 2, 1, 2 / 3, 7 / 8, 0, 2, 1])
    assert result.macro_f1 == pytest.approx((3 / 4 + 2 / 5 + 2 / 3) / 3)
    assert result.macro_precision == pytest.approx((3 / 4 + 1 / 3 + 1) / 3)
    assert result.macro_specificity == pytest.approx((3 / 4 + 4 / 6 + 1) / 3)
    assert result.weighted_f1 == pytest.approx((4 * 3 / 4 + 2 * 2 / 5 + 2 * 2 / 3) / 8)
    assert result.weighted_recall == result.accuracy
    assert result.log_loss == pytest.approx(-(5 * np.log(0.8) + 3 * np.log(0.1)) / 8)


def test_class_that_is_never_predicted_is_not_misclassified():
    result = metrics.measure(one_hot(np.array([0, 0, 2])), np.array([0, 1, 2]), ("a", "b", "c"))
    assert result.per_class["b"].misclassification is None
    line = next(line for line in metrics.table(result).splitlines() if line.startswith("b "))
    assert line.split() == ["b", "-", "0.0", "100.0", "0.0", "66.7", "never", "answered", "1"]


def test_confusion_matrix_is_text_and_csv_in_counts_and_shares(tmp_path):
    counts = [[3, 1], [0, 0]]
    words = [line.split() for line in confusion.text(counts, ["happy", "sad"]).splitlines()]
    assert ["happy", "3", "1"] in words
    assert ["happy", "75.0", "25.0"] in words
    assert ["sad", "0.0", "0.0"] in words
    confusion.write_csv(tmp_path / "c.csv", counts, ["happy", "sad"])
    assert (tmp_path / "c.csv").read_text().splitlines()[1:] == ["happy,3,1", "sad,0,0"]
    confusion.write_csv(tmp_path / "s.csv", confusion.normalized(counts), ["happy", "sad"])
    assert (tmp_path / "s.csv").read_text().splitlines()[1:] == ["happy,0.7500,0.2500", "sad,0.0000,0.0000"]


def test_sheets_show_the_most_confident_answers(tmp_path):
    scores = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.95, 0.05], [0.3, 0.7]])
    targets = np.array([0, 0, 0, 1, 1])
    right, wrong = (sheets.most_confident(scores, targets, each, count=2) for each in (True, False))
    assert [row.tolist() for row in right] == [[0, 1], [4]]
    assert [row.tolist() for row in wrong] == [[2], [3]]
    rows = sheets.answers(np.zeros((5, 8, 8), np.uint8), scores, wrong, ("happy", "sad"))
    assert [(row.title, row.captions) for row in rows] == [("happy", ["sad 80 %"]), ("sad", ["happy 95 %"])]
    sheets.write(tmp_path / "none.png", [], "no mistakes")
    assert cv2.imread(str(tmp_path / "none.png")) is not None


def test_averages_leave_out_classes_without_images():
    result = metrics.measure(one_hot(np.array([0, 1])), np.array([0, 1]), ("a", "b", "c"))
    assert result.macro_f1 == 1
    assert result.per_class["c"].support == 0


def test_expected_calibration_error_by_hand():
    # Five predictions at 0.9, four of them correct, and five at 0.5, three of them correct.
    scores = np.concatenate([one_hot(np.zeros(5, int), 0.9), one_hot(np.zeros(5, int), 0.5)])
    targets = np.array([0, 0, 0, 0, 1, 0, 0, 0, 1, 1])
    bins = calibration.reliability_bins(scores, targets)
    assert [(each.images, each.accuracy) for each in bins] == [(5, 0.6), (5, 0.8)]
    assert [each.confidence for each in bins] == pytest.approx([0.5, 0.9])
    assert calibration.expected_calibration_error(bins) == pytest.approx(0.5 * 0.1 + 0.5 * 0.1)


def test_risk_coverage_by_hand():
    scores = np.array([[0.9, 0.1, 0], [0.2, 0.8, 0], [0.1, 0.3, 0.6], [0.5, 0.4, 0.1]])
    result = metrics.measure(scores, np.array([0, 1, 0, 1]), ("happy", "sad", "angry"))
    points = {point.threshold: (point.coverage, point.accuracy) for point in result.risk_coverage}
    assert (points[0.0], points[0.55], points[0.9]) == ((1, 0.5), (0.75, pytest.approx(2 / 3)), (0.25, 1))
    assert max(points) == 0.9, "no image reaches more"
    assert result.aurc == pytest.approx((0 + 0 + 1 / 3 + 2 / 4) / 4)
    assert "to be 85 % accurate: min_confidence 0.61, which names 50.0 % of the images" in metrics.table(result)


def test_accuracy_that_no_threshold_reaches_has_no_point():
    wrong = risk_coverage.coverage_curve(np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]]), np.array([1, 0, 1]))
    assert risk_coverage.point_for(wrong, 0.8) is None
    assert risk_coverage.rows(wrong)[0] == ("80 %", "-", "-")


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
    result = metrics.measure(metrics.scores(classifier, images.pixels), targets, classifier.labels)
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
    expected = (metrics.scores(classifier, images.pixels) + mirrored) / 2
    np.testing.assert_allclose(metrics.scores(classifier, images.pixels, flip=True), expected, atol=1e-6)


def test_ten_crop_averages_corners_center_and_mirrors(model, tmp_path):
    classifier = Classifier(model)
    images = registry.read([arrays(tmp_path / "a.npz", 7, 1, seed=1)], 48)
    expected = 0
    for y, x in ((0, 0), (0, 4), (4, 0), (4, 4), (2, 2)):
        cut = np.stack([cv2.resize(image[y : y + 44, x : x + 44], (48, 48)) for image in images.pixels])
        expected = expected + classifier.scores(cut) + classifier.scores(cut[:, :, ::-1])
    np.testing.assert_allclose(metrics.scores(classifier, images.pixels, ten_crop=True), expected / 10, atol=1e-6)


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
    assert written["per_class"]["happy"]["specificity"] == written["per_class"]["happy"]["recall"] == 1
    assert written["resources"]["testing"]["peak_memory_bytes"] > 50e6
    assert np.sum(written["confusion_matrix"]) == 35
    assert 0 <= written["ece"] <= 1
    assert sum(each["images"] for each in written["reliability"]) == 35
    assert cv2.imread(str(tmp_path / "out" / "confusion_matrix.png")).shape[0] > 300

    page = Page((tmp_path / "out" / "report.html").read_text())
    assert page.is_self_contained
    assert page.images == 4
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"confusion_matrix.csv", "confusion_matrix_normalized.csv", "mistakes.png", "right_answers.png"} <= files
    assert "resources of testing: " in output
    assert "images by class: angry 4, disgust 6, " in output
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
