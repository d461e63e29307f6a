# SPDX-License-Identifier: Apache-2.0
"""Example of a behavior: greet each new face, comment on the emotion of the dominant face, and say goodbye.

    . install/setup.bash
    python3 examples/greeter.py --ros-args -r emotion_events:=/emotion_events

Each sentence is logged and published on `say` (std_msgs/String) for a text-to-speech node. The node may be started at
any time: people who are already there are greeted too, and each of them once.
"""

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from std_msgs.msg import String

from fer_ros.msg import EmotionEvent, FaceEmotion

COMMENTS = {
    FaceEmotion.HAPPY: "It is good to see you smile.",
    FaceEmotion.SAD: "You look sad. Can I help?",
    FaceEmotion.ANGRY: "Did I do something wrong?",
    FaceEmotion.SURPRISE: "Did that surprise you?",
    FaceEmotion.FEAR: "I will keep my distance.",
}


class Greeter(Node):
    """Subscribes to `emotion_events` and publishes sentences on `say`."""

    def __init__(self, **options):
        super().__init__("greeter", **options)
        self._greeted = set()
        """Ids of the faces that were greeted and are still there."""
        self._publisher = self.create_publisher(String, "say", 10)
        self.create_subscription(EmotionEvent, "emotion_events", self._on_event, 50)

    def _on_event(self, event: EmotionEvent) -> None:
        text = self._sentence(event)
        if text:
            self.get_logger().info(text)
            self._publisher.publish(String(data=text))

    def _sentence(self, event: EmotionEvent) -> str:
        """Return the sentence for an event, or an empty string."""
        known = event.face_id in self._greeted
        if event.kind == EmotionEvent.LOST:
            self._greeted.discard(event.face_id)
            return f"Goodbye, {event.face_id}." if known else ""
        comment = COMMENTS.get(event.current, "") if event.dominant else ""
        # APPEARED is always someone new: after a restart of emotion_node, another face may have the same id.
        if event.kind == EmotionEvent.APPEARED or (event.kind == EmotionEvent.PRESENT and not known):
            self._greeted.add(event.face_id)
            return f"Hello, {event.face_id}! {comment}".rstrip()
        return comment if event.kind == EmotionEvent.CHANGED else ""


def main() -> None:
    """Run the node until it is interrupted."""
    rclpy.init()
    try:
        rclpy.spin(Greeter())
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
