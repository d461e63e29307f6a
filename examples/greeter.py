"""A small behavior: greets who appears, comments on the mood of the person it attends to, and says goodbye.

    . install/setup.bash
    python3 examples/greeter.py --ros-args -r emotion_events:=/emotion_events

What it says is published on `say` (std_msgs/String), for a speech node to speak, and logged. It is made to be copied.
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


def sentence(event: EmotionEvent) -> str:
    """What to say to an event; empty: nothing."""
    if event.kind == EmotionEvent.APPEARED:
        # Who is first there is also the first to be attended to, and hears about her mood at once.
        return f"Hello, {event.face_id}! {COMMENTS.get(event.current, '') if event.dominant else ''}".rstrip()
    if event.kind == EmotionEvent.CHANGED and event.dominant:
        return COMMENTS.get(event.current, "")
    if event.kind == EmotionEvent.LOST:
        return f"Goodbye, {event.face_id}."
    return ""


class Greeter(Node):
    """Turns each event into a sentence, or into silence."""

    def __init__(self, **options):
        super().__init__("greeter", **options)
        self._say = self.create_publisher(String, "say", 10)
        self.create_subscription(EmotionEvent, "emotion_events", self._react, 50)

    def _react(self, event: EmotionEvent) -> None:
        words = sentence(event)
        if words:
            self.get_logger().info(words)
            self._say.publish(String(data=words))


def main() -> None:
    """Runs until it is interrupted."""
    rclpy.init()
    try:
        rclpy.spin(Greeter())
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
