# SPDX-License-Identifier: Apache-2.0
"""Labeled faces in memory: what every data set reader returns."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fer_ros.media.resize import resize_to_square

SPLITS = ("training", "public", "private")
"""FER2013's names: train on the first, choose models on the second, report the third once."""


class DataError(ValueError):
    """Data that cannot be used; the message names the file, the place in it and the fault."""


@dataclass(frozen=True)
class FaceImages:
    """N gray faces of one size with their labels."""

    pixels: np.ndarray
    """(N, size, size) uint8."""
    targets: np.ndarray
    """(N,) int64: index into `labels`."""
    labels: tuple[str, ...]
    splits: np.ndarray
    """(N,) uint8: index into `SPLITS`."""
    crowd_votes: np.ndarray | None = None
    """(N, len(labels)) float32: share of the votes for each label; rows sum to 1, or to 0 for images without votes."""

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, which: np.ndarray) -> FaceImages:
        """Return the images at the indices `which`, or where the boolean mask `which` is true."""
        crowd_votes = None if self.crowd_votes is None else self.crowd_votes[which]
        return replace(
            self,
            pixels=self.pixels[which],
            targets=self.targets[which],
            splits=self.splits[which],
            crowd_votes=crowd_votes,
        )

    def split(self, name: str) -> FaceImages:
        """Return the images of the split `name`, or every image for "all".

        Raises:
            DataError: there are none; the message lists the splits and their sizes.
        """
        if name == "all":
            return self
        chosen = self.splits == SPLITS.index(name)
        if not chosen.any():
            there = [f"{split} ({n})" for i, split in enumerate(SPLITS) if (n := int((self.splits == i).sum()))]
            raise DataError(f"the data has no image in the split '{name}'; it has: {', '.join(there)}")
        return self.take(chosen)

    def for_training(self, seed: int, hold_out: float = 0.0) -> tuple[FaceImages, FaceImages]:
        """Return the images to train on and those to choose the best epoch on.

        With `hold_out` the latter are that number (1 and above) or share (below 1) of the training images, drawn by
        `seed` from each class in proportion; the split public is then in neither. Without it these are the splits
        training and public, or, without a public split, one in ten images of each class is held out.

        Raises:
            DataError: there are no training images, or `hold_out` would leave none.
        """
        count = len(self.split("training"))  # raises the error for data without training images
        if hold_out >= count:
            raise DataError(
                f"'hold_out' is {hold_out:g}, but the data has only {count} training images; "
                "give --hold-out fewer, or a share below 1"
            )
        training, validation = self.training_masks(seed, hold_out)
        return self.take(training), self.take(validation)

    def count_with_votes(self) -> int:
        """Return the number of images with crowd votes."""
        return 0 if self.crowd_votes is None else int(self.crowd_votes.any(axis=1).sum())

    def has_split(self, name: str) -> bool:
        """Return whether the split `name` has an image."""
        return bool((self.splits == SPLITS.index(name)).any())

    def training_masks(self, seed: int, hold_out: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Return which images `for_training` returns as training and as validation images: (N,) bool each."""
        training = self.splits == SPLITS.index("training")
        if self.has_split("public") and not hold_out:
            return training, self.splits == SPLITS.index("public")
        indices = np.flatnonzero(training)
        order = indices[np.random.default_rng(seed).permutation(len(indices))]
        held_out = np.zeros(len(self), bool)
        held_out[self._proportional(order, hold_out) if hold_out else self._tenth_of_each_class(order)] = True
        return training & ~held_out, held_out

    def _tenth_of_each_class(self, order: np.ndarray) -> np.ndarray:
        """Return the first of the indices `order`: a tenth of each class, at least one of two or more."""
        classes = [order[self.targets[order] == target] for target in range(len(self.labels))]
        return np.concatenate([of_class[: len(of_class) // 10 or len(of_class) > 1] for of_class in classes])

    def _proportional(self, order: np.ndarray, amount: float) -> np.ndarray:
        """Return a number (1 and above) or share of the indices `order`, from each class in proportion."""
        rank = np.empty(len(order))
        for target in range(len(self.labels)):
            of_class = self.targets[order] == target
            rank[of_class] = (np.arange(of_class.sum()) + 0.5) / max(of_class.sum(), 1)
        count = round(amount if amount >= 1 else amount * len(order))
        return order[np.argsort(rank, kind="stable")[:count]]

    def class_counts(self) -> dict[str, int]:
        """Return the number of images by label."""
        counts = np.bincount(self.targets, minlength=len(self.labels))
        return dict(zip(self.labels, counts.tolist(), strict=True))

    def identities(self) -> np.ndarray:
        """Return (N,) 16-byte digests, equal for images with equal pixels."""
        digests = [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in self.pixels]
        return np.array(digests, "V16").reshape(len(self))

    def also_in(self, other: FaceImages) -> np.ndarray:
        """Return (N,) bool: whether the same image, pixel by pixel, is also in `other`."""
        known = {digest.tobytes() for digest in other.identities()}
        return np.array([digest.tobytes() in known for digest in self.identities()], bool).reshape(len(self))

    def fingerprint(self) -> str:
        """Return a short digest of pixels and targets, which identifies the data."""
        digest = hashlib.blake2b(self.pixels.tobytes(), digest_size=8)
        digest.update(self.targets.tobytes())
        return digest.hexdigest()


def concatenate(parts: Sequence[FaceImages]) -> FaceImages:
    """Return all images of `parts`, in order; where only some parts have crowd votes, the rows of the others are 0.

    Raises:
        DataError: the parts have different labels.
    """
    if any(part.labels != parts[0].labels for part in parts):
        raise DataError(f"data sets with different labels: {' and '.join(str(list(p.labels)) for p in parts)}")
    return FaceImages(
        pixels=np.concatenate([part.pixels for part in parts]),
        targets=np.concatenate([part.targets for part in parts]),
        labels=parts[0].labels,
        splits=np.concatenate([part.splits for part in parts]),
        crowd_votes=_concatenate_votes(parts),
    )


def _concatenate_votes(parts: Sequence[FaceImages]) -> np.ndarray | None:
    if all(part.crowd_votes is None for part in parts):
        return None
    return np.concatenate(
        [
            np.zeros((len(part), len(part.labels)), np.float32) if part.crowd_votes is None else part.crowd_votes
            for part in parts
        ]
    )


def resize_all(pixels: np.ndarray, image_size: int) -> np.ndarray:
    """Return (N, height, width) uint8 images scaled to (N, image_size, image_size), with their proportions kept."""
    if pixels.shape[1:] == (image_size, image_size):
        return pixels
    scaled = [resize_to_square(image, image_size) for image in pixels]
    return np.stack(scaled) if scaled else np.empty((0, image_size, image_size), np.uint8)
