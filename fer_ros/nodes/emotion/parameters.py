# SPDX-License-Identifier: Apache-2.0
"""Parameters of emotion_node: one table, from which they are declared, checked and documented."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields, make_dataclass
from typing import Any

from fer_ros.emotion.backends import registry as backends
from fer_ros.emotion.labels import VOCABULARIES
from fer_ros.faces.alignment import ALIGNMENT_MODES
from fer_ros.faces.contrast import CONTRAST_MODES
from fer_ros.faces.detectors.registry import DETECTORS
from fer_ros.faces.detectors.viola_jones import ViolaJonesOptions
from fer_ros.faces.tracking_detector import TrackingSettings
from fer_ros.media.image_header import MAX_PIXELS
from fer_ros.media.rotation import ROTATIONS
from fer_ros.nodes.common.image_subscription import camera_topic
from fer_ros.nodes.common.parameters import ParameterError, check_choices, parameter
from fer_ros.nodes.emotion.publishers.registry import REGISTRY as PUBLISHERS
from fer_ros.people.attention import DOMINANT_RULES
from fer_ros.people.events import EventSettings
from fer_ros.people.hysteresis import HysteresisSettings
from fer_ros.people.smoothing import SmoothingSettings
from fer_ros.pipeline import CameraSettings
from fer_ros.text import printable

_MIN_RATE = 0.1
"""Images per second; see `fer_ros.image_period`."""


def _default(of: Callable[..., Any], name: str) -> Any:
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
        f"Face detector. {_describe_detectors()} docs/front-ends.md compares them.",
        choices=DETECTORS.names,
        dynamic=True,
    )
    cascade: str = parameter(
        _default(ViolaJonesOptions, "cascade"),
        "Cascade of viola_jones: the name of one that ships with OpenCV, or the path of an XML file. A profile cascade "
        "is applied to the image and to its mirror image.",
        dynamic=True,
    )
    scale_factor: float = parameter(
        _default(ViolaJonesOptions, "scale_factor"),
        "Ratio of successive face sizes searched by viola_jones; closer to 1 finds more faces and takes longer.",
        range=(1.01, 4.0),
        dynamic=True,
    )
    min_neighbors: int = parameter(
        _default(ViolaJonesOptions, "min_neighbors"),
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
        _default(ViolaJonesOptions, "min_size"),
        "Width of the smallest face in pixels of the image; larger is faster. 0 means 1/16 of the image's shorter "
        "side, at least 30.",
        range=(0, 10_000),
        dynamic=True,
    )
    max_size: int = parameter(
        _default(ViolaJonesOptions, "max_size"),
        "Width of the largest face in pixels of the image. 0 means no limit.",
        range=(0, 10_000),
        dynamic=True,
    )


@dataclass(frozen=True)
class TrackingParameters:
    """Group `tracking`: how faces are found from image to image and keep their ids."""

    enabled: bool = parameter(
        _default(TrackingSettings, "enabled"),
        "Search known faces near their predicted position, and new faces in a part of each image. If false, every "
        "image is scanned completely, for many times the CPU; meant for unrelated images.",
        dynamic=True,
    )
    scan_period: float = parameter(
        _default(TrackingSettings, "scan_period"),
        "Seconds in which the whole image area is scanned once for new faces. Shorter finds them sooner and takes more "
        "CPU.",
        range=(0.03, 10.0),
        dynamic=True,
    )
    keep_for: float = parameter(
        _default(TrackingSettings, "keep_for"),
        "Seconds for which an undetected face keeps its face_id; longer with a slow camera, for two and a half times "
        "the time between its images. At least events.lost_after.",
        range=(0.0, 60.0),
    )
    min_hits: int = parameter(
        _default(TrackingSettings, "min_hits"),
        "Number of consecutive images in which a face must be detected before it is reported; higher gives fewer false "
        "faces.",
        range=(1, 30),
    )
    max_roll: float = parameter(
        _default(TrackingSettings, "max_roll"),
        "Largest roll angle of the faces searched, degrees to either side. 0 searches upright faces; viola_jones then "
        "misses half of those rolled by 20 degrees. Above 10, each further 20 degrees take more CPU; see "
        "docs/front-ends.md.",
        range=(0.0, 90.0),
        dynamic=True,
    )
    contrast: str = parameter(
        _default(TrackingSettings, "contrast"),
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
        _default(SmoothingSettings, "time_constant"),
        "Seconds after which smoothed_scores have followed a lasting change by 63 %. 0 turns smoothing off.",
        range=(0.0, 60.0),
        dynamic=True,
    )
    min_confidence: float = parameter(
        _default(HysteresisSettings, "min_confidence"),
        "Lowest smoothed score at which an emotion is assigned; below it the emotion is unknown. 0 always assigns one.",
        range=(0.0, 0.99),
        dynamic=True,
    )
    margin: float = parameter(
        _default(HysteresisSettings, "margin"),
        "Margin by which the smoothed score of another emotion must exceed that of the current one to replace it.",
        range=(0.0, 0.99),
        dynamic=True,
    )
    hold: float = parameter(
        _default(HysteresisSettings, "hold"),
        "Seconds for which the other emotion must lead by that margin. Larger is steadier and slower.",
        range=(0.0, 60.0),
        dynamic=True,
    )


@dataclass(frozen=True)
class EventParameters:
    """Group `events`: when emotion_events are published, and which face is dominant."""

    appear_after: float = parameter(
        _default(EventSettings, "appear_after"),
        "Seconds for which a face must be seen before APPEARED is published; its other events follow only after that.",
        range=(0.0, 10.0),
        dynamic=True,
    )
    lost_after: float = parameter(
        _default(EventSettings, "lost_after"),
        "Seconds for which a face must be unseen before LOST is published; with a slow camera, in two consecutive "
        "images at least. At most tracking.keep_for.",
        range=(0.05, 60.0),
        dynamic=True,
    )
    dominant_rule: str = parameter(
        _default(EventSettings, "dominant_rule"),
        "Rule that selects the dominant face. nearest needs a calibrated camera and equals largest without one.",
        choices=DOMINANT_RULES,
        dynamic=True,
    )


@dataclass(frozen=True)
class NoticeParameters:
    """Group `notice`: time to inform people before anything is published about them."""

    seconds: float = parameter(
        _default(EventSettings, "notice"),
        "Seconds between the event NOTICE about a new face and its first result. Until then the face is in no topic "
        "but emotion_events, and has not APPEARED. 0 publishes results at once and no NOTICE.",
        range=(0.0, 60.0),
        dynamic=True,
    )


@dataclass(frozen=True)
class PositionParameters:
    """Group `position`: the position of a face, computed from its box and camera_info."""

    face_width: float = parameter(
        _default(CameraSettings, "face_width"),
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


def _detector_parameters() -> type[DetectorParameters]:
    """Return the group `detector` with the further options of detectors that other packages have registered."""
    known = {one.name for one in fields(DetectorParameters)}
    options = {one.name: one for name in DETECTORS for one in fields(DETECTORS[name].options)}
    further = [
        (name, type(one.default), parameter(one.default, one.metadata.get("help", ""), dynamic=True))
        for name, one in options.items()
        if name not in known
    ]
    return make_dataclass("DetectorParameters", further, bases=(DetectorParameters,), frozen=True)


def _publish_parameters() -> type:
    """Return the group `publish`: one switch per registered publisher, also for those from other packages."""
    switches = [(name, bool, parameter(False, PUBLISHERS[name].description)) for name in PUBLISHERS]
    return make_dataclass("PublishParameters", switches, frozen=True)


@dataclass(frozen=True)
class Settings:
    """The table of parameters; an object of it is one consistent set of values.

    Raises:
        ParameterError: a value is not among its choices, or two values contradict each other.
    """

    autostart: bool = parameter(
        True,
        "Configure and activate at start-up, and exit with status 1 if that fails. If false, the node waits "
        "unconfigured for a lifecycle manager.",
    )
    model: str = parameter(
        "mini_xception",
        "Model file: the name of a file in share/fer_ros/models, or an absolute path. The service ~/load_model "
        "replaces the model while the node runs, by one in models.folder.",
    )
    backend: str = parameter(
        backends.AUTO,
        "Inference backend. auto: TorchScript for a .pt file, OpenCV for an .onnx file; a model that ships as both is "
        "run by TorchScript if torch is installed.",
        choices=backends.choices(),
    )
    cameras: tuple[str, ...] = parameter(
        ("",),
        "Names of the cameras. Each camera has its own tracks and its own topics: <name>/image, <name>/camera_info, "
        "<name>/emotions, and so on. An empty name means topics without that prefix.",
    )
    camera_topics: tuple[str, ...] = parameter(
        ("",),
        "Topics of the images, one for each of cameras in the same order, for cameras whose topics have unrelated "
        "names. The calibration is taken from camera_info beside each. Empty: <name>/image, which can be remapped.",
    )
    rotation: tuple[int, ...] = parameter(
        (0,),
        "Degrees clockwise by which the images of each camera are rotated before faces are searched: 0, 90, 180 or "
        "270; 180 for a camera that is mounted upside down. One value is for all cameras. Results are in pixels of "
        "the camera's own image.",
    )
    image_transport: str = parameter(
        "raw",
        "Transport of the images. raw: sensor_msgs/Image on the topic image. compressed: sensor_msgs/CompressedImage "
        "(JPEG or PNG) on <image>/compressed, where <image> is the topic that image is remapped to.",
        choices=("raw", "compressed"),
    )
    max_megapixels: float = parameter(
        MAX_PIXELS / 1e6,
        "Largest image that is processed, in millions of pixels; a larger one is skipped with a warning, before memory "
        "is allocated for it.",
        range=(0.01, 1000.0),
    )
    lazy: bool = parameter(
        True,
        "Process a camera only while one of its outputs has a subscriber; otherwise unsubscribe from its images and "
        "drop its tracks. If false, process all the time.",
        dynamic=True,
    )
    max_rate: float = parameter(
        0.0,
        "Maximum number of images processed per second and camera, by the clock of this machine; the others are "
        "skipped. 0 means no limit; otherwise at least 0.1, because faces are not tracked over more than 10 s.",
        range=(0.0, 1000.0),
        dynamic=True,
    )
    max_faces: int = parameter(
        _default(CameraSettings, "max_faces"),
        "Maximum number of faces classified per image, the largest first; the others are omitted. 0 means no limit.",
        range=(0, 1000),
        dynamic=True,
    )
    labels: str = parameter(
        VOCABULARIES[0],
        "What faces are labeled with. emotions: the model's labels, such as happy. expressions: words for what the "
        "face shows, such as smiling; valence and arousal are then unknown.",
        choices=VOCABULARIES,
    )
    alignment: str = parameter(
        _default(CameraSettings, "alignment"),
        "Which faces are rotated upright before classification. tilted: those with a known roll angle, from the "
        "detector's landmarks or from tracking.max_roll. on: every face, by its eyes, which are searched if the "
        "detector has no landmarks.",
        choices=ALIGNMENT_MODES,
        dynamic=True,
    )
    detector: DetectorParameters = field(default_factory=_detector_parameters())
    tracking: TrackingParameters = field(default_factory=TrackingParameters)
    smoothing: SmoothingParameters = field(default_factory=SmoothingParameters)
    events: EventParameters = field(default_factory=EventParameters)
    notice: NoticeParameters = field(default_factory=NoticeParameters)
    position: PositionParameters = field(default_factory=PositionParameters)
    publish: Any = field(default_factory=_publish_parameters())
    models: ModelsParameters = field(default_factory=ModelsParameters)
    diagnostics: DiagnosticsParameters = field(default_factory=DiagnosticsParameters)

    @property
    def enabled_publishers(self) -> list[str]:
        """Names of the third-party publishers that are switched on."""
        return [name for name in PUBLISHERS if getattr(self.publish, name)]

    def image_topic(self, camera: str) -> str:
        """Return the topic of a camera's images, before remapping."""
        given = dict(zip(self.cameras, self.camera_topics, strict=False)).get(camera)
        return given or camera_topic(camera, "image")

    def rotation_of(self, camera: str) -> int:
        """Return the degrees clockwise by which a camera's images are rotated."""
        return self.rotation[self.cameras.index(camera) if len(self.rotation) > 1 else 0]

    def __post_init__(self) -> None:
        check_choices(self)
        _check_cameras(self.cameras)
        _check_camera_topics(self.camera_topics, self.cameras)
        _check_rotation(self.rotation, self.cameras)
        warn_after, error_after = self.diagnostics.warn_after, self.diagnostics.error_after
        if error_after < warn_after:
            raise ParameterError(
                f"diagnostics.error_after ({error_after} s) is below diagnostics.warn_after ({warn_after} s): "
                "raise the first or lower the second"
            )
        if 0 < self.max_rate < _MIN_RATE:
            raise ParameterError(
                f"max_rate is {self.max_rate} images/s, expected 0 (no limit) or at least {_MIN_RATE}: faces are not "
                "tracked between images that are farther apart"
            )
        keep_for, lost_after = self.tracking.keep_for, self.events.lost_after
        if lost_after > keep_for:
            raise ParameterError(
                f"events.lost_after ({lost_after} s) is above tracking.keep_for ({keep_for} s), so that a face would "
                "get a new id before it is LOST under its old one: lower the first or raise the second"
            )
        smallest, largest = self.detector.min_size, self.detector.max_size
        if 0 < largest < smallest:
            raise ParameterError(
                f"detector.min_size ({smallest} px) is above detector.max_size ({largest} px), which excludes every "
                "face: lower the first, raise the second, or set it to 0 for no limit"
            )


def _check_cameras(names: tuple[str, ...]) -> None:
    for name in names:
        if name and not re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name):
            raise ParameterError(
                f"cameras: '{name}' is not a valid topic prefix; use a letter followed by letters, digits and _"
            )
    if not names or len(set(names)) < len(names):
        raise ParameterError(f"cameras is {list(names)}, expected at least one name and no name twice")


def _check_camera_topics(topics: tuple[str, ...], cameras: tuple[str, ...]) -> None:
    given = [topic for topic in topics if topic]
    if given and len(topics) != len(cameras):
        raise ParameterError(
            f"camera_topics has {len(topics)} topics for {len(cameras)} cameras ({', '.join(cameras)}); give one for "
            "each, in the order of cameras"
        )
    for topic in given:
        if not re.fullmatch(r"/?[A-Za-z_]\w*(/[A-Za-z_]\w*)*", topic, re.ASCII):
            raise ParameterError(f"camera_topics: '{printable(topic)}' is not a topic, such as /camera/image_raw")
    if len(set(given)) < len(given):
        raise ParameterError(f"camera_topics is {given}, expected no topic twice")


def _check_rotation(rotation: tuple[int, ...], cameras: tuple[str, ...]) -> None:
    if len(rotation) not in (1, len(cameras)):
        raise ParameterError(
            f"rotation has {len(rotation)} values for {len(cameras)} cameras; give one for all, or one for each"
        )
    wrong = [degrees for degrees in rotation if degrees not in ROTATIONS]
    if wrong:
        raise ParameterError(
            f"rotation is {list(rotation)}, expected {', '.join(map(str, ROTATIONS))} degrees for each"
        )
