# SPDX-License-Identifier: Apache-2.0
"""Metadata of a model file: everything that is needed to use the network, checked before anything else is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from fer_ros.emotion.labels import KNOWN
from fer_ros.emotion.preprocessing import Preprocessing
from fer_ros.text import printable

FORMAT_VERSION = 2
MAX_BYTES = 1 << 20
"""Of the metadata as JSON; that of the shipped models has 1.3 KB."""
_VERIFICATION = "verification"
_MAX_TEMPERATURE = 1000.0
_MAX_DEPTH = 20
_MAX_LOGIT = 1e6


@dataclass(frozen=True)
class ModelMetadata:
    """Metadata in a model file.

    Raises:
        ValueError: the format version is another, or a value has the wrong type or is out of its range.
    """

    network: str
    """Name in the registry of networks."""
    labels: tuple[str, ...]
    """Class labels in the order of the network's outputs."""
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    temperature: float = 1.0
    """Divisor of the logits before the softmax, which calibrates the scores (Guo et al. 2017): 0.001 to 1000."""
    network_options: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    """Training recipe, as `fer-train` read it."""
    scores: dict[str, Any] = field(default_factory=dict)
    """Accuracies by the name of the data set split they were measured on; `validation` has `accuracy` and `epoch`."""
    data: dict[str, Any] = field(default_factory=dict)
    """Identifies the images of the run: `training` and `validation` fingerprints, the `seed` that drew the validation
    images where the data set has no split for them, `hold_out` if the recipe has it, and `init_from`: the same of the
    model that the run started from, if its images were others. See `fer_ros.evaluation.selection`."""
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        if self.format_version != FORMAT_VERSION:
            raise ValueError(
                f"format version is {printable(self.format_version)}, but this fer_ros reads {FORMAT_VERSION}"
            )
        if not isinstance(self.network, str) or not self.network.isprintable() or len(self.network) > 100:
            raise ValueError(f"network must be the name of one, not {printable(self.network)}")
        if len(self.labels) < 2 or len(set(self.labels)) != len(self.labels):
            raise ValueError(f"labels must be two or more different names, not {printable(list(self.labels))}")
        unknown = [label for label in self.labels if label not in KNOWN]
        if unknown:
            raise ValueError(f"unknown labels {printable(unknown)}; available: {', '.join(KNOWN)}")
        low, high, temperature = 1 / _MAX_TEMPERATURE, _MAX_TEMPERATURE, self.temperature
        if not isinstance(temperature, (int, float)) or not low <= temperature <= high:
            raise ValueError(f"temperature must be from {low:g} to {high:g}, not {printable(temperature)}")
        for name in ("network_options", "recipe", "scores", "data"):
            value = getattr(self, name)
            if not isinstance(value, dict):
                raise ValueError(f"{name} must be a mapping, not {printable(value)}")
            _check_depth(name, value)
        validation = self.scores.get("validation", {"accuracy": 0.0, "epoch": 0})
        fits = isinstance(validation, dict) and isinstance(validation.get("epoch"), int)
        if not fits or not isinstance(validation.get("accuracy"), (int, float)):
            raise ValueError(f"scores.validation must have accuracy and epoch, not {printable(validation)}")


class Verification(NamedTuple):
    """What a writer of a model file records, so that a reader notices damage and wrong builds of libraries."""

    sha256: str
    """Of the network and the metadata, hexadecimal; see `fer_ros.emotion.model_file`."""
    logits: tuple[float, ...]
    """Of the crop `fer_ros.emotion.preprocessing.reference_crop`."""


def to_json(metadata: ModelMetadata, verification: Verification | None = None) -> str:
    """Return metadata as the text that is stored in a model file."""
    values = asdict(metadata)
    if verification:
        values[_VERIFICATION] = verification._asdict()
    return json.dumps(values, indent=1)


def from_json(text: bytes) -> tuple[ModelMetadata, Verification | None]:
    """Return the metadata in `text`, and what the writer recorded to verify it; None in files that have no such record.

    Raises:
        ValueError: `text` is too large, not JSON, or a value is missing, has the wrong type or is out of its range.
    """
    if len(text) > MAX_BYTES:
        raise ValueError(f"the metadata has {len(text)} bytes; the limit is {MAX_BYTES}")
    try:
        raw = json.loads(text)
        preprocessing, labels = raw.pop("preprocessing"), raw.pop("labels")
        verification = raw.pop(_VERIFICATION, None)
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise ValueError(f"labels must be a list of names, not {printable(labels)}")
        metadata = ModelMetadata(preprocessing=Preprocessing(**preprocessing), labels=tuple(labels), **raw)
        return metadata, None if verification is None else _verification(verification, len(labels))
    except KeyError as error:
        raise ValueError(f"the key {error} is missing") from error
    except (TypeError, AttributeError, RecursionError) as error:
        raise ValueError(printable(error, 200)) from error


def _verification(raw: Mapping[str, Any], classes: int) -> Verification:
    found = Verification(**raw)
    logits = found.logits
    if not isinstance(found.sha256, str) or len(found.sha256) != 64:
        raise ValueError(f"verification.sha256 must have 64 digits, not {printable(found.sha256)}")
    if not isinstance(logits, list) or len(logits) != classes:
        raise ValueError(f"verification.logits must be a list of {classes} numbers, not {printable(logits)}")
    if not all(isinstance(logit, float) and abs(logit) <= _MAX_LOGIT for logit in logits):
        raise ValueError(f"verification.logits must be finite numbers, not {printable(logits)}")
    return found._replace(logits=tuple(logits))


def _check_depth(name: str, value: Any, depth: int = 0) -> None:
    """Raise ValueError if a value is nested so deeply that writing it elsewhere could fail."""
    if depth > _MAX_DEPTH:
        raise ValueError(f"{name} is nested more than {_MAX_DEPTH} levels deep")
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    for one in inner:
        _check_depth(name, one, depth + 1)
