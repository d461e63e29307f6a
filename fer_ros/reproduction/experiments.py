# SPDX-License-Identifier: Apache-2.0
"""The experiments of the papers: which recipe is trained on which data set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fer_ros.registry import UnknownNameError, did_you_mean
from fer_ros.reproduction.papers import PAPERS

FER2013 = "fer2013"


@dataclass(frozen=True)
class Experiment:
    """One training run of a paper and its evaluation."""

    name: str
    """Of the experiment and of the folder of its run; begins with the paper's first author."""
    recipe: str
    data: str
    """Key of the data set in `DATA_SETS`."""
    epochs: int
    """Of the recipe."""
    epoch_minutes: float
    """Estimated time of an epoch on one CPU core, which the queue uses until the first epoch has been measured: the CPU
    time of a few batches on an Intel Xeon of 2.5 GHz with AVX-512, times the images of the data set."""
    options: tuple[str, ...] = ()
    """Of fer-train and fer-evaluate, for reading the data."""
    robustness: bool = False
    """Whether the paper also measures rotation and brightness."""

    @property
    def author(self) -> str:
        return self.name.partition("_")[0]

    @property
    def rows(self) -> int:
        """Numbers on the page of results that come from it: its value in the queue."""
        items = (item for paper in PAPERS for item in paper.items)
        return sum(row.experiment == self.name for item in items for row in item.rows)

    @property
    def minutes(self) -> float:
        """Estimated time of the whole run."""
        return self.epochs * self.epoch_minutes


DATA_SETS = {
    FER2013: "FER2013, as csv, folders or .npz",
    "kdef": "KDEF, the folder as published",
    "mead": "MEAD, the folder as published",
    "ravdess": "RAVDESS, the folder as published",
    "savee": "SAVEE, the folder as published",
}
"""Description by key."""
_DING = ("--by-image", "--detector", "dlib", "--skip-faulty")
"""How Ding et al. read their data sets."""
_DING_RAVDESS = (*_DING, "--channel", "speech", "--both-versions")


def _fer2013(recipe: str, epochs: int, epoch_minutes: float, *, robustness: bool = False) -> Experiment:
    return Experiment(recipe, recipe, FER2013, epochs, epoch_minutes, robustness=robustness)


EXPERIMENTS = {
    each.name: each
    for each in (
        _fer2013("vo_lite_xception", 250, 2.4),
        _fer2013("lyu_width_8", 100, 1.5, robustness=True),
        _fer2013("lyu_width_8_sgd", 100, 1.5),
        _fer2013("lyu_width_8_batch_15", 100, 2.4),
        _fer2013("lyu_width_8_batch_15_rate_0001", 100, 2.4),
        _fer2013("lyu_width_8_batch_15_rate_0001_150_epochs", 150, 2.4),
        _fer2013("lyu_width_64", 100, 22.7),
        _fer2013("lyu_width_64_sgd", 100, 22.7),
        _fer2013("lyu_batch_15", 100, 18.8),
        _fer2013("lyu_batch_15_rate_0001", 100, 18.8),
        _fer2013("lyu_batch_15_rate_0001_150_epochs", 150, 18.8, robustness=True),
        _fer2013("rao_mini_xception", 250, 1.4),
        _fer2013("rao_cnn", 250, 2.3),
        _fer2013("rao_densenet", 250, 4.3),
        _fer2013("rao_resnet50", 250, 21.1),
        _fer2013("rao_vgg", 250, 30.9),
        Experiment(
            "rao_mini_xception_kdef", "rao_mini_xception", "kdef", 250, 0.2, ("--views", "all", "--skip-faulty")
        ),
        _fer2013("yang_cnn_3", 50, 1.4),
        _fer2013("yang_cnn_4", 50, 1.4),
        _fer2013("yang_cnn_5", 50, 1.7),
        _fer2013("yang_cnn_6", 50, 2.1),
        Experiment("ding_dropout_03_savee", "ding_dropout_03", "savee", 50, 1.3, _DING),
        Experiment("ding_dropout_05_l1_savee", "ding_dropout_05_l1", "savee", 50, 1.3, _DING),
        Experiment(
            "ding_dropout_03_ravdess",
            "ding_dropout_03",
            "ravdess",
            50,
            7.6,
            _DING_RAVDESS,
        ),
        Experiment("ding_dropout_03_mead", "ding_dropout_03", "mead", 50, 74.0, (*_DING, "--views", "all")),
    )
}


def find(names: Sequence[str]) -> list[Experiment]:
    """Return the experiments called `names`, or of the authors called so; all where there are no names.

    Raises:
        UnknownNameError: there is no such experiment or author; names the nearest.

    Example:
        >>> [experiment.name for experiment in find(["yang_cnn_3", "ding"])][:2]
        ['yang_cnn_3', 'ding_dropout_03_savee']
    """
    authors = {experiment.author for experiment in EXPERIMENTS.values()}
    chosen: dict[str, Experiment] = {}
    for name in names or EXPERIMENTS:
        matching = [each for each in EXPERIMENTS.values() if name in (each.name, each.author)]
        if not matching:
            near = did_you_mean(name, [*EXPERIMENTS, *authors])
            raise UnknownNameError(f"unknown experiment '{name}'{near}; fer-reproduce --list lists all")
        chosen |= {each.name: each for each in matching}
    return list(chosen.values())


def by_value(experiments: Iterable[Experiment]) -> list[Experiment]:
    """Return experiments in the order of the queue: most published numbers for the time first."""
    return sorted(experiments, key=lambda each: each.minutes / each.rows)
