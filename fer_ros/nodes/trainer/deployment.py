# SPDX-License-Identifier: Apache-2.0
"""Deploy a model to a running emotion node."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup

from fer_ros.srv import LoadModel

if TYPE_CHECKING:
    from rclpy.node import Node

_POLL_PERIOD = 0.05
"""Seconds."""


class Deployment:
    """A client of an emotion node's service `load_model`.

    Args:
        node: owns the client; its executor needs a free thread while `deploy` waits.
        emotion_node: name of the emotion node, absolute or relative to the namespace of `node`.
        timeout: seconds to wait for the service and its response together.
    """

    def __init__(self, node: Node, emotion_node: str, timeout: float):
        name = f"{emotion_node}/load_model"
        self._service = node.resolve_service_name(name)
        # Not with the resolved name, which rclpy would remap again.
        self._client = node.create_client(LoadModel, name, callback_group=MutuallyExclusiveCallbackGroup())
        self._timeout = timeout

    def deploy(self, model: Path, is_canceled: Callable[[], bool]) -> str:
        """Ask the emotion node to load `model` and return the outcome as one sentence.

        Args:
            model: absolute path of the model file.
            is_canceled: polled while waiting; True ends the wait.
        """
        deadline = time.monotonic() + self._timeout

        def wait_for(condition: Callable[[], bool]) -> bool:
            while not condition():
                if is_canceled() or time.monotonic() > deadline:
                    return False
                time.sleep(_POLL_PERIOD)
            return True

        if not wait_for(self._client.service_is_ready):
            return f"not deployed: there is no service {self._service}; check the name of the emotion node"
        future = self._client.call_async(LoadModel.Request(model=str(model)))
        if not wait_for(future.done):
            return f"not deployed: no response from {self._service} within {self._timeout:g} s"
        response = future.result()
        if not response.success:
            return f"not deployed: {self._service} refused the model: {response.message}"
        return f"deployed: {self._service} loaded {response.model_id}"
