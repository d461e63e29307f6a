# SPDX-License-Identifier: Apache-2.0
"""Choose the images of an evaluation, and find those that the model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fer_ros.datasets.face_images import SPLITS, DataError, FaceImages
from fer_ros.emotion.model_file import ModelMetadata


@dataclass(frozen=True)
class Provenance:
    """The part that the images of a data set had in the training of a model."""

    model_id: str
    training: np.ndarray
    """(N,) bool: the network was trained on it."""
    validation: np.ndarray
    """(N,) bool: the best epoch and the temperature were chosen on it."""
    seed: int
    """Drew the validation images if `drawn`."""
    drawn: bool
    """Whether the validation images were held out of the training images; else they are the split public."""


def find_provenance(model_id: str, metadata: ModelMetadata, images: FaceImages) -> Provenance | None:
    """Return the part that `images` had in the training of a model.

    Args:
        model_id: of the model, for messages.
        metadata: of the model; `data` identifies its training and validation images.
        images: every image of a data set, of all splits, in the model's input size.

    Returns:
        None where the model file does not identify its images, or where they are others.
    """
    found = None
    data: Any = metadata.data
    # The runs before, whose weights this one started from, used their own images.
    while isinstance(data, dict) and data:
        masks = _masks(data, images)
        if masks and found:
            found.training[masks[0]] = True
        elif masks:
            drawn = not images.has_split("public") or bool(data.get("hold_out"))
            found = Provenance(model_id, *masks, data["seed"], drawn)
        data = data.get("init_from")
    return found


def _masks(data: dict[str, Any], images: FaceImages) -> tuple[np.ndarray, np.ndarray] | None:
    """Return which of `images` are the training and the validation images that `data` identifies, if they are."""
    seed, hold_out = data.get("seed"), data.get("hold_out", 0)
    if not images.has_split("training") or not isinstance(seed, int) or seed < 0:
        return None
    if not isinstance(hold_out, (int, float)) or not 0 <= hold_out < len(images):
        return None
    training, validation = images.training_masks(seed, hold_out)
    held_out = images.take(validation)
    if held_out.fingerprint() != data.get("validation"):
        return None
    training[training] = ~images.take(training).also_in(held_out)
    return (training, validation) if images.take(training).fingerprint() == data.get("training") else None


@dataclass(frozen=True)
class Selection:
    """The images of an evaluation."""

    mask: np.ndarray
    """(N,) bool, over all images of the data set."""
    notes: tuple[str, ...]
    """Sentences about images that the models were trained on, and about how the images were chosen."""


def select(images: FaceImages, split: str, known: Sequence[Provenance]) -> Selection:
    """Return the images of the split `split`.

    Args:
        images: every image of a data set, of all splits.
        split: one of `SPLITS`; "all" for every image; or "validation" for the images that the first of the models chose
            its best epoch on. Of data without a public split, "public" are these as well.
        known: of the models that are evaluated and that were trained on these images.

    Raises:
        DataError: there is no such image; the message lists the splits and their sizes.
    """
    no_public = split == "public" and not images.has_split("public") and images.has_split("training")
    if split == "validation" or no_public:
        mask, notes = _validation(images, "the data has no split 'public': " if no_public else "", known)
    else:
        images.split(split)  # raises the error for an empty split
        mask = np.ones(len(images), bool) if split == "all" else images.splits == SPLITS.index(split)
        notes = []
    notes += _overlaps(mask, known)
    if split == "training" and not known:
        notes.append("these are training images: a model that was trained on them scores higher than on new images")
    return Selection(mask, tuple(notes))


def _validation(images: FaceImages, reason: str, known: Sequence[Provenance]) -> tuple[np.ndarray, list[str]]:
    """Return the mask of the images that the first of the models chose its epoch on, and a note about them."""
    if not known:
        raise DataError(
            f"{reason}the {int((images.splits == 0).sum())} training images are not those that the model file records, "
            "so the part that its run held out is unknown: if the model was never trained on these images, evaluate it "
            "on all of them with --split all"
        )
    first = known[0]
    how = f"held out (seed {first.seed})" if first.drawn else "chose its best epoch on"
    return first.validation, [
        f"{reason}evaluated on the {first.validation.sum()} images that the run of {first.model_id} {how}"
    ]


def _overlaps(mask: np.ndarray, known: Sequence[Provenance]) -> list[str]:
    """Return a sentence for each model that was trained on, or chosen on, some of the images in `mask`."""
    notes = []
    for each in known:
        if trained_on := int((mask & each.training).sum()):
            notes.append(f"{each.model_id} was trained on {trained_on} of these {mask.sum()} images")
        if chosen_on := int((mask & each.validation).sum()):
            notes.append(
                f"the epoch and the temperature of {each.model_id} were chosen on {chosen_on} of these "
                f"{mask.sum()} images"
            )
    return notes
