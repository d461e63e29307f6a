"""One camera of the emotion node: its topics, and how far its images have come."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rclpy.callback_groups import CallbackGroup
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from fer_ros.media.encodings import ImageError
from fer_ros.nodes.common.image_subscription import CameraInput, topic_of
from fer_ros.nodes.common.log_throttle import LogThrottle
from fer_ros.nodes.emotion.camera_info import Calibration
from fer_ros.nodes.emotion.diagnostics import CameraStatistics
from fer_ros.nodes.emotion.image_gate import Decision, ImageGate
from fer_ros.nodes.emotion.parameters import Settings
from fer_ros.nodes.emotion.publishers import Publisher
from fer_ros.nodes.emotion.result import CameraOutput, Result
from fer_ros.people.camera_model import CameraModel
from fer_ros.people.events import Event

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode


class Camera:
    """The outputs of one camera, and, from `begin` to `end`, its inputs.

    What is remembered of the people before it is not here: that belongs to `NodeState`.

    Args:
        node: publishes and subscribes.
        name: under which its topics lie; may be empty.
        group: the callback group of the subscriptions.
        publishers: say the same in other languages.
    """

    def __init__(self, node: LifecycleNode, name: str, group: CallbackGroup, publishers: Sequence[Publisher]):
        self._node = node
        self.name = name
        self._group = group
        self._output = CameraOutput(node, name, publishers)
        self._input: CameraInput | None = None
        self._calibration: Calibration | None = None
        self._header = Header()
        """Of the last image that was processed."""
        self._admission = ImageGate()
        self._throttle = LogThrottle()
        self.bad_images = 0
        """How many could not be read."""
        self.statistics = CameraStatistics()
        self.unanswered = Counter[Decision]()
        """How many others were not processed, and why."""

    @property
    def works(self) -> bool:
        """Whether its images are to be processed."""
        return self._input is not None

    @property
    def has_subscribers(self) -> bool:
        """Whether somebody listens to what is said about it."""
        return self._output.has_subscribers

    @property
    def topics(self) -> str:
        """From where to where, for people to read."""
        return f"{self.source} -> {self._output.topic}"

    @property
    def source(self) -> str:
        """The topic of its images, resolved."""
        return self._input.topic if self._input else self._node.resolve_topic_name(topic_of(self.name, "image"))

    def begin(self, settings: Settings, deliver: Callable[[Image | CompressedImage], None]) -> None:
        """Subscribes; each image goes to `deliver`, which must return at once and not raise."""
        image = topic_of(self.name, "image")
        self.statistics.begin()

        def receive(message: Image | CompressedImage) -> None:
            self.statistics.image_arrived()
            deliver(message)

        self._input = CameraInput(self._node, image, settings.image_transport, receive, self._group)
        calibration = topic_of(self.name, "camera_info")
        self._calibration = Calibration(self._node, calibration, settings.image_rectified, self._group)

    def end(self) -> None:
        """Unsubscribes."""
        if self._input:
            self._input.close()
        if self._calibration:
            self._calibration.close()
        self._input = self._calibration = None
        self._admission.forget()

    def close(self) -> None:
        """Takes its topics off the graph."""
        self.end()
        self._output.close()

    def admit(self, stamp: float, max_rate: float) -> Decision:
        """What is to become of a new image that was taken at `stamp` (s); counted where it is not processed."""
        verdict = self._admission.judge(stamp, time.monotonic(), max_rate)
        if verdict in (Decision.LATE, Decision.TOO_SOON):
            self.unanswered[verdict] += 1
        return verdict

    def model(self, image_size: tuple[int, int]) -> CameraModel | None:
        """Its calibration for images of this width and height, pixels; None where that is missing or wrong."""
        return self._calibration.camera(image_size) if self._calibration else None

    def publish(self, result: Result) -> None:
        """All that is to be said about one image."""
        self._header = result.emotions.header
        self._output.publish(result)
        self.statistics.image_answered(result.emotions)

    def publish_lost(self, events: list[Event]) -> None:
        """Whom it has lost without a new image."""
        self._output.publish_events(events, self._header)

    def report_bad_image(self, error: ImageError) -> None:
        """Counts it, and says why it is not processed."""
        self.bad_images += 1
        if self._throttle.allows(str(error)):
            self._node.get_logger().warning(
                f"image skipped on {self.source}: {error} (skipped so far: {self.bad_images})"
            )
