# SPDX-License-Identifier: Apache-2.0
"""The live images of each camera, passed on to the browsers as they are: JPEG files in an endless response."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence

_BOUNDARY = "image"
MEDIA_TYPE = f"multipart/x-mixed-replace; boundary={_BOUNDARY}"


class Pictures:
    """Hands the newest image of a camera to each of its streams; one that is slow skips images.

    Args:
        cameras: their names.
        max_rate: images per second of a stream.
        on_change: called in the thread of the server when `watched` may have changed.
    """

    def __init__(self, cameras: Sequence[str], max_rate: float, on_change: Callable[[], None]):
        self._latest: dict[str, bytes] = {}
        self._arrived = dict.fromkeys(cameras, float("-inf"))
        self._streams: dict[str, set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = {
            camera: set() for camera in cameras
        }
        self._period = 1 / max_rate
        self._on_change = on_change
        self._closed = False

    def watched(self, camera: str) -> bool:
        """Return whether a browser shows this camera."""
        return bool(self._streams[camera])

    def age(self, camera: str) -> float:
        """Return the seconds since the last image of a camera arrived; infinite before the first."""
        return time.monotonic() - self._arrived[camera]

    def put(self, camera: str, jpeg: bytes) -> None:
        """Replace the image of a camera."""
        self._latest[camera] = jpeg
        self._arrived[camera] = time.monotonic()
        self._wake(camera)

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        for camera in self._streams:
            self._wake(camera)

    async def stream(self, camera: str) -> AsyncIterator[bytes]:
        """Yield the body of a response of type `MEDIA_TYPE`, which ends when the browser or the node does."""
        stream = asyncio.get_running_loop(), asyncio.Event()
        self._streams[camera].add(stream)
        self._on_change()
        try:
            # The delimiter after each image, not before it: browsers show an image when they have read that.
            yield f"--{_BOUNDARY}\r\n".encode()
            while True:
                await stream[1].wait()
                stream[1].clear()
                if self._closed:
                    return
                jpeg = self._latest[camera]
                yield f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n".encode()
                yield jpeg
                yield f"\r\n--{_BOUNDARY}\r\n".encode()
                await asyncio.sleep(self._period)
        finally:
            self._streams[camera].discard(stream)
            self._on_change()

    def _wake(self, camera: str) -> None:
        for loop, event in tuple(self._streams[camera]):
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)
