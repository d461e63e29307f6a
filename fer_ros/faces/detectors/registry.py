"""The detectors by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fer_ros.faces.detectors.base import Detector
from fer_ros.faces.detectors.mirrored import MirroredDetector
from fer_ros.faces.detectors.viola_jones import ViolaJones


@dataclass(frozen=True)
class Options:
    """What a detector can be told; each takes what it knows and leaves the rest.

    Args:
        cascade: see `ViolaJones`, and so for the next two.
        scale_factor: step between the sizes that are searched.
        min_neighbors: how many hits make a face.
        model: path of YuNet's ONNX file.
        min_size: smallest face in pixels; see `FaceSizes`.
        max_size: largest face in pixels.
    """

    cascade: str = "haarcascade_frontalface_default"
    scale_factor: float = 1.1
    min_neighbors: int = 5
    model: str = ""
    min_size: int = 0
    max_size: int = 0


def make(name: str, options: Options) -> Detector:
    """A detector.

    Args:
        name: one of `DETECTORS`.
        options: those it does not know are ignored.

    Raises:
        FileNotFoundError: there is no such cascade or model file.
        ImportError: the detector needs a package that is not installed; says which.
        ValueError: there is no such detector, its file is of another kind, or a number is out of its range.
    """
    if name not in DETECTORS:
        raise ValueError(f"there is no detector '{name}'; there are {', '.join(DETECTORS)}")
    return DETECTORS[name](options)


def _viola_jones(options: Options) -> Detector:
    detector = ViolaJones(
        options.cascade, options.scale_factor, options.min_neighbors, options.min_size, options.max_size
    )
    # OpenCV's profile cascades know profiles that look to one side.
    return MirroredDetector(detector) if "profile" in Path(options.cascade).stem else detector


# These are imported where they are asked for: each needs what not every robot has.


def _mtcnn(options: Options) -> Detector:
    from fer_ros.faces.detectors.mtcnn import Mtcnn

    return Mtcnn(options.min_size, options.max_size)


def _dlib(options: Options) -> Detector:
    from fer_ros.faces.detectors.dlib_hog import DlibHog

    return DlibHog(options.min_size, options.max_size)


def _yunet(options: Options) -> Detector:
    from fer_ros.faces.detectors.yunet import YuNet

    return YuNet(options.model, options.min_size, options.max_size)


DETECTORS = {"viola_jones": _viola_jones, "mtcnn": _mtcnn, "dlib": _dlib, "yunet": _yunet}
