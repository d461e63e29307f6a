# SPDX-License-Identifier: Apache-2.0
"""The training and validation images of a run."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer_ros.datasets import registry
from fer_ros.datasets.face_images import DataError, FaceImages
from fer_ros.evaluation.calibration import FEW_IMAGES

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingData:
    """Images to train on and images to choose the best epoch on; no image is in both."""

    training: FaceImages
    validation: FaceImages
    facts: dict[str, Any]
    """Paths and numbers of images, for `run.json` and the progress reporter."""
    provenance: dict[str, Any]
    """Identifies the images in the model files; see `ModelMetadata.data`."""


def read_training_data(
    sources: Sequence[str | Path], image_size: int, seed: int, options: Mapping[str, Any], hold_out: float = 0.0
) -> TrainingData:
    """Return the images of a data set for training.

    Training images that are also validation images, pixel by pixel, are left out: the network would recognize them
    instead of generalizing.

    Args:
        sources: see `registry.read`.
        image_size: side of the images, pixels.
        seed: draws the validation images where the data set has no split for them, or with `hold_out`.
        options: of the data set's reader.
        hold_out: see `Recipe.hold_out`.

    Raises:
        DataError: the data cannot be read, has fewer than two classes, a class has no training image, or no image is
            left to validate on.
    """
    images = registry.read(sources, image_size, **options)
    training, validation = images.for_training(seed, hold_out)
    repeated = training.also_in(validation)
    repeated_targets = training.targets[repeated]
    training = training.take(~repeated)
    source = " ".join(map(str, sources))
    if len(images.labels) < 2:
        raise DataError(f"{source}: all images are of the class '{images.labels[0]}'; training needs two or more")
    _check_every_class(source, training, repeated_targets)
    if not len(validation):
        raise DataError(
            f"{source}: no image is left to choose the best epoch on, as no class has two images; add images, or a "
            "folder 'val' beside 'train'"
        )
    missing = [label for label, count in validation.class_counts().items() if not count]
    if missing or len(validation) <= FEW_IMAGES:
        _log.warning(
            "%s: only %d validation images%s: the best epoch, the accuracy and the calibration are uncertain",
            source,
            len(validation),
            f", none of {', '.join(missing)}" if missing else "",
        )
    facts = {
        "data": [str(path) for path in registry.paths_of(sources)],
        "training_images": len(training),
        "validation_images": len(validation),
        "training_images_by_class": training.class_counts(),
        "validation_images_by_class": validation.class_counts(),
        **({"training_images_with_crowd_votes": voted} if (voted := training.count_with_votes()) else {}),
        **({"classes_without_validation_images": missing} if missing else {}),
        "duplicates_left_out": int(repeated.sum()),
        **{name: value for name, value in {**options, "hold_out": hold_out}.items() if value},
    }
    provenance = {"training": training.fingerprint(), "validation": validation.fingerprint(), "seed": seed}
    if hold_out:
        provenance["hold_out"] = hold_out
    return TrainingData(training, validation, facts, provenance)


def _check_every_class(source: str, training: FaceImages, repeated_targets: np.ndarray) -> None:
    """Check that every class has a training image.

    Args:
        source: names the data.
        training: the images that are left.
        repeated_targets: classes of those that were left out because they are also validation images.
    """
    for target, (label, count) in enumerate(training.class_counts().items()):
        if not count:
            left_out = int((repeated_targets == target).sum())
            reason = f": {left_out} were left out, as the same images are in the validation part" if left_out else ""
            raise DataError(f"{source}: the class '{label}' has no training image{reason}")
