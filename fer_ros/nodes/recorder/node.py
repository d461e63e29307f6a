# SPDX-License-Identifier: Apache-2.0
"""Records the emotion node's results: a table, an annotated video and image, and a line per second on the console."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import CompressedImage, Image

from fer_ros.media import drawing
from fer_ros.media.image_header import MAX_PIXELS, ImageError
from fer_ros.msg import FaceEmotionArray
from fer_ros.nodes.common import graph, image_monitor, messages, parameters, qos, stop_signals
from fer_ros.nodes.common.image_clock import ImageClock, explain_standstill, warn_without_clock
from fer_ros.nodes.common.image_conversion import Converter
from fer_ros.nodes.common.image_subscription import ImageSubscription
from fer_ros.nodes.common.log_throttle import LogThrottle
from fer_ros.nodes.common.parameters import check_choices, parameter
from fer_ros.nodes.common.run import run
from fer_ros.recording.console import ConsoleReport, supports_color
from fer_ros.recording.files import Recording, RecordingError
from fer_ros.recording.synchronizer import ImageResult, Pair, Synchronizer

_NAME = "emotion_recorder_node"
_LINE_PERIOD = 1.0
"""Seconds."""
_QUEUE = 30
"""Depth of the subscriptions: one second at 30 Hz, for while an image is being encoded."""
_MAX_LATENCY = 60.0
"""Seconds between the stamp of an image and the arrival of its result above which the two clocks differ."""
_NOT_ARRIVED = ImageError("its image has not arrived", "not arrived")


@dataclass(frozen=True)
class RecorderSettings:
    """The node's parameters.

    Raises:
        ParameterError: a value is not among its choices.
    """

    output: str = parameter(
        "out/recording",
        "Folder for emotions.csv, annotated.mp4 and annotated.png. The first result replaces an older recording in it.",
    )
    duration: float = parameter(
        0.0, "Seconds to record, from the first result on. 0 records until the node is stopped.", range=(0.0, 1e6)
    )
    timeout: float = parameter(
        0.0,
        "Seconds to wait for the first result. If none arrives, the node exits with status 1. 0 waits without limit.",
        range=(0.0, 1e6),
    )
    image_transport: str = parameter(
        "raw",
        "Transport of the images, as for emotion_node: raw on the topic image, or compressed on <image>/compressed.",
        choices=("raw", "compressed"),
    )

    max_megapixels: float = parameter(
        MAX_PIXELS / 1e6,
        "Largest image that is recorded, in millions of pixels; as for emotion_node.",
        range=(0.01, 1000.0),
    )

    def __post_init__(self):
        check_choices(self)


class NoEmotionsError(Exception):
    """No result arrived within the timeout."""


class EmotionRecorderNode(Node):
    """Subscribes to `emotions` and `image`, synchronizes both by their stamps, and records them.

    Args:
        options: those of `rclpy.node.Node`.

    Raises:
        ParameterError: a parameter has the wrong type or is out of range.
        RecordingError: a file cannot be written; callbacks raise it if that happens later.
    """

    def __init__(self, **options):
        super().__init__(_NAME, **options)
        parameters.declare(self, RecorderSettings, options.get("cli_args"))
        warn_without_clock(self)
        self._settings = settings = parameters.read(self, RecorderSettings)
        self.finished = Future()
        self._folder = Path(settings.output).expanduser()
        self._recording = Recording(self._folder)
        self._report = ConsoleReport(supports_color(sys.stdout))
        self._synchronizer = Synchronizer()
        self._converter = Converter(max_pixels=round(settings.max_megapixels * 1e6))
        self._image_clock = ImageClock()
        self._throttle = LogThrottle()
        self._once = LogThrottle(interval=math.inf)
        self._images = 0
        self._started = time.monotonic()
        """Time of the first result; before it, of the start."""
        # Images are missed only when there are results: before, the log says what is missing for these.
        self._input = ImageSubscription(
            self, "image", settings.image_transport, self._add_image, depth=_QUEUE, watched=False
        )
        self._emotions = self._subscribe()
        # A steady clock for every duration: with use_sim_time the node's clock can stand still.
        self._steady_clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._line_timer = self.create_timer(_LINE_PERIOD, self._print_line, clock=self._steady_clock)
        self._end_timer: Any = None
        self._timed_out = False
        if settings.timeout:
            self._end_timer = self.create_timer(settings.timeout, self._give_up, clock=self._steady_clock)
        self.get_logger().info(f"recording {self._emotions.topic_name} and {self._input.topic} to {self._folder}")

    def close(self) -> None:
        """Complete the files and print the summary.

        Raises:
            RecordingError: a file is incomplete.
            NoEmotionsError: no result arrived within the timeout.
        """
        try:
            # The images of the latest results may be on their way.
            if not self._images and time.monotonic() - self._started >= image_monitor.TIMEOUT:
                self._record(self._synchronizer.flush())
        finally:
            self._recording.close()
        if self._images or self._report.results:
            self._print(self._report.summary(self._images, self._recording.emotions, self._recording.paths))
        if self._timed_out:
            raise NoEmotionsError(
                f"no emotions arrived on {self._emotions.topic_name} ({self._images} images on {self._input.topic}): "
                "check that emotion_node runs, is active and receives images"
            )

    def _subscribe(self):
        self._emotions_profile = qos.reliable(depth=_QUEUE)
        return self.create_subscription(
            FaceEmotionArray,
            "emotions",
            self._add_result,
            self._emotions_profile,
            qos_overriding_options=qos.overriding_options(),
        )

    def _add_image(self, image: Image | CompressedImage) -> None:
        self._images += 1
        stamp = messages.to_nanoseconds(image.header.stamp)
        self._record(self._synchronizer.add_image(stamp, image, len(image.data)))

    def _add_result(self, message: FaceEmotionArray) -> None:
        try:
            received = messages.from_face_emotion_array(message)
        except ValueError as error:
            if self._throttle.allows("message"):
                topic = self._emotions.topic_name
                self.get_logger().warning(f"ignored a message on {topic}: {error}{self._throttle.repeats('message')}")
            return
        result = replace(received, stamp=self._image_clock.time(received.stamp, time.monotonic_ns()))
        if not self._report.results:
            self._start()
        self._report.add(result, self._latency(received.stamp))
        self._recording.add_result(result)
        self._record(self._synchronizer.add_result(result, received.stamp))

    def _latency(self, stamp: int) -> float:
        """Return the seconds since `stamp` (ns); NaN, and the reason in the log once, if that is no latency."""
        latency = (self.get_clock().now().nanoseconds - stamp) * 1e-9
        if stamp and not self._image_clock.stands_still and abs(latency) <= _MAX_LATENCY:
            return latency
        if self._image_clock.stands_still and self._once.allows("standstill"):
            self.get_logger().warning(explain_standstill(self._input.topic, stamp))
        elif stamp and abs(latency) > _MAX_LATENCY and self._once.allows("latency"):
            self.get_logger().warning(
                f"latency unknown: images are stamped {latency:.0f} s before the time of this node. Play recordings "
                "with `ros2 bag play --clock 100`, and set use_sim_time to true in all nodes"
            )
        return math.nan

    def _record(self, pairs: Iterable[Pair]) -> None:
        for image, result in pairs:
            error = self._draw(image, result) if image else _NOT_ARRIVED
            if error and self._throttle.allows(error.kind):
                self.get_logger().warning(
                    f"a result is in emotions.csv but not in annotated.mp4: {error}{self._throttle.repeats(error.kind)}"
                )

    def _draw(self, message: Image | CompressedImage, result: ImageResult) -> ImageError | None:
        """Append the annotated image; return the error if the image cannot be decoded."""
        try:
            image = self._converter.bgr(message)
        except ImageError as error:
            return error
        annotated = drawing.draw(image, result.faces, result.dominant_face_id)
        self._recording.add_image(annotated, result)
        return None

    def _start(self) -> None:
        self._started = time.monotonic()
        self._input.watch()
        self._line_timer.reset()
        if self._end_timer:
            self._end_timer.cancel()
        if self._settings.duration:
            self._end_timer = self.create_timer(self._settings.duration, self._finish, clock=self._steady_clock)

    def _give_up(self) -> None:
        self._timed_out = True
        self._finish()

    def _finish(self) -> None:
        self._end_timer.cancel()
        self.finished.set_result(0)

    def _log_missing_results(self) -> None:
        """Log why there is no result yet, each reason once."""
        if time.monotonic() - self._started < image_monitor.TIMEOUT:
            return
        topic = self._emotions.topic_name
        publishers = self.get_publishers_info_by_topic("emotions")
        mismatch = graph.qos_mismatch(publishers, self._emotions_profile)
        if not publishers:
            reason = f"no publisher on {topic}: start emotion_node, or remap the topic with `-r emotions:=/its/topic`"
        elif mismatch:
            reason = f"nothing arrives on {topic}: {mismatch}"
        else:
            reason = f"{graph.publisher_names(publishers)} publishes {topic}, but nothing arrives: its log says why"
        if self._once.allows(reason):
            self.get_logger().info(f"waiting for results: {reason}")

    def _print_line(self) -> None:
        if not self._report.results:
            self._log_missing_results()
        else:
            line = self._report.line(time.monotonic() - self._started, _LINE_PERIOD)
            if line:
                self._print(line)

    def _print(self, text: str) -> None:
        try:
            print(text, flush=True)
        except OSError:
            # The reader or the terminal is gone (`| head`, a lost connection); keep recording without console output.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until it is interrupted or the duration has passed; return 1 if it cannot record, otherwise 0."""
    return run(_NAME, EmotionRecorderNode, (RecordingError, NoEmotionsError), args, completes_files=True)


if __name__ == "__main__":
    stop_signals.end(main())
