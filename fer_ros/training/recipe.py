"""A recipe: everything that decides what a training run learns, apart from the data, as one readable YAML file."""

from __future__ import annotations

import typing
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from operator import attrgetter
from pathlib import Path
from typing import Any

import yaml

from fer_ros import networks, resources
from fer_ros.emotion.preprocessing import Preprocessing
from fer_ros.files import atomic_write
from fer_ros.training.augmentation import RESAMPLING, Augmentation


class RecipeError(ValueError):
    """A recipe that cannot be followed; the message names the file and the key."""


@dataclass(frozen=True)
class Recipe:
    """How to train one network."""

    network: str
    """Name in the registry of `fer_ros.networks`."""
    epochs: int
    network_options: dict = field(default_factory=dict)
    """What that network asks for beside the number of classes, such as its width."""
    batch_size: int = 128
    optimizer: str = "sgd"
    """sgd, with Nesterov momentum, or adam (Kingma, Ba 2015)."""
    schedule: str = "one_cycle"
    """one_cycle (Smith, Topin 2017); plateau: the rate is multiplied by `plateau_factor` each time that the validation
    loss has not improved for more than `patience` epochs; or constant."""
    learning_rate: float = 0.1
    """Peak of the one-cycle schedule; where the others begin."""
    warm_up: float = 0.2
    """Share of a one-cycle run in which the rate rises to its peak; in the rest it falls to 0 along a cosine."""
    patience: int = 10
    plateau_factor: float = 0.1
    momentum: float = 0.9
    """Of SGD; Adam's first beta."""
    l1: float = 0.0
    """Times the sum of sizes of the dense layers' weights, added to the loss."""
    weight_decay: float = 5e-4
    """L2 on convolution and linear weights, not on batch norm and biases."""
    label_smoothing: float = 0.1
    """Share of each target given to all classes alike (Szegedy et al. 2016)."""
    crowd_weight: float = 0.0
    """Share of each target taken from FERPlus votes at the start; it falls to 0 along the run, so that the last epochs
    learn the data set's own labels."""
    teachers: list[str] = field(default_factory=list)
    """Model files, each the name of one that ships or a path, whose mean scores on the training images are learned too
    (Hinton, Vinyals, Dean 2015). None: labels and crowd votes alone."""
    teacher_weight: float = 0.5
    """Share of each target taken from the teachers."""
    initial_size: int = 0
    """Side of the crops in the first epoch; it grows along the run and is the input size in the last fifth (progressive
    learning, Tan, Le 2021). Small crops are cheap, and a network that pools its maps takes them all. 0: the input size
    from the start."""
    ema_decay: float = 0.999
    """Each step the averaged weights keep this share of themselves; the average is what is evaluated and kept."""
    bfloat16: bool = False
    """Forward passes in bfloat16, faster on CPUs and GPUs that have it."""
    seed: int = 0
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self):
        for name, low, high in _RANGES:
            value = attrgetter(name)(self)
            if not low <= value <= high:
                raise RecipeError(f"'{name}' must be from {low:g} to {high:g}, not {value:g}")
        if self.optimizer == "adam" and self.momentum == 1:
            raise RecipeError("'momentum' must be below 1 with the optimizer 'adam'")
        for name, choices in _CHOICES.items():
            chosen = attrgetter(name)(self)
            if chosen not in choices:
                raise RecipeError(f"'{name}' is '{chosen}'{_nearest(chosen, choices)}")
        try:
            networks.options_of(self.network, self.network_options)
        except ValueError as error:
            raise RecipeError(str(error)) from error
        only = networks.input_size(self.network)
        if only not in (None, self.preprocessing.input_size):
            raise RecipeError(f"'{self.network}' needs 'preprocessing.input_size' {only}, not another")
        if self.initial_size and only:
            raise RecipeError(f"'{self.network}' takes crops of {only} pixels alone: 'initial_size' must be 0")
        if self.initial_size > self.preprocessing.input_size:
            raise RecipeError(
                f"'initial_size' ({self.initial_size}) must not be above 'preprocessing.input_size' "
                f"({self.preprocessing.input_size})"
            )

    def to_dict(self) -> dict[str, Any]:
        """The recipe as `from_dict` reads it."""
        return asdict(self)


_CHOICES = {
    "optimizer": ("sgd", "adam"),
    "schedule": ("one_cycle", "plateau", "constant"),
    "augmentation.resampling": RESAMPLING,
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
    ("initial_size", 0, 1024),
    ("ema_decay", 0, 1),
    ("seed", 0, 2**31 - 1),
    ("preprocessing.input_size", 8, 1024),
    ("preprocessing.margin", -0.5, 2),
    ("preprocessing.std", 1e-6, 1e6),
    ("preprocessing.blur", 0, 3),
    ("augmentation.flip", 0, 1),
    ("augmentation.rotation", 0, 180),
    ("augmentation.scale", 0, 0.9),
    ("augmentation.shift", 0, 1),
    ("augmentation.brightness", 0, 10),
    ("augmentation.contrast", 0, 10),
    ("augmentation.erase", 0, 1),
]


def load(name: str) -> Recipe:
    """The recipe called `name`: one that ships, or a path to a YAML file.

    Raises:
        FileNotFoundError: there is none; says which there are.
        RecipeError: names the file, the key and, for a typo, the nearest valid one.
    """
    path = resources.find("recipes", name, (".yaml", ".yml"))
    try:
        return from_dict(yaml.safe_load(path.read_text()))
    except yaml.YAMLError as error:
        raise RecipeError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error


def save(path: Path, recipe: Recipe) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(yaml.safe_dump(recipe.to_dict(), sort_keys=False))


def from_dict(keys: Any) -> Recipe:
    """A recipe from what YAML gave.

    Raises:
        RecipeError: an unknown or missing key, a wrong type or range.
    """
    return _build(Recipe, keys, "")


def flat(keys: dict[str, Any], inside: str = "") -> dict[str, Any]:
    """A recipe's mapping as one level of dotted keys."""
    result = {}
    for key, value in keys.items():
        result |= flat(value, f"{inside}{key}.") if isinstance(value, dict) else {f"{inside}{key}": value}
    return result


def _build(kind: type, keys: Any, inside: str):
    """An instance of the dataclass `kind` from a mapping; `inside` is the dotted path of the mapping itself."""
    if not isinstance(keys, dict):
        raise RecipeError(f"{f'{inside[:-1]!r}' if inside else 'a recipe'} must be a mapping of keys to values")
    types = typing.get_type_hints(kind)
    values = {}
    for key, value in keys.items():
        if key not in types:
            raise RecipeError(f"unknown key '{inside}{key}'{_nearest(str(key), types)}")
        values[key] = _value(types[key], value, f"{inside}{key}")
    for entry in fields(kind):
        if entry.name not in values and entry.default is MISSING and entry.default_factory is MISSING:
            raise RecipeError(f"the key '{inside}{entry.name}' is missing")
    return kind(**values)


def _value(kind: type, value: Any, key: str) -> Any:
    if is_dataclass(kind):
        return _build(kind, value, f"{key}.")
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    # YAML reads 5e-4, without a point, as text.
    if kind is float and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            pass
    if kind == list[str]:
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise RecipeError(f"'{key}' must be a list of texts, as in [one, two], not {value!r}")
        return value
    if type(value) is not kind:
        raise RecipeError(f"'{key}' must be {_WORDS[kind]}, not {value!r}")
    return value


_WORDS = {dict: "a mapping", int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def _nearest(word: str, known) -> str:
    near = get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f", did you mean '{near[0]}'?" if near else f"; known are: {', '.join(known)}"
