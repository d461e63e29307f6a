"""Parameters of emotion_node: one table, from which they are declared, checked and documented."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass

from fer_ros.emotion.backends import registry
from fer_ros.faces.alignment import WHEN, Alignment
from fer_ros.faces.contrast import LIGHTING
from fer_ros.faces.detectors.registry import DETECTORS
from fer_ros.faces.detectors.viola_jones import ViolaJones
from fer_ros.faces.tracker import OverlapTracker
from fer_ros.faces.tracking_detector import TrackingDetector
from fer_ros.nodes.common.parameters import ParameterError, check_choices, parameter
from fer_ros.people.attention import DOMINANT_RULES
from fer_ros.people.camera_model import FACE_WIDTH
from fer_ros.people.events import EventSettings
from fer_ros.people.hysteresis import HysteresisSettings
from fer_ros.people.smoothing import SmoothingSettings
from fer_ros.pipeline import CameraSettings


def _default(of: Callable, name: str):
    """What the library itself takes for its argument `name`: node and library are to have the same defaults."""
    return inspect.signature(of).parameters[name].default


@dataclass(frozen=True)
class Settings:
    """The table of parameters, and, as an object, one consistent set of their values.

    Raises:
        ParameterError: a value is not among its choices, or two values contradict each other.
    """

    autostart: bool = parameter(
        True,
        "Configure and activate without being asked, and exit with 1 where that fails. When false, the node waits "
        "unconfigured for a life cycle manager.",
    )
    model: str = parameter(
        "mini_xception",
        "Model file: the name of one in share/fer_ros/models, or an absolute path. The service ~/load_model changes "
        "it while the node runs.",
    )
    backend: str = parameter(
        registry.AUTO,
        "What runs the network. auto: TorchScript for a .pt file, OpenCV for an .onnx file, and for a model that ships "
        "as both TorchScript where torch is installed.",
        choices=(registry.AUTO, *registry.SUFFIXES),
    )
    image_transport: str = parameter(
        "raw",
        "How images arrive: raw on the topic image (sensor_msgs/Image), or compressed on <image>/compressed "
        "(sensor_msgs/CompressedImage: JPEG, PNG), where <image> is what image is remapped to.",
        choices=("raw", "compressed"),
    )
    cameras: tuple[str, ...] = parameter(
        ("",),
        "Names of the cameras. Each has its own people and its own topics: <name>/image, <name>/camera_info, "
        "<name>/emotions, and so on. An empty name stands for topics without such a prefix.",
    )
    lazy: bool = parameter(
        True,
        "Work only while somebody subscribes to what is said about a camera: its images are not even subscribed to "
        "while nobody does, and its people are forgotten. When false, work all the time.",
        dynamic=True,
    )
    max_rate: float = parameter(
        0.0,
        "Images of each camera that are processed in a second, by the clock of this machine; others are passed over. "
        "0 answers every image.",
        range=(0.0, 1000.0),
        dynamic=True,
    )
    max_faces: int = parameter(
        _default(CameraSettings, "max_faces"),
        "Faces of each image that are classified: the largest. Others are left out. 0 classifies all.",
        range=(0, 1000),
        dynamic=True,
    )
    detector: str = parameter(
        "viola_jones",
        "What finds faces. viola_jones comes with OpenCV; mtcnn needs the packages torch and mtcnn (pip), dlib the "
        "package dlib-bin, yunet the file detector_model. docs/front-ends.md compares them.",
        choices=tuple(DETECTORS),
        dynamic=True,
    )
    detector_model: str = parameter(
        "",
        "YuNet's ONNX file, by its absolute path; needed where detector is yunet.",
        dynamic=True,
    )
    cascade: str = parameter(
        _default(ViolaJones, "cascade"),
        "What viola_jones looks for: the name of one of OpenCV's cascades, or the path of its xml file. A profile "
        "cascade looks to both sides.",
        dynamic=True,
    )
    scale_factor: float = parameter(
        _default(ViolaJones, "scale_factor"),
        "Step between the sizes of face that viola_jones searches; nearer to 1 finds more faces and takes longer.",
        range=(1.01, 4.0),
        dynamic=True,
    )
    min_neighbors: int = parameter(
        _default(ViolaJones, "min_neighbors"),
        "How many overlapping hits of viola_jones make a face; more means fewer false faces and more missed ones.",
        range=(0, 100),
        dynamic=True,
    )
    min_face_size: int = parameter(
        _default(ViolaJones, "min_size"),
        "Smallest face, pixels of the image; larger is faster. 0 takes 1/16 of the image's shorter side, at least 30.",
        range=(0, 10_000),
        dynamic=True,
    )
    max_face_size: int = parameter(
        _default(ViolaJones, "max_size"),
        "Largest face, pixels of the image. 0 sets no limit.",
        range=(0, 10_000),
        dynamic=True,
    )
    detect_by_tracking: bool = parameter(
        _default(TrackingDetector, "detect_by_tracking"),
        "Look for known faces where they are expected, and for new ones in a part of each image. When false, every "
        "image is scanned whole, at many times the CPU: for pictures that have nothing to do with each other.",
        dynamic=True,
    )
    full_scan_period: float = parameter(
        _default(TrackingDetector, "full_scan_period"),
        "Seconds in which detect_by_tracking has scanned everywhere for new faces. Shorter finds them sooner and takes "
        "more CPU.",
        range=(0.03, 10.0),
        dynamic=True,
    )
    max_tilt: float = parameter(
        _default(TrackingDetector, "max_tilt"),
        "Degrees by which heads may be tilted to the left or right. 0 seeks upright faces, and viola_jones misses half "
        "of those tilted by 20; above 10, each 20 more take more CPU: docs/front-ends.md.",
        range=(0.0, 90.0),
        dynamic=True,
    )
    alignment: str = parameter(
        _default(Alignment, "when"),
        "Which faces are turned upright for the network. tilted: those known to be, by the detector's landmarks or by "
        "max_tilt. on: every face by its eyes, which are looked for where the detector does not give them.",
        choices=WHEN,
        dynamic=True,
    )
    lighting: str = parameter(
        _default(TrackingDetector, "lighting"),
        "What is done to images before faces are sought in them. auto: dark and dull ones, in which viola_jones is "
        "blind, are stretched to the whole range, others left as they are. equalize: every histogram is equalized.",
        choices=LIGHTING,
        dynamic=True,
    )
    keep_for: float = parameter(
        _default(OverlapTracker, "keep_for"),
        "Seconds that a face may stay unseen and still keep its face_id.",
        range=(0.0, 60.0),
    )
    min_hits: int = parameter(
        _default(OverlapTracker, "min_hits"),
        "Images running in which a face must be seen before it is reported; more means fewer false faces.",
        range=(1, 30),
    )
    smoothing_time_constant: float = parameter(
        _default(SmoothingSettings, "time_constant"),
        "Seconds after which smoothed_scores have followed a lasting change by 63 %. 0 turns smoothing off.",
        range=(0.0, 60.0),
        dynamic=True,
    )
    min_confidence: float = parameter(
        _default(HysteresisSettings, "min_confidence"),
        "Smoothed score from which an emotion is named; below it the emotion is unknown. 0 always names one.",
        range=(0.0, 0.99),
        dynamic=True,
    )
    emotion_margin: float = parameter(
        _default(HysteresisSettings, "margin"),
        "By how much the smoothed score of another emotion must exceed that of the present one to take its place.",
        range=(0.0, 0.99),
        dynamic=True,
    )
    emotion_hold: float = parameter(
        _default(HysteresisSettings, "hold"),
        "Seconds for which it must do so. Larger is steadier and slower.",
        range=(0.0, 60.0),
        dynamic=True,
    )

    appear_after: float = parameter(
        _default(EventSettings, "appear_after"),
        "Seconds for which a face must be seen before it has APPEARED, and others can follow about it.",
        range=(0.0, 10.0),
        dynamic=True,
    )
    lost_after: float = parameter(
        _default(EventSettings, "lost_after"),
        "Seconds for which it must stay unseen before it is LOST.",
        range=(0.05, 60.0),
        dynamic=True,
    )
    dominant_rule: str = parameter(
        _default(EventSettings, "dominant_rule"),
        "Whom the robot should attend to. nearest needs a calibrated camera and is like largest without one.",
        choices=DOMINANT_RULES,
        dynamic=True,
    )
    face_width: float = parameter(
        FACE_WIDTH,
        "Meters that the detector's box is taken to be wide at the face; positions are proportional to it.",
        range=(0.05, 0.5),
        dynamic=True,
    )
    image_rectified: bool = parameter(
        False,
        "Whether images have gone through rectification, as in image_rect; camera_info does not say.",
    )
    silence_warning: float = parameter(
        2.0,
        "Seconds without an image after which /diagnostics warns.",
        range=(0.1, 3600.0),
        dynamic=True,
    )
    silence_error: float = parameter(
        5.0,
        "Seconds without an image after which /diagnostics reports an error.",
        range=(0.1, 3600.0),
        dynamic=True,
    )
    publish_markers: bool = parameter(
        False,
        "Publish emotions/markers (visualization_msgs/MarkerArray): a ball and a word where each face is, for rviz. "
        "Needs a calibrated camera.",
    )
    publish_tf: bool = parameter(
        False,
        "Publish on /tf a frame at each face, face_<face_id>, or face_<camera>_<face_id> where cameras have names. "
        "Needs a calibrated camera and tf2_msgs.",
    )
    publish_vision_msgs: bool = parameter(
        False,
        "Publish emotions/detections (vision_msgs/Detection2DArray) with every class of each face, and the classes on "
        "emotions/label_info. Needs vision_msgs.",
    )
    publish_hri: bool = parameter(
        False,
        "Publish /humans/faces/tracked and /humans/faces/<id>/... as in ROS4HRI (REP 155). Needs hri_msgs.",
    )
    publish_foxglove: bool = parameter(
        False,
        "Publish emotions/annotations (foxglove_msgs/ImageAnnotations): boxes and words that Foxglove draws on the "
        "camera's picture. Needs foxglove_msgs.",
    )

    def __post_init__(self):
        check_choices(self)
        _check_cameras(self.cameras)
        if self.silence_error < self.silence_warning:
            raise ParameterError(
                f"silence_error ({self.silence_error} s) is below silence_warning ({self.silence_warning} s): "
                "raise the first, or lower the second"
            )
        if 0 < self.max_face_size < self.min_face_size:
            raise ParameterError(
                f"min_face_size ({self.min_face_size} px) is above max_face_size ({self.max_face_size} px): "
                "no face could be found; lower the first, or raise the second, or set it to 0 for no limit"
            )


def _check_cameras(names: tuple[str, ...]) -> None:
    for name in names:
        if name and not re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name):
            raise ParameterError(
                f"cameras: '{name}' cannot begin the names of topics; take a letter, and after it letters, digits and _"
            )
    if not names or len(set(names)) < len(names):
        raise ParameterError(f"cameras is {list(names)}; give each camera a name of its own, and one camera at least")
