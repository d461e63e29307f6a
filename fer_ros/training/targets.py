# SPDX-License-Identifier: Apache-2.0
"""Soft targets of the training images: their labels, mixed with crowd votes and with the scores of teachers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from fer_ros.datasets.face_images import FaceImages
from fer_ros.emotion.classifier import Classifier
from fer_ros.emotion.model_file import ModelMetadata
from fer_ros.evaluation import metrics
from fer_ros.training.recipe import Recipe, RecipeError

_FIRST_VIEW = 500_000
"""Added to a view's number for its seed; above the largest number of epochs, which have seeds too."""
_DRAWN_AT_ONCE = 512


@dataclass(frozen=True)
class View:
    """One augmented crop of every training image, and what the teachers say of it."""

    crops: torch.Tensor
    """(N, size, size) uint8, before parts are erased or covered."""
    scores: torch.Tensor
    """(N, classes) float32."""


class Targets:
    """The targets of a run's training images.

    Args:
        recipe: sets the weights of labels, votes and teachers.
        training: images with labels and, where known, crowd votes.
        teachers: model files or names of shipped models, whose mean scores are the teachers' part.

    Raises:
        RecipeError: a teacher has other labels or another input size, or no image has votes for `crowd_weight`.
        FileNotFoundError: a teacher does not exist.
        ModelFileError: a teacher cannot be loaded.
    """

    def __init__(self, recipe: Recipe, training: FaceImages, teachers: Sequence[str | Path] = ()):
        if recipe.crowd_weight and not training.count_with_votes():
            raise RecipeError("'crowd_weight' is above 0, but no training image has crowd votes")
        self._recipe = recipe
        self._labels = functional.one_hot(torch.from_numpy(training.targets), len(training.labels)).float()
        self._votes = None if training.crowd_votes is None else torch.from_numpy(training.crowd_votes)
        self._teachers = _load_teachers(recipe, training, teachers)
        self._scores: torch.Tensor | None = None
        self._views: dict[int, View] = {}
        self._pixels = training.pixels
        if self._teachers and recipe.teacher_view == "original":
            self._scores = _mean_scores(self._teachers, training.pixels)

    def view(self, epoch: int) -> View | None:
        """Return the view of all images that an epoch trains on; None: it draws its own crops.

        Each view is drawn and scored once, from a seed of its own, so that a resumed run has the same ones.
        """
        if not (self._teachers and self._recipe.teacher_views):
            return None
        number = epoch % self._recipe.teacher_views
        if number not in self._views:
            self._views[number] = self._draw(number)
        return self._views[number]

    def _draw(self, number: int) -> View:
        augmentation, size = self._recipe.augmentation, self._recipe.preprocessing.input_size
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._recipe.seed_of(_FIRST_VIEW + number))
            parts = torch.from_numpy(self._pixels).split(_DRAWN_AT_ONCE)
            crops = torch.cat([augmentation.move(part, size).round().byte() for part in parts])
        return View(crops, _mean_scores(self._teachers, crops.numpy()))

    def at(self, epoch: int, chosen: torch.Tensor, crops: torch.Tensor) -> torch.Tensor:
        """Return the targets of a batch.

        Args:
            epoch: number of the epoch, from 0.
            chosen: (N,) int64 indices of the training images, on the CPU.
            crops: (N, size, size) float32, gray levels 0..255: the augmented crops, for `teacher_view` augmented.

        Returns:
            (N, classes) float32 on the CPU; rows sum to 1.
        """
        targets = self._add_votes(self._labels[chosen], chosen, epoch)
        if not self._teachers:
            return targets
        view = self.view(epoch)
        if view is not None:
            scores = view.scores[chosen]
        elif self._scores is not None:
            scores = self._scores[chosen]
        else:
            scores = _mean_scores(self._teachers, self._enlarge(crops).round().byte().cpu().numpy())
        return (1 - self._recipe.teacher_weight) * targets + self._recipe.teacher_weight * scores

    def _enlarge(self, crops: torch.Tensor) -> torch.Tensor:
        """Return (N, size, size) crops of the input size; early epochs may have smaller ones."""
        size = self._recipe.preprocessing.input_size
        if crops.shape[-1] == size:
            return crops
        return functional.interpolate(crops[:, None], (size, size), mode="bilinear")[:, 0]

    def _add_votes(self, targets: torch.Tensor, chosen: torch.Tensor, epoch: int) -> torch.Tensor:
        weight = self._recipe.crowd_weight * (1 - epoch / self._recipe.epochs)
        if weight == 0 or self._votes is None:
            return targets
        votes = self._votes[chosen]
        weights = weight * votes.sum(dim=1, keepdim=True)  # 0 for images without votes
        return (1 - weights) * targets + weights * votes


def check_teacher(teacher: ModelMetadata, name: str | Path, recipe: Recipe, labels: tuple[str, ...]) -> None:
    """Raise a RecipeError where `teacher` has other labels or another input size than the training images."""
    if teacher.labels != labels:
        raise RecipeError(
            f"the teacher '{name}' predicts {', '.join(teacher.labels)}; the data has {', '.join(labels)}: "
            "train with a recipe without this teacher"
        )
    if teacher.preprocessing.input_size != recipe.preprocessing.input_size:
        raise RecipeError(
            f"the teacher '{name}' takes crops of {teacher.preprocessing.input_size} pixels, "
            f"not of {recipe.preprocessing.input_size} as in 'preprocessing.input_size'"
        )


def _load_teachers(recipe: Recipe, training: FaceImages, names: Sequence[str | Path]) -> list[Classifier]:
    teachers = [Classifier(name) for name in names]
    # All are checked before the first computes its scores, which takes minutes.
    for name, teacher in zip(names, teachers, strict=True):
        check_teacher(teacher.metadata, name, recipe, training.labels)
    for teacher in teachers:
        teacher.compile_batches()  # the same run gives the same weights only if it has the same targets
    return teachers


def _mean_scores(teachers: Sequence[Classifier], crops: np.ndarray) -> torch.Tensor:
    """Return (N, classes) float32: the mean of all teachers' scores of each uint8 crop and its mirror image."""
    return torch.from_numpy(np.mean([metrics.scores(each, crops, flip=True) for each in teachers], axis=0))
