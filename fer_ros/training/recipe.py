# SPDX-License-Identifier: Apache-2.0
"""Recipes: YAML files that hold every setting of a training run, apart from the data.

A recipe describes one run, or several `stages` that follow each other. A stage overrides keys of the recipe and starts
from the best weights of an earlier stage:

    network: mini_xception
    epochs: 50
    stages:
      - name: first
      - name: second
        epochs: 20
        teachers: [first]
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import yaml

from fer_ros import networks, resources
from fer_ros.emotion.model_file import BEST
from fer_ros.emotion.preprocessing import Preprocessing
from fer_ros.files import atomic_write, read_regular_file
from fer_ros.text import printable
from fer_ros.training.augmentation import RESAMPLING, Augmentation
from fer_ros.training.recipe_keys import RecipeError, build, nearest, shown

__all__ = ["Recipe", "RecipeError", "Stage", "StagedRecipe", "flatten", "from_dict", "load", "parse", "save"]


@dataclass(frozen=True)
class Recipe:
    """Settings of one training run, or of one stage of it.

    Raises:
        RecipeError: a value is out of range, or does not fit the network.
    """

    network: str
    """Name in `fer_ros.networks.NETWORKS`."""
    epochs: int
    network_options: dict[str, Any] = field(default_factory=dict)
    """Options of that network, such as its width."""
    batch_size: int = 128
    optimizer: str = "sgd"
    """sgd, with Nesterov momentum, or adam (Kingma, Ba 2015)."""
    schedule: str = "one_cycle"
    """one_cycle (Smith, Topin 2017); plateau: the rate is multiplied by `plateau_factor` each time the validation loss
    has not improved for more than `patience` epochs; or constant."""
    learning_rate: float = 0.1
    """Peak of the one-cycle schedule, initial rate of the others."""
    warm_up: float = 0.2
    """Share of a one-cycle run in which the rate rises linearly; it then falls to 0 along a cosine."""
    patience: int = 10
    plateau_factor: float = 0.1
    momentum: float = 0.9
    """Of SGD; the first beta of Adam."""
    l1: float = 0.0
    """L1 penalty: factor of the sum of absolute weights of the linear layers, added to the loss."""
    weight_decay: float = 5e-4
    """L2 penalty on convolution and linear weights, not on batch norm and biases."""
    label_smoothing: float = 0.1
    """Share of each target spread evenly over all classes (Szegedy et al. 2016)."""
    crowd_weight: float = 0.0
    """Share of each target taken from FERPlus votes in the first epoch; it falls linearly to 0, so that the last epochs
    learn the data set's own labels."""
    teachers: list[str] = field(default_factory=list)
    """Models whose mean scores on the training images become part of the targets (distillation; Hinton, Vinyals, Dean
    2015): earlier stages, shipped models, or files relative to the recipe."""
    teacher_weight: float = 0.5
    """Share of each target taken from the teachers."""
    teacher_view: str = "original"
    """What the teachers see: each training image and its mirror image once (original), or the augmented crops and
    theirs before parts are erased or covered (augmented; Beyer et al. 2022), which takes longer."""
    teacher_views: int = 0
    """Number of augmented views of each image that augmented teachers score, one per epoch and then again from the
    first: later epochs take no time of theirs. 0: new crops in every epoch. A view takes 65 MB for FER2013."""
    initial_size: int = 0
    """Side of the crops in the first epoch, pixels; it grows to the input size, which it reaches after 80 % of the run
    (progressive learning; Tan, Le 2021). 0: the input size from the start."""
    ema_decay: float = 0.999
    """Decay per step of the exponential moving average of the weights, which is what is evaluated and saved."""
    init_weight: float = 0.0
    """Share of the initial weights in the model that is evaluated and saved (Wortsman et al. 2022): training that
    starts from another model then keeps more of what that one had learned. Without initial weights it must be 0."""
    bfloat16: bool = False
    """Run forward passes in bfloat16: faster on CPUs and GPUs that support it."""
    best_by: str = "accuracy"
    """What the saved model is best in on the validation images: accuracy, or loss, which also rewards scores that mean
    what they say and differs less from epoch to epoch by chance."""
    hold_out: float = 0.0
    """Number (1 and above) or share (below 1) of the training images that the best epoch is chosen on, drawn by `seed`
    from each class in proportion. 0: the split public, or a tenth of each class in data without one."""
    seed: int = 0
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        for name, low, high in _RANGES:
            value = attrgetter(name)(self)
            if not low <= value <= high:
                raise RecipeError(f"'{name}' must be from {low:g} to {high:g}, not {value:g}")
        if self.hold_out > 1 and self.hold_out % 1:
            raise RecipeError(f"'hold_out' must be a share below 1 or a whole number, not {self.hold_out:g}")
        if self.optimizer == "adam" and self.momentum == 1:
            raise RecipeError("'momentum' must be below 1 with the optimizer 'adam'")
        for name, choices in _CHOICES.items():
            chosen = attrgetter(name)(self)
            if chosen not in choices:
                raise RecipeError(f"'{name}' is '{printable(chosen)}'{nearest(chosen, choices)}")
        if self.teacher_views and (self.teacher_view != "augmented" or self.initial_size):
            raise RecipeError("'teacher_views' needs 'teacher_view' augmented and no 'initial_size'")
        self._check_network()

    def _check_network(self) -> None:
        try:
            networks.options_of(self.network, self.network_options)
        except ValueError as error:
            raise RecipeError(printable(error, 500)) from error
        size = networks.input_size(self.network)
        if size not in (None, self.preprocessing.input_size):
            raise RecipeError(f"'{self.network}' needs 'preprocessing.input_size' {size}")
        if self.initial_size and size:
            raise RecipeError(f"'{self.network}' takes crops of {size} pixels only: 'initial_size' must be 0")
        if self.initial_size > self.preprocessing.input_size:
            raise RecipeError(
                f"'initial_size' ({self.initial_size}) must not be above 'preprocessing.input_size' "
                f"({self.preprocessing.input_size})"
            )

    def seed_of(self, number: int) -> int:
        """Return the seed of one of up to a million series of random numbers of a run."""
        return self.seed * 1_000_003 + number

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as a mapping that `from_dict` accepts."""
        return asdict(self)


@dataclass(frozen=True)
class Stage:
    """One stage of a run."""

    name: str
    """Name of its sub-folder in the run folder; empty in a recipe without stages."""
    recipe: Recipe
    init_from: str = ""
    """Earlier stage, shipped model or file that the weights start from; empty: random weights."""


@dataclass(frozen=True)
class StagedRecipe:
    """The stages of a recipe file, in order; a single one without a name where the file has no `stages`."""

    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        if len({stage.recipe.hold_out for stage in self.stages}) > 1:
            raise RecipeError("'hold_out' must be the same in all stages: they share their validation images")

    @property
    def has_stages(self) -> bool:
        return bool(self.stages[0].name)

    def with_overrides(self, **changes: Any) -> StagedRecipe:
        """Return a copy with `changes` (keys of `Recipe`) in every stage.

        Raises:
            RecipeError: the changed recipe is not valid, or another network is wanted for several stages.
        """
        if "network" in changes and self.has_stages:
            raise RecipeError(
                "--network cannot replace the networks of a recipe with stages: copy the recipe and edit its stages"
            )
        try:
            return StagedRecipe(tuple(replace(s, recipe=replace(s.recipe, **changes)) for s in self.stages))
        except RecipeError as error:
            if "network" not in changes or not self.stages[0].recipe.network_options:
                raise
            raise RecipeError(
                f"{error}. The recipe's options are for '{self.stages[0].recipe.network}': copy the recipe and change "
                "'network' and 'network_options' together"
            ) from error

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as a mapping that `parse` accepts."""
        if not self.has_stages:
            return self.stages[0].recipe.to_dict()
        return {
            "stages": [
                {"name": s.name, "init_from": s.init_from or _RANDOM_WEIGHTS, **s.recipe.to_dict()} for s in self.stages
            ]
        }


_RANDOM_WEIGHTS = "none"
_MAX_BYTES = 1 << 16
"""Largest recipe file; those that ship have up to 5 kB."""
_STAGE_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_CHOICES = {
    "optimizer": ("sgd", "adam"),
    "schedule": ("one_cycle", "plateau", "constant"),
    "augmentation.resampling": RESAMPLING,
    "teacher_view": ("original", "augmented"),
    "best_by": ("accuracy", "loss"),
}
_RANGES = [
    ("epochs", 1, 10_000),
    ("batch_size", 2, 65_536),
    ("learning_rate", 0, 100),
    ("warm_up", 0, 1),
    ("momentum", 0, 1),
    ("patience", 0, 10_000),
    ("plateau_factor", 1e-6, 1),
    ("weight_decay", 0, 10),
    ("l1", 0, 10),
    ("label_smoothing", 0, 1),
    ("crowd_weight", 0, 1),
    ("teacher_weight", 0, 1),
    ("teacher_views", 0, 1000),
    ("initial_size", 0, 1024),
    ("ema_decay", 0, 1),
    ("init_weight", 0, 1),
    ("hold_out", 0, 10_000_000),
    ("seed", 0, 2**31 - 1),
    ("augmentation.flip", 0, 1),
    ("augmentation.rotation", 0, 180),
    ("augmentation.scale", 0, 0.9),
    ("augmentation.shift", 0, 1),
    ("augmentation.placement", 0, 1),
    ("augmentation.brightness", 0, 10),
    ("augmentation.contrast", 0, 10),
    ("augmentation.erase", 0, 1),
    ("augmentation.cover", 0, 1),
]


def load(name: str) -> StagedRecipe:
    """Return the recipe called `name`: one that ships, or a path to a YAML file.

    Raises:
        FileNotFoundError: there is no such recipe; the message lists those that ship.
        RecipeError: names the file, the key and, for a typo, the nearest valid one.
    """
    path = resources.find("recipes", name, (".yaml", ".yml"))
    try:
        return parse(_load_yaml(path), path.parent)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error


def _load_yaml(path: Path) -> Any:
    """Return the content of a YAML file of unknown origin.

    Raises:
        RecipeError: it is no YAML, or too large; without its path.
    """
    try:
        return yaml.safe_load(read_regular_file(path, _MAX_BYTES).decode())
    except OSError as error:
        raise RecipeError(str(error).replace(f"{path}: ", "")) from error
    except yaml.MarkedYAMLError as error:
        # Not the line itself: the file may be none that its reader should see.
        mark = error.problem_mark
        place = f"line {mark.line + 1}: " if mark else ""
        raise RecipeError(f"not YAML: {place}{printable(error.problem or 'not readable', 100)}") from error
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        # PyYAML raises the latter for damaged tags, dates and numbers, and for deep nesting.
        raise RecipeError(f"not YAML: {printable(error, 100)}") from error


def save(path: Path, recipe: StagedRecipe | Recipe) -> None:
    """Write the recipe as YAML, atomically."""
    with atomic_write(path) as temporary:
        temporary.write_text(yaml.safe_dump(recipe.to_dict(), sort_keys=False))


def parse(keys: Any, folder: Path) -> StagedRecipe:
    """Return the recipe of a mapping, with or without `stages`.

    Args:
        keys: as YAML gives them.
        folder: that relative paths of teachers and initial weights start from.

    Raises:
        RecipeError: an unknown or missing key, a wrong type, a value out of range, or an unusable stage.
    """
    if not isinstance(keys, dict) or "stages" not in keys:
        return StagedRecipe((Stage("", _with_absolute_teachers(from_dict(keys), folder, ())),))
    base = {key: value for key, value in keys.items() if key != "stages"}
    if not isinstance(keys["stages"], list) or not keys["stages"]:
        raise RecipeError("'stages' must be a list of mappings, each with a name")
    stages: list[Stage] = []
    for number, overrides in enumerate(keys["stages"], 1):
        if not isinstance(overrides, dict) or not isinstance(overrides.get("name"), str):
            raise RecipeError(f"stage {number} of 'stages' must be a mapping with the key 'name'")
        try:
            stages.append(_parse_stage(base, overrides, stages, folder))
        except RecipeError as error:
            raise RecipeError(f"stage '{printable(overrides['name'])}': {error}") from error
    return StagedRecipe(tuple(stages))


def _parse_stage(base: dict[str, Any], overrides: dict[str, Any], earlier: list[Stage], folder: Path) -> Stage:
    name, names = overrides["name"], [stage.name for stage in earlier]
    if not _STAGE_NAME.fullmatch(name):
        raise RecipeError("'name' must consist of letters, digits, '_', '-' and '.': it names a folder")
    if name in names:
        raise RecipeError("there is an earlier stage of this name")
    own = {key: value for key, value in overrides.items() if key not in ("name", "init_from")}
    recipe = _with_absolute_teachers(from_dict(_merge(base, own)), folder, names)
    init_from = overrides.get("init_from")
    if init_from is None:
        return Stage(name, recipe, _latest_of_same_network(recipe, earlier))
    if not isinstance(init_from, str):
        raise RecipeError(f"'init_from' must be text, not {shown(init_from)}")
    if init_from == _RANDOM_WEIGHTS:
        return Stage(name, recipe)
    return Stage(name, recipe, _absolute(init_from, folder, names))


def _latest_of_same_network(recipe: Recipe, earlier: list[Stage]) -> str:
    """Return the name of the latest stage whose weights fit, or an empty string."""
    wanted = networks.options_of(recipe.network, recipe.network_options)
    for stage in reversed(earlier):
        theirs = networks.options_of(stage.recipe.network, stage.recipe.network_options)
        if stage.recipe.network == recipe.network and theirs == wanted:
            return stage.name
    return ""


def _merge(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with the keys of `overrides`, merged inside nested mappings."""
    merged = dict(base)
    for key, value in overrides.items():
        nested = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if nested else value
    return merged


def _with_absolute_teachers(recipe: Recipe, folder: Path, stages: Iterable[str]) -> Recipe:
    return replace(recipe, teachers=[_absolute(teacher, folder, stages) for teacher in recipe.teachers])


def _absolute(model: str, folder: Path, stages: Iterable[str]) -> str:
    """Return the name of a stage or shipped model unchanged, and a path as an absolute one."""
    path = Path(model).expanduser()
    if model in stages or (len(path.parts) == 1 and not path.suffix and not (folder / path / BEST).is_file()):
        return model
    return str((folder / path).absolute())


def from_dict(keys: Any) -> Recipe:
    """Return the recipe of a mapping without `stages`.

    Raises:
        RecipeError: an unknown or missing key, a wrong type, or a value out of range.
    """
    recipe: Recipe = build(Recipe, keys)
    return recipe


def flatten(keys: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a recipe's mapping as one level of dotted keys."""
    result: dict[str, Any] = {}
    for key, value in keys.items():
        result |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return result
