"""What each training image is to be answered with: its label, what a crowd said, what teachers think."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from fer_ros.datasets.registry import FaceImages
from fer_ros.emotion.classifier import Classifier
from fer_ros.evaluation import metrics
from fer_ros.training.recipe import Recipe, RecipeError


class Targets:
    """The targets of a run's training images.

    Args:
        recipe: says how much of each target comes from whom.
        training: images with labels and, where known, the crowd's votes.

    Raises:
        RecipeError: a teacher answers other labels, or wants crops of another size.
        FileNotFoundError, ModelFileError: there is no such teacher, or it cannot be used.
    """

    def __init__(self, recipe: Recipe, training: FaceImages):
        self._recipe = recipe
        self._own = functional.one_hot(torch.from_numpy(training.targets), len(training.labels)).float()
        self._votes = None if training.crowd_votes is None else torch.from_numpy(training.crowd_votes)
        self._teachers_scores = _mean_scores(recipe, training)

    def at(self, epoch: int) -> torch.Tensor:
        """(N, classes) float32, rows sum to 1: the targets in `epoch`, from 0."""
        return self._taught(self._voted(self._own, epoch))

    def _voted(self, targets: torch.Tensor, epoch: int) -> torch.Tensor:
        share = self._recipe.crowd_weight * (1 - epoch / self._recipe.epochs)
        if share == 0 or self._votes is None:
            return targets
        share = share * self._votes.sum(dim=1, keepdim=True)  # 0 where nobody voted
        return (1 - share) * targets + share * self._votes

    def _taught(self, targets: torch.Tensor) -> torch.Tensor:
        if self._teachers_scores is None:
            return targets
        return (1 - self._recipe.teacher_weight) * targets + self._recipe.teacher_weight * self._teachers_scores


def _mean_scores(recipe: Recipe, training: FaceImages) -> torch.Tensor | None:
    """(N, classes) float32: the mean of all teachers' scores of each image and its mirror image."""
    if not recipe.teachers:
        return None
    # All are looked at before the first begins, which takes a while.
    teachers = [_teacher(name, recipe, training) for name in recipe.teachers]
    return torch.from_numpy(np.mean([metrics.scores(each, training, flip=True) for each in teachers], axis=0))


def _teacher(name: str, recipe: Recipe, training: FaceImages) -> Classifier:
    teacher = Classifier(name)
    if teacher.labels != training.labels:
        raise RecipeError(
            f"the teacher '{name}' answers {', '.join(teacher.labels)}; the data has {', '.join(training.labels)}"
        )
    if teacher.preprocessing.input_size != recipe.preprocessing.input_size:
        raise RecipeError(
            f"the teacher '{name}' takes crops of {teacher.preprocessing.input_size} pixels, "
            f"not of {recipe.preprocessing.input_size} as in 'preprocessing.input_size'"
        )
    return teacher
