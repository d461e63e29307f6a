"""Records what the emotion node says: a table, a video and a picture, and a live line on standard output."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.task import Future
from rclpy.time import Time
from sensor_msgs.msg import CompressedImage, Image

from fer_ros.media import drawing
from fer_ros.media.encodings import ImageError
from fer_ros.msg import FaceEmotionArray
from fer_ros.nodes.common import messages, parameters, qos
from fer_ros.nodes.common.image_conversion import Converter
from fer_ros.nodes.common.image_subscription import ImageSubscription
from fer_ros.nodes.common.log_throttle import LogThrottle
from fer_ros.nodes.common.parameters import check_choices, parameter
from fer_ros.nodes.common.run import run
from fer_ros.recording.console import LiveReport, is_colorful
from fer_ros.recording.files import Recording, RecordingError
from fer_ros.recording.synchronizer import Answer, Pair, Pairing

_NAME = "emotion_recorder_node"
_LINE_EVERY = 1.0
_QUEUE = 30
"""Images and answers that wait while a picture is being encoded: a second's worth of a fast camera."""


@dataclass(frozen=True)
class RecorderSettings:
    """The node's parameters.

    Raises:
        ParameterError: a value is not among its choices.
    """

    output: str = parameter(
        "out/recording",
        "Folder for emotions.csv, annotated.mp4 and annotated.png. It is made; an older recording in it is replaced.",
    )
    duration: float = parameter(
        0.0, "Seconds to record, from the first answer on. 0 records until the node is stopped.", range=(0.0, 1e6)
    )
    patience: float = parameter(
        0.0,
        "Seconds to wait for the first answer. Then, or when it is stopped without one, the node exits with 1. 0 waits "
        "for ever.",
        range=(0.0, 1e6),
    )
    image_transport: str = parameter(
        "raw",
        "How images arrive, as for emotion_node: raw on the topic image, or compressed on <image>/compressed.",
        choices=("raw", "compressed"),
    )

    def __post_init__(self):
        check_choices(self)


class NoEmotionsError(Exception):
    """There was nothing to record."""


class EmotionRecorderNode(Node):
    """Subscribes to `emotions` and `image`, brings both together by their stamps, and records them.

    Args:
        options: those of `rclpy.node.Node`.

    Raises:
        ParameterError: a parameter has the wrong type, or is out of range.
        RecordingError: a file cannot be written; raised by the callbacks where that happens later.
    """

    def __init__(self, **options):
        super().__init__(_NAME, **options)
        parameters.declare(self, RecorderSettings)
        self._settings = settings = parameters.read(self, RecorderSettings)
        self.finished = Future()
        self._folder = Path(settings.output).expanduser()
        self._recording = Recording(self._folder)
        self._report = LiveReport(is_colorful(sys.stdout))
        self._pairing = Pairing()
        self._converter = Converter()
        self._throttle = LogThrottle()
        self._images = 0
        self._since = time.monotonic()
        """The first answer; before it, the start."""
        self._input = ImageSubscription(self, "image", settings.image_transport, self._add_image, depth=_QUEUE)
        self._emotions = self._subscribe()
        # Not the node's clock, like every duration here: with use_sim_time that one may stand still.
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._line_timer = self.create_timer(_LINE_EVERY, self._tell, clock=self._steady)
        self._end_timer = None
        if settings.patience:
            self._end_timer = self.create_timer(settings.patience, self._finish, clock=self._steady)
        self.get_logger().info(f"records {self._emotions.topic_name} and {self._input.topic} in {self._folder}")

    def close(self) -> None:
        """Completes the files, then says what is in them.

        Raises:
            RecordingError: one of them is not complete.
            NoEmotionsError: nothing came, and the user wants to know.
        """
        try:
            self._record(self._pairing.rest())
        finally:
            self._recording.close()
        files = sorted(path for path in self._folder.iterdir() if path.stem in ("emotions", "annotated"))
        self._say(self._report.summary(self._images, self._recording.emotions, files))
        if self._settings.patience and not self._report.answers:
            raise NoEmotionsError(
                f"no emotions came on {self._emotions.topic_name} ({self._images} images on {self._input.topic})"
            )

    def _subscribe(self):
        return self.create_subscription(
            FaceEmotionArray,
            "emotions",
            self._add_answer,
            qos.reliable(depth=_QUEUE),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )

    def _add_image(self, image: Image | CompressedImage) -> None:
        self._images += 1
        stamp = Time.from_msg(image.header.stamp).nanoseconds
        self._record(self._pairing.add_image(stamp, image, len(image.data)))

    def _add_answer(self, message: FaceEmotionArray) -> None:
        answer = messages.from_face_emotion_array(message)
        if not self._report.answers:
            self._begin()
        self._report.add(answer, (self.get_clock().now().nanoseconds - answer.stamp) * 1e-9)
        self._recording.add_answer(answer)
        self._record(self._pairing.add_answer(answer))

    def _record(self, pairs: Iterable[Pair]) -> None:
        for image, answer in pairs:
            reason = self._draw(image, answer) if image else "its image has not arrived"
            if reason and self._throttle.allows(reason):
                self.get_logger().warning(f"an answer is in the table, but not in the video: {reason}")

    def _draw(self, image: Image | CompressedImage, answer: Answer) -> str:
        """Appends the picture; why it could not be read, or empty."""
        try:
            picture = self._converter.bgr(image)
        except ImageError as error:
            return str(error)
        annotated = drawing.draw(picture, answer.faces, answer.dominant_face_id)
        self._recording.add_picture(annotated, answer)
        return ""

    def _begin(self) -> None:
        self._since = time.monotonic()
        self._line_timer.reset()
        if self._end_timer:
            self._end_timer.cancel()
        if self._settings.duration:
            self._end_timer = self.create_timer(self._settings.duration, self._finish, clock=self._steady)

    def _finish(self) -> None:
        self._end_timer.cancel()
        self.finished.set_result(0)

    def _tell(self) -> None:
        if self._report.answers:
            self._say(self._report.line(time.monotonic() - self._since, _LINE_EVERY))

    def _say(self, text: str) -> None:
        try:
            print(text, flush=True)
        except BrokenPipeError:
            # Nobody reads any more (`| head`); what is recorded is complete without.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(args: Sequence[str] | None = None) -> int:
    """Runs the node until it is interrupted or the duration has passed; 1 where it cannot record."""
    return run(_NAME, EmotionRecorderNode, (RecordingError, NoEmotionsError), args)


if __name__ == "__main__":
    sys.exit(main())
