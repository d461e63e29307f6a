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
    training = training.take(~repeated)
    source = " ".join(map(str, sources))
    if len(images.labels) < 2:
        raise DataError(f"{source}: all images are of the class '{images.labels[0]}'; training needs two or more")
    training.check_every_label(source)
    if not len(validation):
        raise DataError(
            f"{source}: no image is left to choose the best epoch on, as no class has two images; add images, or a "
            "folder 'val' beside 'train'"
        )
    counts = np.bincount(validation.targets, minlength=len(images.labels))
    missing = [label for label, count in zip(images.labels, counts, strict=True) if not count]
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
        **({"training_images_with_crowd_votes": voted} if (voted := training.count_with_votes()) else {}),
        **({"classes_without_validation_images": missing} if missing else {}),
        "duplicates_left_out": int(repeated.sum()),
        **{name: value for name, value in {**options, "hold_out": hold_out}.items() if value},
    }
    provenance = {"training": training.fingerprint(), "validation": validation.fingerprint(), "seed": seed}
    if hold_out:
        provenance["hold_out"] = hold_out
    return TrainingData(training, validation, facts, provenance)
