# SPDX-License-Identifier: Apache-2.0
"""Calls the services of the emotion node for the buttons of the page."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from std_srvs.srv import SetBool, Trigger

from fer_ros.srv import LoadModel
from fer_ros.text import printable

if TYPE_CHECKING:
    from rclpy.client import Client
    from rclpy.node import Node

_TIMEOUT = 5.0
"""Seconds to wait for a response."""
_LOADING_TIMEOUT = 90.0
"""The same for a model, which the node tries in a child process first."""
_MAX_MESSAGE = 500
"""Characters of a response."""


@dataclass(frozen=True)
class Outcome:
    """What became of a call."""

    success: bool
    message: str


class Commands:
    """Clients of the emotion node's services; their methods run in the thread of the server.

    Args:
        node: calls.
        emotion_node: its name, absolute or relative to the namespace of `node`.
    """

    def __init__(self, node: Node, emotion_node: str):
        self._node_name = emotion_node
        self._enable = node.create_client(SetBool, f"{emotion_node}/enable")
        self._reset = node.create_client(Trigger, f"{emotion_node}/reset")
        self._load_model = node.create_client(LoadModel, f"{emotion_node}/load_model")

    async def enable(self, enabled: bool) -> Outcome:
        """Enable or disable the emotion node."""
        return await self._call(self._enable, SetBool.Request(data=enabled), _TIMEOUT)

    async def reset(self) -> Outcome:
        """Drop all tracks."""
        return await self._call(self._reset, Trigger.Request(), _TIMEOUT)

    async def load_model(self, model: str) -> Outcome:
        """Replace the model of the emotion node."""
        return await self._call(self._load_model, LoadModel.Request(model=model), _LOADING_TIMEOUT)

    async def _call(self, client: Client, request: Any, timeout: float) -> Outcome:
        if not client.service_is_ready():
            return Outcome(False, f"no service {client.service_name}: is {self._node_name} running?")
        answered: Future[Any] = Future()
        calling = client.call_async(request)
        calling.add_done_callback(lambda done: None if answered.done() else answered.set_result(done.result()))
        try:
            response = await asyncio.wait_for(asyncio.wrap_future(answered), timeout)
        except asyncio.TimeoutError:
            return Outcome(False, f"no response of {client.service_name} within {timeout:g} s")
        finally:
            client.remove_pending_request(calling)
        return Outcome(response.success, printable(response.message, _MAX_MESSAGE))
