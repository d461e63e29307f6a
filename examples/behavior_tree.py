# SPDX-License-Identifier: Apache-2.0
"""Example of a behavior tree: look at the person who faces the robot, and answer each of their smiles once.

    pip install py_trees                  # or apt: ros-$ROS_DISTRO-py-trees
    . install/setup.bash
    python3 examples/behavior_tree.py --ros-args -r emotions:=/emotions

Publishes `head_target` (geometry_msgs/PointStamped, in the camera's optical frame; needs a calibrated camera) and `say`
(std_msgs/String). The tree reads `emotions`, each message of which is complete in itself. So it may be started at any
time, and people may leave and come back.
"""

import math
import time

import py_trees
import rclpy
from geometry_msgs.msg import PointStamped
from py_trees.common import Status
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from std_msgs.msg import Header, String

from fer_ros.msg import FaceEmotion, FaceEmotionArray

FORGET_AFTER = 1.0
"""Seconds without a message in which the person is visible after which there is no person, also if the camera fails."""


class Person:
    """The dominant face of the latest images."""

    def __init__(self, node: Node):
        self._face, self._header, self._seen = FaceEmotion(), Header(), -math.inf
        node.create_subscription(FaceEmotionArray, "emotions", self.add, 1)

    def add(self, message: FaceEmotionArray) -> None:
        """Remember the dominant face of an image, if it is visible."""
        for face in message.faces:
            if face.face_id == message.dominant_face_id:
                self._face, self._header, self._seen = face, message.header, time.monotonic()

    @property
    def is_present(self) -> bool:
        """Whether the person was seen a moment ago."""
        return time.monotonic() - self._seen < FORGET_AFTER

    @property
    def emotion(self) -> str:
        """As in FaceEmotion; empty if there is no person."""
        return self._face.emotion if self.is_present else ""

    @property
    def position(self) -> PointStamped:
        """Center of the face; NaN if the camera is not calibrated."""
        return PointStamped(header=self._header, point=self._face.position)


class IsSmiling(py_trees.behaviour.Behaviour):
    """SUCCESS while the person smiles, else FAILURE."""

    def __init__(self, person: Person):
        super().__init__("is smiling")
        self.person = person

    def update(self) -> Status:
        """Look at the latest image."""
        return Status.SUCCESS if self.person.emotion == FaceEmotion.HAPPY else Status.FAILURE


class WaitForEmotion(py_trees.behaviour.Behaviour):
    """RUNNING until the person shows an emotion, then SUCCESS. py_trees.decorators.Timeout limits the wait."""

    def __init__(self, person: Person, emotion: str):
        super().__init__(f"wait for {emotion}")
        self.person, self._emotion = person, emotion

    def update(self) -> Status:
        """Look at the latest image."""
        self.feedback_message = self.person.emotion or "no person"
        return Status.SUCCESS if self.person.emotion == self._emotion else Status.RUNNING


class LookAtPerson(py_trees.behaviour.Behaviour):
    """RUNNING while it publishes where the person is; FAILURE without a person, or a position."""

    def __init__(self, person: Person, node: Node):
        super().__init__("look at person")
        self.person = person
        self._publisher = node.create_publisher(PointStamped, "head_target", 1)

    def update(self) -> Status:
        """Publish the target."""
        if not self.person.is_present:
            self.feedback_message = "no person"
            return Status.FAILURE
        target = self.person.position
        if math.isnan(target.point.x):
            self.feedback_message = "no position: the camera is not calibrated"
            return Status.FAILURE
        self._publisher.publish(target)
        return Status.RUNNING


class Say(py_trees.behaviour.Behaviour):
    """Publish a sentence for a text-to-speech node; SUCCESS."""

    def __init__(self, text: str, node: Node):
        super().__init__("say")
        self._text, self._node = text, node
        self._publisher = node.create_publisher(String, "say", 10)

    def update(self) -> Status:
        """Publish the sentence."""
        self._node.get_logger().info(self._text)
        self._publisher.publish(String(data=self._text))
        return Status.SUCCESS


def create_tree(person: Person, node: Node) -> py_trees.behaviour.Behaviour:
    """Return the root: two things at the same time, over and over."""
    smile_ended = py_trees.decorators.FailureIsRunning(
        "until it ends", py_trees.decorators.Inverter("is not smiling", IsSmiling(person))
    )
    answer = py_trees.composites.Sequence(
        "answer a smile",
        memory=True,
        children=[
            WaitForEmotion(person, FaceEmotion.HAPPY),
            Say("It is good to see you smile.", node),
            smile_ended,
        ],
    )
    look = py_trees.decorators.FailureIsRunning("as long as it takes", LookAtPerson(person, node))
    return py_trees.composites.Parallel(
        "attend", policy=py_trees.common.ParallelPolicy.SuccessOnOne(), children=[look, answer]
    )


class BehaviorTree(Node):
    """Ticks the tree ten times a second."""

    def __init__(self, **options):
        super().__init__("behavior_tree", **options)
        self.person = Person(self)
        self.tree = py_trees.trees.BehaviourTree(create_tree(self.person, self))
        self.create_timer(0.1, self.tree.tick)


def main() -> None:
    """Run the node until it is interrupted."""
    rclpy.init()
    try:
        rclpy.spin(BehaviorTree())
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
