# SPDX-License-Identifier: Apache-2.0
"""Measure the shipped models on FER2013's PublicTest and write the tables of the documents anew.

python -m benchmarks.model_tables --data FER2013 [--documents FILE ...] takes some minutes for each model. The tables
are those below a line `<!-- model_tables: NAME MODEL ... -->`, with a NAME of `TABLES`; no other text is changed.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from benchmarks import crops
from benchmarks.detection import ROOT
from fer_ros.datasets import registry
from fer_ros.datasets.face_images import FaceImages
from fer_ros.emotion.classifier import Classifier
from fer_ros.evaluation import metrics, mixed_calibration, robustness
from fer_ros.evaluation.metrics import Evaluation
from fer_ros.evaluation.perturbations import COVERS, blurred, noisy
from fer_ros.evaluation.robustness import PerturbedAccuracy
from fer_ros.people.hysteresis import HysteresisSettings
from fer_ros.reproduction.papers import CLASSES_OF_VO
from fer_ros.types import Box

DOCUMENTS = (
    "models/mini_xception.md",
    "models/res_se.md",
    "docs/reports/models.md",
    "docs/reports/results.md",
    "docs/reports/emotions-over-time.md",
)
MARKED_TABLE = re.compile(r"(<!-- model_tables: (\w+) ([\w ]+) -->\n\n)(?:\|.*\n)+")
ROTATIONS = (1, 4, 8, 10, 15, 20, 30, 45)
BRIGHTNESSES = (0.3, 0.5, 0.7, 0.9, 1.1, 1.2, 1.3, 1.4, 1.5, 1.8, 2, 2.2, 3)
NAMED_THRESHOLDS = (0.3, 0.35, 0.4, 0.5, 0.6, 0.65, 0.7)
CHANGES: dict[str, tuple[str, tuple[float | str, ...]]] = {
    "rotated by {} degrees": ("rotation", (10, 20, 30, 45)),
    "brightness times {}": ("brightness", (0.3, 0.5, 1.5, 2)),
    "side of the crop times {}": ("scale", (0.7, 0.8, 0.9, 1.1, 1.2, 1.3)),
    "crop shifted by {} sides": ("translation", (0.06, 0.12, 0.2)),
    "{} covered with the mean gray": ("cover", tuple(COVERS)),
}
CLASS_MEASURES = {"recall": "recall", "misclassification": "misclassification, 1 - precision", "f1": "F1"}
"""Title by measure."""


class Model:
    """A shipped model and what is measured of it; each measurement is made when it is first asked for."""

    def __init__(self, name: str, images: FaceImages, faces: Callable[[], dict[int, Box]]):
        self.name = name
        self.classifier = Classifier(name)
        _, self.images = images.for_training(0)
        training = images.split("training")
        self.repeated = self.images.also_in(training)
        self.targets = metrics.targets_for(self.classifier.labels, self.images)
        self._faces = faces

    @cached_property
    def clean(self) -> tuple[Evaluation, Evaluation]:
        return self._measure()

    @cached_property
    def mirrored(self) -> tuple[Evaluation, Evaluation]:
        return self._measure(flip=True)

    @cached_property
    def ten_crop(self) -> tuple[Evaluation, Evaluation]:
        return self._measure(ten_crop=True)

    def _measure(self, **views: bool) -> tuple[Evaluation, Evaluation]:
        """Return the measures of all images, and of those that are not training images as well."""
        scores, own = metrics.scores(self.classifier, self.images.pixels, **views), ~self.repeated
        labels = self.classifier.labels
        return metrics.measure(scores, self.targets, labels), metrics.measure(scores[own], self.targets[own], labels)

    @cached_property
    def robustness(self) -> robustness.Robustness:
        return robustness.measure(self.classifier, self.images)

    def perturbed(self, kind: str, value: float | str) -> PerturbedAccuracy:
        return next(row for row in self.robustness.rows[kind] if row.value == value)

    @cached_property
    def calibration(self) -> dict[str, tuple[float, float, float]]:
        """Accuracy and the ECE with the file's temperature and with the mixed one, by condition."""
        temperature, rows = mixed_calibration.fit(self.classifier, self.images)
        print(f"{self.name}: temperature {self.classifier.metadata.temperature:.3f}, of the mix {temperature:.3f}")
        measured = {row.condition: (row.accuracy, row.ece_before, row.ece_after) for row in rows}
        for condition, pixels in (
            ("blur of 1.5 pixels, not in the mix", blurred(self.images.pixels, 1.5)),
            ("noise of 10 gray levels, not in the mix", noisy(self.images.pixels, 10)),
        ):
            scores = metrics.scores(self.classifier, pixels)
            results = [
                metrics.measure(each, self.targets, self.classifier.labels)
                for each in (scores, self._at(temperature, scores))
            ]
            measured[condition] = (results[0].accuracy, results[0].ece, results[1].ece)
        return measured

    def _at(self, temperature: float, scores: np.ndarray) -> np.ndarray:
        """Return the scores with another temperature than the file's."""
        power = scores ** (self.classifier.metadata.temperature / temperature)
        return power / power.sum(axis=1, keepdims=True)

    @cached_property
    def boxes(self) -> dict[str, Evaluation]:
        """The measures on FER2013's crops and on the detector's boxes of the same images."""
        return crops.evaluate(self.name, self.images.pixels, self.targets, self._faces())


def percent(value: float, digits: int = 1) -> str:
    return f"{100 * value:.{digits}f}"


def draws(row: PerturbedAccuracy) -> str:
    return f"{percent(row.drawn)} ({percent(row.drawn_low, 0)} to {percent(row.drawn_high, 0)})"


def views(model: Model) -> list[list[str]]:
    """Return accuracy with one or more views of each image."""
    rows = (("single crop", model.clean), ("`--flip`", model.mirrored), ("`--ten-crop`", model.ten_crop))
    return [
        [f"`{model.name}`", "accuracy", "without duplicates", "ECE"],
        *(
            [name, f"{percent(whole.accuracy, 2)} %", f"{percent(own.accuracy, 2)} %", f"{whole.ece:.3f}"]
            for name, (whole, own) in rows
        ),
    ]


def accuracy(model: Model) -> list[list[str]]:
    """Return accuracy of all images, and without those that are training images too."""
    names = ("all of PublicTest", "without those identical to a training image")
    pairs = list(zip(names, model.clean, model.mirrored, strict=True))
    return [
        ["", "images", "single crop", "with its mirror image"],
        *(
            [name, str(one.images), f"{percent(one.accuracy, 2)} %", f"{percent(both.accuracy, 2)} %"]
            for name, one, both in pairs
        ),
    ]


def classes(model: Model) -> list[list[str]]:
    """Return precision, recall and F1 of each class."""
    result = model.clean[0]
    rows = [[label, each.precision, each.recall, each.f1, each.support] for label, each in result.per_class.items()]
    for average in ("macro", "weighted"):
        measures = [getattr(result, f"{average}_{measure}") for measure in ("precision", "recall", "f1")]
        rows.append([f"{average} average", *measures, result.images])
    return [
        ["single crop, %", "precision", "recall", "F1", "images"],
        *([name, *map(percent, measures), str(images)] for name, *measures, images in rows),
    ]


def classes_beside_vo(model: Model) -> list[list[str]]:
    """Return measures of each class beside those of Vo and Vo."""
    rows = [["", *model.classifier.labels]]
    for measure, title in CLASS_MEASURES.items():
        ours = [getattr(each, measure) or 0 for each in model.clean[0].per_class.values()]
        rows += [[title, *map(percent, ours)], ["Vo and Vo", *map(str, CLASSES_OF_VO[measure])]]
    return rows


def changes(model: Model) -> list[list[str]]:
    """Return accuracy under single changes."""
    rows = [["one change at a time", "accuracy, % of all images"]]
    for title, (kind, values) in CHANGES.items():
        shares = (percent(model.perturbed(kind, value).all_images) for value in values)
        rows.append([title.format(", ".join(map(robustness.value_text, values))), ", ".join(shares)])
    return rows


def rotation(model: Model) -> list[list[str]]:
    """Return accuracy by rotation beside Lyu, on all images and on 21 of the recognized ones."""
    rows = [["rotation", "all images", "black", "all recognized", "black", "21 of them", "black", "Lyu, of 21"]]
    for value in ROTATIONS:
        one, black = (model.perturbed(kind, value) for kind in ("rotation", "rotation_black"))
        shares = [percent(share) for share in (one.all_images, black.all_images, one.recognized, black.recognized)]
        rows.append([f"{value}°", *shares, draws(one), draws(black), robustness.PUBLISHED["rotation"].get(value, "")])
    return rows


def brightness(model: Model) -> list[list[str]]:
    """Return accuracy by brightness beside Lyu."""
    rows = [["brightness", "all images", _recognized(model), "21 of them", "Lyu, of 21"]]
    for value in BRIGHTNESSES:
        row = model.perturbed("brightness", value)
        rows.append([f"{value:g}", *_shares(row), draws(row), robustness.PUBLISHED["brightness"].get(value, "")])
    return rows


def covers(model: Model) -> list[list[str]]:
    """Return accuracy with parts covered."""
    rows = [["covered with the mean gray", "all images", _recognized(model), "21 of them"]]
    return [*rows, *([part, *_shares(row), draws(row)] for part in COVERS for row in [model.perturbed("cover", part)])]


def _recognized(model: Model) -> str:
    return f"all {model.robustness.recognized_images:,} recognized"


def _shares(row: PerturbedAccuracy) -> list[str]:
    return [percent(row.all_images), percent(row.recognized)]


def of_kind(kind: str, title: str, values: tuple[float, ...]) -> Callable[..., list[list[str]]]:
    """Return a table of the accuracy of several models at the values of one perturbation."""

    def table(*models: Model) -> list[list[str]]:
        return [
            [title, *(f"{value:g}" for value in values)],
            *(
                [f"`{model.name}`", *(percent(model.perturbed(kind, value).all_images) for value in values)]
                for model in models
            ),
        ]

    return table


def calibration(*models: Model) -> list[list[str]]:
    """Return calibration with the file's temperature and with that of the mix."""
    rows = [[""]]
    for model in models:
        rows[0] += [f"`{model.name}` accuracy, %", "as shipped", "mixed"]
    for condition in models[0].calibration:
        row = [condition.replace("detector's placement", "crops drawn from the detector's placement")]
        for model in models:
            share, before, after = model.calibration[condition]
            row += [percent(share), f"{before:.3f}", f"{after:.3f}"]
        rows.append(row)
    return rows


def boxes(*models: Model) -> list[list[str]]:
    """Return accuracy and calibration on FER2013's crops and on the detector's boxes."""
    rows = [["", "accuracy, %", "ECE", "AURC", "`min_confidence` to be right 85 % of the time", "named, %"]]
    for model in models:
        for kind, name in (("frame", f"`{model.name}`, original crop"), ("detector", "detector's box")):
            rows.append([name, *crops.cells(model.boxes[kind])])
    return rows


def named(*models: Model) -> list[list[str]]:
    """Return what a threshold on the confidence names on the detector's boxes, and how much of it is right."""
    rows = [["`min_confidence`"]]
    for model in models:
        rows[0] += [f"`{model.name}` named", "right of these", "of the others"]
    for threshold in NAMED_THRESHOLDS:
        row = [f"**{threshold:.2f}**" if threshold == HysteresisSettings.min_confidence else f"{threshold:.2f}"]
        for model in models:
            result = model.boxes["detector"]
            at = next(each for each in result.risk_coverage if each.threshold == threshold)
            others = (result.accuracy - at.coverage * at.accuracy) / (1 - at.coverage)
            row += [f"{percent(share, 0)} %" for share in (at.coverage, at.accuracy, others)]
        rows.append(row)
    return rows


TABLES: dict[str, Callable[..., list[list[str]]]] = {
    "views": views,
    "accuracy": accuracy,
    "classes": classes,
    "classes_beside_vo": classes_beside_vo,
    "changes": changes,
    "rotation": rotation,
    "brightness": brightness,
    "covers": covers,
    "sides": of_kind("scale", "side of the crop, times", (0.7, 0.8, 0.85, 0.9, 0.95, 1.05, 1.1, 1.2, 1.3)),
    "shifts": of_kind("translation", "shifted by, sides", (0.03, 0.06, 0.09, 0.12, 0.15, 0.2)),
    "rolls": of_kind("rotation", "rotated by, degrees", (2, 4, 8, 12, 15, 20, 30)),
    "calibration": calibration,
    "boxes": boxes,
    "named": named,
}


def markdown(rows: list[list[str]]) -> str:
    """Return a table, the first row as its head."""
    head, *body = (f"| {' | '.join(row)} |\n".replace("|  |", "| |") for row in rows)
    return "".join([head, "|---" * len(rows[0]) + "|\n", *body])


def main() -> None:
    """Rewrite the tables of all documents."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", required=True, help="FER2013 as fer-train takes it")
    parser.add_argument(
        "--documents", nargs="+", default=DOCUMENTS, metavar="FILE", help="default: all with such tables"
    )
    options = parser.parse_args()
    images = registry.read(options.data, 48)

    faces = cache(lambda: crops.detect_faces(images.for_training(0)[1].pixels))
    models = {name: Model(name, images, faces) for name in ("mini_xception", "res_se")}

    def rewritten(marked: re.Match[str]) -> str:
        return marked[1] + markdown(TABLES[marked[2]](*(models[name] for name in marked[3].split())))

    for document in options.documents:
        path: Path = ROOT / document
        path.write_text(MARKED_TABLE.sub(rewritten, path.read_text()))
        print(path, flush=True)


if __name__ == "__main__":
    main()
