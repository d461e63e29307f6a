# SPDX-License-Identifier: Apache-2.0
"""Why a number of ours is worse than the published one, in sentences made of the results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fer_ros.reproduction.papers import Row
from fer_ros.reproduction.results import Result

_LOWER_IS_BETTER = ("misclassification", "validation_loss")
_PERTURBED = ("rotation_black", "brightness")
_OVERFIT = 10.0
"""Points between training and validation accuracy from which more training does not help."""


def sentences(rows: Sequence[Row], results: Mapping[str, Result]) -> list[str]:
    """Return a sentence for each experiment that has a number worse than the published one among `rows`."""
    worse = [row for row in rows if row.experiment in results and is_worse(row, results[row.experiment])]
    names = dict.fromkeys(row.experiment for row in worse)
    return [
        f"`{name}`: {'; '.join(_reasons([row for row in worse if row.experiment == name], results[name]))}."
        for name in names
    ]


def is_worse(row: Row, result: Result) -> bool:
    """Return whether our number is measured and worse than the published one."""
    ours = result.measures.get(row.measure)
    if ours is None or row.published is None:
        return False
    return ours > row.published if row.measure.endswith(_LOWER_IS_BETTER) else ours < row.published


def is_perturbed(row: Row) -> bool:
    """Return whether the number is of changed images."""
    return row.measure.startswith(_PERTURBED)


def _reasons(worse: Sequence[Row], result: Result) -> Iterator[str]:
    perturbed = [row for row in worse if is_perturbed(row)]
    if perturbed:
        yield _of_draws(perturbed, result)
    yield _of_training(result)
    if result.training_images and any(row.measure.startswith(("macro", *result.training_images)) for row in worse):
        yield _of_classes(result)


def _of_training(result: Result) -> str:
    """Return how far the training got, and whether the accuracy still rose."""
    best = max(result.accuracies)
    trained = result.measures["training_accuracy"]
    if not result.is_complete:
        done = f"stopped after {result.epochs} of {result.epochs_of_recipe} epochs"
        half = result.epochs // 2
        before = max(result.accuracies[:half], default=best)
        if best > before:
            return f"{done} while its accuracy still rose, from {before:.1f} % after {half} to {best:.1f} %"
        return done if result.epochs == 1 else f"{done}, the last {result.epochs - result.best_epoch} without a gain"
    at_best = f"of the training images it recognizes {trained:.1f} % in its best epoch, {result.best_epoch}"
    if trained - result.measures["accuracy"] > _OVERFIT:
        return f"trained to the end, it overfits: {at_best}"
    return f"trained to the end, it is too small or too strongly regularized for more: {at_best}"


def _of_classes(result: Result) -> str:
    """Return what the class with the fewest training images does to the mean over the classes."""
    images = result.training_images
    recalls = {label: result.measures[f"{label}.recall"] for label in images}
    rare = min(images, key=lambda label: images[label])
    total = sum(images.values())
    others = [recall for label, recall in recalls.items() if label != rare]
    shares = f"{rare} has {images[rare]:,} of {total:,} training images and a recall of {recalls[rare]:.1f} %"
    means = [f"{sum(each) / len(each):.1f} %" for each in (others, recalls.values())]
    return f"{shares}, and the mean recall of the other classes is {means[0]} instead of {means[1]} with it"


def _of_draws(worse: Sequence[Row], result: Result) -> str:
    """Return how many of the published numbers are within the spread of our draws of as many images."""

    def is_within(row: Row) -> bool:
        low, high = (result.measures[f"{row.measure}.{end}"] for end in ("low", "high"))
        return row.published is not None and low <= row.published <= high

    beyond = [row.label for row in worse if not is_within(row)]
    numbers = f"{len(worse) - len(beyond)} of the paper's {len(worse)} better numbers are within 90 % of our 500 draws"
    return f"{numbers}, not those for {' and '.join(beyond)}" if beyond else numbers
