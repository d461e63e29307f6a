# SPDX-License-Identifier: Apache-2.0
"""The web server of the dashboard, in a thread of its own: NiceGUI's page, the live images, and the plots."""

from __future__ import annotations

import ipaddress
import os
import socket
import threading
import webbrowser
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import StreamingResponse
from nicegui import ui
from starlette.middleware.trustedhost import TrustedHostMiddleware

from fer_ros.nodes.dashboard import pictures
from fer_ros.nodes.dashboard.page import ICON, TITLE, Page

if TYPE_CHECKING:
    from fer_ros.nodes.dashboard.source import Source

_BACKLOG = 32
_STOP_TIMEOUT = 0.5
"""Seconds; the node ends in two."""
_NO_CACHE = {"Cache-Control": "no-store"}


class DashboardServer:
    """Serves the pages of a node; the port is taken when the constructor returns.

    Args:
        source: whose state is shown.
        host: address or name.
        port: 0 for a free one.

    Raises:
        OSError: the address cannot be used.
    """

    def __init__(self, source: Source, host: str, port: int):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        self.is_local = _is_local(host)
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{listening.getsockname()[1]}"
        config = uvicorn.Config(_create_app(source, self.is_local), log_config=None, access_log=False)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listening],), name="server", daemon=True)
        self._thread.start()

    def open_browser(self) -> None:
        """Open the page in the web browser of this machine, if it has a display."""
        # Without one, a browser of the terminal could start.
        if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
            threading.Thread(target=webbrowser.open, args=(self.url,), name="browser", daemon=True).start()

    def close(self) -> None:
        """Stop serving; pages that are open say that the connection is lost."""
        self._server.should_exit = True
        self._thread.join(_STOP_TIMEOUT)


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _create_app(source: Source, is_local: bool) -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    if is_local:
        # A web site that lets its own name resolve to this machine (DNS rebinding) must not read the page.
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=["localhost", "127.0.0.1", "[::1]"])

    @app.get("/pictures/{number}")
    async def live_picture(number: int) -> Response:
        cameras = source.settings.cameras
        if not 0 <= number < len(cameras):
            return Response(status_code=404)
        stream = source.pictures.stream(cameras[number])
        return StreamingResponse(stream, media_type=pictures.MEDIA_TYPE, headers=_NO_CACHE)

    @app.get("/plots/{name}")
    async def plot(name: str) -> Response:
        png = source.state.training.plots.get(name)
        return Response(png, media_type="image/png", headers=_NO_CACHE) if png else Response(status_code=404)

    ui.run_with(
        app,
        root=lambda: Page(source),
        title=TITLE,
        favicon=ICON,
        dark=None,  # as the browser has it
        binding_refresh_interval=None,
        message_history_length=0,
        show_welcome_message=False,
    )
    return app
