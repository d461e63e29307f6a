# SPDX-License-Identifier: Apache-2.0
"""Parameters of emotion_node: one table, from which they are declared, checked and documented."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, make_dataclass
from typing import Any

from fer_ros.emotion.backends import registry as backends
from fer_ros.emotion.labels import VOCABULARIES
from fer_ros.faces.alignment import ALIGNMENT_MODES
from fer_ros.media.image_header import MAX_PIXELS
from fer_ros.media.rotation import ROTATIONS
from fer_ros.nodes.common.image_subscription import camera_topic
from fer_ros.nodes.common.parameters import ParameterError, check_choices, parameter
from fer_ros.nodes.emotion.parameter_groups import (
    DetectorParameters,
    DiagnosticsParameters,
    EventParameters,
    ModelsParameters,
    NoticeParameters,
    PositionParameters,
    SmoothingParameters,
    TrackingParameters,
    detector_parameters,
    library_default,
)
from fer_ros.nodes.emotion.publishers.registry import REGISTRY as PUBLISHERS
from fer_ros.pipeline import CameraSettings
from fer_ros.text import printable

_MIN_RATE = 0.1
"""Images per second; see `fer_ros.image_period`."""


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
        library_default(CameraSettings, "max_faces"),
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
        library_default(CameraSettings, "alignment"),
        "Which faces are rotated upright before classification. tilted: those with a known roll angle, from the "
        "detector's landmarks or from tracking.max_roll. on: every face, by its eyes, which are searched if the "
        "detector has no landmarks.",
        choices=ALIGNMENT_MODES,
        dynamic=True,
    )
    detector: DetectorParameters = field(default_factory=detector_parameters())
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
