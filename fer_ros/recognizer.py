# SPDX-License-Identifier: Apache-2.0
"""The front door of the library: images in, emotions out."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fer_ros.emotion.backends import registry as backends
from fer_ros.emotion.classifier import Classifier
from fer_ros.faces.detectors.base import Detector
from fer_ros.faces.detectors.registry import DETECTORS
from fer_ros.faces.tracking_detector import TrackingSettings
from fer_ros.people.camera_model import FACE_WIDTH, CameraModel
from fer_ros.people.hysteresis import HysteresisSettings
from fer_ros.people.smoothing import SmoothingSettings
from fer_ros.pipeline import CameraSettings, CameraState, recognize
from fer_ros.types import FaceResult, Frame


class EmotionRecognizer:
    """Recognizes the emotions of the faces in single images, or in the images of one camera over time.

    With several cameras, use one object for each. An object may be used by one thread at a time.

    Args:
        model: name of a model that ships with the package, or path of a model file (`.onnx` or `.pt`).
        detector: name of a registered detector ("viola_jones", "mtcnn", "dlib", "yunet"), or a `Detector`.
        backend: what runs the network: "opencv", "onnx" (ONNX Runtime), "torchscript", or "auto", which takes
            TorchScript for a `.pt` file and OpenCV for an `.onnx` file.
        detector_options: instance of the detector's options dataclass; None for its defaults.
        tracking: settings of detection by tracking, for images with stamps.
        smoothing: settings of the average over time, for images with stamps.
        hysteresis: from which score an emotion is named, and, for images with stamps, when it changes.
        alignment: which faces are derotated for the network: "off", "tilted" (those known to be) or "on" (all, by
            their eyes).
        max_faces: number of faces that are classified in an image, the largest; 0 for all.
        rotation: degrees clockwise by which images are rotated before faces are searched: 0, 90, 180 or 270. Results
            are in pixels of the image as it was given.
        camera_model: calibration of the camera, for positions; None for none.
        face_width: width in meters that the detector's box spans at the face; positions are proportional to it.

    Raises:
        FileNotFoundError: there is no such model, or a file that the detector needs is missing.
        ModelFileError: the model file cannot be used.
        ImportError: a package that the backend or the detector needs is not installed.
        ValueError: there is no such detector, backend or alignment, or a value is out of its range.

    >>> recognizer = EmotionRecognizer(model="mini_xception", hysteresis=HysteresisSettings(min_confidence=0.5))
    >>> recognizer.labels
    ('angry', 'disgust', 'fear', 'happy', 'sad', 'surprise', 'neutral')
    >>> recognizer.recognize(np.zeros((480, 640, 3), np.uint8))
    []
    """

    def __init__(
        self,
        model: str | Path = "mini_xception",
        detector: str | Detector = "viola_jones",
        backend: str = backends.AUTO,
        *,
        detector_options: Any = None,
        tracking: TrackingSettings = TrackingSettings(),
        smoothing: SmoothingSettings = SmoothingSettings(),
        hysteresis: HysteresisSettings = HysteresisSettings(),
        alignment: str = "tilted",
        max_faces: int = 0,
        rotation: int = 0,
        camera_model: CameraModel | None = None,
        face_width: float = FACE_WIDTH,
    ):
        settings = CameraSettings(
            tracking=tracking,
            smoothing=smoothing,
            hysteresis=hysteresis,
            alignment=alignment,
            max_faces=max_faces,
            rotation=rotation,
            face_width=face_width,
        )
        if isinstance(detector, str):
            detector = DETECTORS.create(detector, detector_options)
        self._detector = detector
        self._settings = settings
        self._classifier = Classifier(model, backend)
        self._camera_model = camera_model
        self._create_states()

    @property
    def labels(self) -> tuple[str, ...]:
        """The model's class labels, in the order of the scores."""
        return self._classifier.labels

    @property
    def model_id(self) -> str:
        """The model's name and the first digits of its file's SHA-256: "mini_xception@0a1b2c3d"."""
        return self._classifier.model_id

    def recognize(self, image: np.ndarray, stamp: float | None = None) -> list[FaceResult]:
        """Return the faces in `image` with their emotions, largest first.

        Args:
            image: (height, width, 3) BGR, as `cv2.imread` returns it, or (height, width) gray; uint8.
            stamp: time of the image in seconds. With a stamp, faces are tracked from image to image and their scores
                smoothed; stamps that jump back begin a new sequence. A face that appears beside others is in the
                results of the next image, as in those of the emotion node. None: the image stands alone; it is
                scanned in full, faces have an empty id, and smoothed scores equal the scores.

        Raises:
            TypeError: `image` is not a NumPy array, or not of dtype uint8.
            ValueError: `image` has another shape or no pixels, or `stamp` is not finite.
        """
        gray = _to_gray(image)
        if stamp is not None and not math.isfinite(stamp):
            raise ValueError(f"stamp must be a finite number of seconds, or None for a single image, not {stamp}")
        state = self._single if stamp is None else self._stream
        height, width = gray.shape
        if self._camera_model:
            self._camera_model.check((width, height))
            state.camera_model = self._camera_model
        threads = cv2.getNumThreads()
        try:
            if stamp is not None:
                # In the order of the emotion node, so that it gives the same results for the same images.
                (faces,) = recognize([(state, Frame(gray, stamp))], self._classifier, defer_scans=True)
                state.scan_deferred()
                return faces
            state.reset()
            (faces,) = recognize([(state, Frame(gray, 0.0))], self._classifier)
            return [replace(face, id="") for face in faces]
        finally:
            # Tracking reduces OpenCV's threads; the caller keeps the number it has set.
            if cv2.getNumThreads() != threads:
                cv2.setNumThreads(threads)

    def for_another_camera(self) -> EmotionRecognizer:
        """Return a recognizer without tracks that shares the model, the detector and the settings, in no time.

        Both may be used by the same thread only.
        """
        other = copy.copy(self)
        other._create_states()
        return other

    def reset(self) -> None:
        """Drop all tracks; the next face gets a new id."""
        self._stream.reset()

    def _create_states(self) -> None:
        settings = self._settings
        self._stream = CameraState(self._detector, settings)
        # An image that stands alone has no second one in which a face could be found again.
        self._single = CameraState(self._detector, replace(settings, tracking=replace(settings.tracking, min_hits=1)))


def _to_gray(image: np.ndarray) -> np.ndarray:
    """Return the image as (height, width) uint8; raise what `EmotionRecognizer.recognize` documents."""
    if image is None:
        raise TypeError("image is None: cv2.imread returns that for a file that is missing or not an image")
    if not isinstance(image, np.ndarray):
        raise TypeError(f"image must be a NumPy array, not {type(image).__name__}; cv2.imread(path) reads a file")
    if image.dtype != np.uint8:
        raise TypeError(
            f"image must have dtype uint8 with values 0..255, not {image.dtype}; from values 0..1 convert with "
            "(255 * image).astype(np.uint8)"
        )
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3) or 0 in image.shape:
        raise ValueError(
            f"image must have the shape (height, width, 3), BGR, or (height, width), gray, not {image.shape}"
        )
    # OpenCV takes only arrays whose rows lie in memory one after the other; a crop or a flip is copied.
    return np.ascontiguousarray(image) if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
