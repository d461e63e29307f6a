"""Hands a model over to an emotion node that runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup

from fer_ros.srv import LoadModel

if TYPE_CHECKING:
    from rclpy.node import Node


class Deployment:
    """A client of an emotion node's service `load_model`.

    Args:
        node: whose executor has a thread to spare while `serve` waits.
        emotion_node: name of the emotion node, absolute or relative to the namespace of `node`.
        timeout: seconds to wait for it.
    """

    def __init__(self, node: Node, emotion_node: str, timeout: float):
        self._service = node.resolve_service_name(f"{emotion_node}/load_model")
        self._client = node.create_client(LoadModel, self._service, callback_group=MutuallyExclusiveCallbackGroup())
        self._timeout = timeout

    def serve(self, model: Path, given_up: Callable[[], bool]) -> str:
        """Has the emotion node serve with `model`; says what came of it. `given_up` is asked while this waits."""
        service, end = self._service, time.monotonic() + self._timeout

        def waited_for(condition: Callable[[], bool]) -> bool:
            while not condition():
                if given_up() or time.monotonic() > end:
                    return False
                time.sleep(0.05)
            return True

        if not waited_for(self._client.service_is_ready):
            return f"not deployed: there is no service {service}; does the emotion node run under that name?"
        future = self._client.call_async(LoadModel.Request(model=str(model)))
        if not waited_for(future.done):
            return f"not deployed: {service} has not processed in {self._timeout:g} s"
        response = future.result()
        if not response.success:
            return f"not deployed: {service} refuses: {response.message}"
        return f"deployed: {service} answers with {response.model_id}"
