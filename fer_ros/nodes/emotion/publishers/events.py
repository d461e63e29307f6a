# SPDX-License-Identifier: Apache-2.0
"""The topic `emotion_events`: faces that appeared, changed their emotion, or were lost; who is present."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rclpy.duration import Duration
from std_msgs.msg import Header

from fer_ros.msg import EmotionEvent
from fer_ros.nodes.common.messages import to_point
from fer_ros.nodes.common.qos import reliable
from fer_ros.nodes.emotion.publishers.base import CameraPublisher
from fer_ros.people.events import Event

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode

    from fer_ros.nodes.emotion.result import Result

_ACK_TIMEOUT = Duration(seconds=0.5)
"""Longest wait for the subscribers to acknowledge the last event."""


class EventsPublisher(CameraPublisher):
    """Publishes an EmotionEvent per event on `emotion_events` of each camera.

    Args:
        node: publishes.
        cameras: names of all cameras of the node.
    """

    def __init__(self, node: LifecycleNode, cameras: Sequence[str]):
        super().__init__(node, cameras)
        # Not latched: its history would also have the events of people who have left, and volatile subscribers, the
        # default in C++ and Python, would not receive it. They are told with PRESENT who is there.
        self._events = self._create_publishers(EmotionEvent, "emotion_events", reliable(depth=50))
        self._subscribers = dict.fromkeys(cameras, 0)

    def has_new_subscribers(self, camera: str) -> bool:
        """Return whether a subscriber of a camera's events was added since the last call."""
        before, self._subscribers[camera] = self._subscribers[camera], self._events[camera].get_subscription_count()
        return self._subscribers[camera] > before

    def publish(self, camera: str, result: Result) -> None:
        """See `Publisher`; the events were published before."""

    def publish_events(self, camera: str, events: Sequence[Event], header: Header) -> None:
        """See `Publisher`."""
        for event in events:
            self._events[camera].publish(to_emotion_event(event, header))

    def close(self) -> None:
        """See `Publisher`."""
        # The last event is a LOST; destroying the publisher at once would discard it.
        for publisher in self._events.values():
            publisher.wait_for_all_acked(_ACK_TIMEOUT)
        super().close()


def to_emotion_event(event: Event, header: Header) -> EmotionEvent:
    """Return an event as a message with the header of the image that caused it."""
    return EmotionEvent(
        header=header,
        kind=event.kind,
        face_id=event.face_id,
        dominant=event.dominant,
        previous=event.previous,
        current=event.current,
        confidence=event.confidence,
        position=to_point(event.position),
    )
