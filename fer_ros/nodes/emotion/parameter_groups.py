# SPDX-License-Identifier: Apache-2.0
"""Groups of parameters of emotion_node, such as `tracking.*`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, make_dataclass
from typing import Any

from fer_ros.faces.contrast import CONTRAST_MODES
from fer_ros.faces.detectors.registry import DETECTORS
from fer_ros.faces.detectors.viola_jones import ViolaJonesOptions
from fer_ros.faces.tracking_detector import TrackingSettings
from fer_ros.nodes.common.parameters import parameter
from fer_ros.people.attention import DOMINANT_RULES
from fer_ros.people.events import EventSettings
from fer_ros.people.hysteresis import HysteresisSettings
from fer_ros.people.smoothing import SmoothingSettings
from fer_ros.pipeline import CameraSettings


def library_default(of: Callable[..., Any], name: str) -> Any:
    """Return the library's default of its argument `name`: the node and the library share their defaults."""
    return inspect.signature(of).parameters[name].default


def _describe_detectors() -> str:
    """Return one sentence per registered detector."""
    installs = {name: DETECTORS[name].install for name in DETECTORS}
    return " ".join(
        f"{name}: {DETECTORS[name].description}{f' ({install})' if install else ''}."
        for name, install in installs.items()
    )


@dataclass(frozen=True)
class DetectorParameters:
    """Group `detector`: the face detector and its options."""

    name: str = parameter(
        "viola_jones",
        f"Face detector. {_describe_detectors()} docs/how-to/choose-detector.md compares them.",
        choices=DETECTORS.names,
        dynamic=True,
    )
    cascade: str = parameter(
        library_default(ViolaJonesOptions, "cascade"),
        "Cascade of viola_jones: the name of one that ships with OpenCV, or the path of an XML file. A profile cascade "
        "is applied to the image and to its mirror image.",
        dynamic=True,
    )
    scale_factor: float = parameter(
        library_default(ViolaJonesOptions, "scale_factor"),
        "Ratio of successive face sizes searched by viola_jones; closer to 1 finds more faces and takes longer.",
        range=(1.01, 4.0),
        dynamic=True,
    )
    min_neighbors: int = parameter(
        library_default(ViolaJonesOptions, "min_neighbors"),
        "Number of overlapping hits of viola_jones that make a face; higher gives fewer false faces and more missed "
        "ones.",
        range=(0, 100),
        dynamic=True,
    )
    model: str = parameter(
        "",
        "Absolute path of YuNet's ONNX file; required by the detector yunet.",
        dynamic=True,
    )
    min_size: int = parameter(
        library_default(ViolaJonesOptions, "min_size"),
        "Width of the smallest face in pixels of the image; larger is faster. 0 means 1/16 of the image's shorter "
        "side, at least 30.",
        range=(0, 10_000),
        dynamic=True,
    )
    max_size: int = parameter(
        library_default(ViolaJonesOptions, "max_size"),
        "Width of the largest face in pixels of the image. 0 means no limit.",
        range=(0, 10_000),
        dynamic=True,
    )


@dataclass(frozen=True)
class TrackingParameters:
    """Group `tracking`: how faces are found from image to image and keep their ids."""

    enabled: bool = parameter(
        library_default(TrackingSettings, "enabled"),
        "Search known faces near their predicted position, and new faces in a part of each image. If false, every "
        "image is scanned completely, for many times the CPU; meant for unrelated images.",
        dynamic=True,
    )
    scan_period: float = parameter(
        library_default(TrackingSettings, "scan_period"),
        "Seconds in which the whole image area is scanned once for new faces. Shorter finds them sooner and takes more "
        "CPU.",
        range=(0.03, 10.0),
        dynamic=True,
    )
    keep_for: float = parameter(
        library_default(TrackingSettings, "keep_for"),
        "Seconds for which an undetected face keeps its face_id; longer with a slow camera, for two and a half times "
        "the time between its images. At least events.lost_after.",
        range=(0.0, 60.0),
    )
    min_hits: int = parameter(
        library_default(TrackingSettings, "min_hits"),
        "Number of consecutive images in which a face must be detected before it is reported; higher gives fewer false "
        "faces.",
        range=(1, 30),
    )
    max_roll: float = parameter(
        library_default(TrackingSettings, "max_roll"),
        "Largest roll angle of the faces searched, degrees to either side. 0 searches upright faces; viola_jones then "
        "misses half of those rolled by 20 degrees. Above 10, each further 20 degrees take more CPU; see "
        "docs/how-to/choose-detector.md.",
        range=(0.0, 90.0),
        dynamic=True,
    )
    contrast: str = parameter(
        library_default(TrackingSettings, "contrast"),
        "Contrast adjustment before detection. auto: images that are dark or low in contrast, in which viola_jones "
        "finds no faces, are stretched to the full range, others are unchanged. equalize: histogram equalization of "
        "every image.",
        choices=CONTRAST_MODES,
        dynamic=True,
    )


@dataclass(frozen=True)
class SmoothingParameters:
    """Group `smoothing`: the scores over time, and when a face's emotion changes."""

    time_constant: float = parameter(
        library_default(SmoothingSettings, "time_constant"),
        "Seconds after which smoothed_scores have followed a lasting change by 63 %. 0 turns smoothing off.",
        range=(0.0, 60.0),
        dynamic=True,
    )
    min_confidence: float = parameter(
        library_default(HysteresisSettings, "min_confidence"),
        "Lowest smoothed score at which an emotion is assigned; below it the emotion is unknown. 0 always assigns one.",
        range=(0.0, 0.99),
        dynamic=True,
    )
    margin: float = parameter(
        library_default(HysteresisSettings, "margin"),
        "Margin by which the smoothed score of another emotion must exceed that of the current one to replace it.",
        range=(0.0, 0.99),
        dynamic=True,
    )
    hold: float = parameter(
        library_default(HysteresisSettings, "hold"),
        "Seconds for which the other emotion must lead by that margin. Larger is steadier and slower.",
        range=(0.0, 60.0),
        dynamic=True,
    )


@dataclass(frozen=True)
class EventParameters:
    """Group `events`: when emotion_events are published, and which face is dominant."""

    appear_after: float = parameter(
        library_default(EventSettings, "appear_after"),
        "Seconds for which a face must be seen before APPEARED is published; its other events follow only after that.",
        range=(0.0, 10.0),
        dynamic=True,
    )
    lost_after: float = parameter(
        library_default(EventSettings, "lost_after"),
        "Seconds for which a face must be unseen before LOST is published; with a slow camera, in two consecutive "
        "images at least. At most tracking.keep_for.",
        range=(0.05, 60.0),
        dynamic=True,
    )
    dominant_rule: str = parameter(
        library_default(EventSettings, "dominant_rule"),
        "Rule that selects the dominant face. nearest needs a calibrated camera and equals largest without one.",
        choices=DOMINANT_RULES,
        dynamic=True,
    )


@dataclass(frozen=True)
class NoticeParameters:
    """Group `notice`: time to inform people before anything is published about them."""

    seconds: float = parameter(
        library_default(EventSettings, "notice"),
        "Seconds between the event NOTICE about a new face and its first result. Until then the face is in no topic "
        "but emotion_events, and has not APPEARED. 0 publishes results at once and no NOTICE.",
        range=(0.0, 60.0),
        dynamic=True,
    )


@dataclass(frozen=True)
class PositionParameters:
    """Group `position`: the position of a face, computed from its box and camera_info."""

    face_width: float = parameter(
        library_default(CameraSettings, "face_width"),
        "Assumed width in meters of the detector's box at the face; the position is proportional to it.",
        range=(0.05, 0.5),
        dynamic=True,
    )
    image_rectified: bool = parameter(
        False,
        "Whether the images are rectified, as on the topic image_rect; camera_info does not contain this.",
    )


@dataclass(frozen=True)
class ModelsParameters:
    """Group `models`: what the service ~/load_model may load. A model file can come from anybody who reaches it."""

    folder: str = parameter(
        "out/training",
        "Folder whose model files, also in its sub-folders, ~/load_model may load, beside those in "
        "share/fer_ros/models. The default is the trainer node's parameter output.",
    )
    any_folder: bool = parameter(False, "Let ~/load_model load model files from every folder.")
    load_timeout: float = parameter(
        60.0,
        "Seconds after which ~/load_model gives up a model file, while it is tried in a child process.",
        range=(1.0, 3600.0),
    )


@dataclass(frozen=True)
class DiagnosticsParameters:
    """Group `diagnostics`: the levels on /diagnostics."""

    warn_after: float = parameter(
        2.0,
        "Seconds without an image after which /diagnostics reports WARN; longer for a camera that is slower than that.",
        range=(0.1, 3600.0),
        dynamic=True,
    )
    error_after: float = parameter(
        5.0,
        "Seconds without an image after which /diagnostics reports ERROR; longer in the same proportion.",
        range=(0.1, 3600.0),
        dynamic=True,
    )


def detector_parameters() -> type[DetectorParameters]:
    """Return the group `detector` with the further options of detectors that other packages have registered."""
    known = {one.name for one in fields(DetectorParameters)}
    options = {one.name: one for name in DETECTORS for one in fields(DETECTORS[name].options)}
    further = [
        (name, type(one.default), parameter(one.default, one.metadata.get("help", ""), dynamic=True))
        for name, one in options.items()
        if name not in known
    ]
    return make_dataclass("DetectorParameters", further, bases=(DetectorParameters,), frozen=True)
