# SPDX-License-Identifier: Apache-2.0
"""Write files atomically, and read files of unknown origin."""

from __future__ import annotations

import lzma
import os
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

ZIP_ERRORS = (
    OSError,
    ValueError,
    EOFError,
    RuntimeError,  # encrypted; also NotImplementedError: a compression that zipfile does not know
    LookupError,
    OverflowError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)
"""What zipfile raises for damaged files."""


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield the path of a temporary file that replaces `path` when the block ends without an exception.

    The temporary file lies in the same folder, because only a rename within one file system is atomic. After an
    exception it is deleted and `path` is unchanged.

    Raises:
        OSError: the file cannot be replaced, for example because the disk is full.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "numbers.txt"
        >>> with atomic_write(path) as temporary:
        ...     _ = temporary.write_text("1 2 3")
        >>> path.read_text()
        '1 2 3'
    """
    temporary = path.with_name(f".{path.name}.partial")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(folder: Path) -> None:
    """Check, before work whose results go to `folder`, that files can be written there; the folder is not created.

    Args:
        folder: need not exist; then its nearest existing parent is checked.

    Raises:
        OSError: it is read-only, on a full disk, or not a folder.
    """
    existing = next((path for path in (folder, *folder.absolute().parents) if path.exists()), folder)
    try:
        with tempfile.TemporaryFile(dir=existing) as file:
            file.write(bytes(4096))
    except OSError as error:
        raise OSError(f"{folder} cannot be written: {existing}: {error.strerror}") from error


def read_regular_file(path: Path, max_bytes: int) -> bytes:
    """Return the content of a file of unknown origin.

    Neither a FIFO nor a device is read, because reading one may never end.

    Args:
        path: of the file; symbolic links are followed.
        max_bytes: largest size to read.

    Raises:
        OSError: the file does not exist, cannot be read, is not a regular file, or is larger than `max_bytes`.
    """
    with open_regular_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        content = file.read(max_bytes + 1) if size <= max_bytes else b""
    if max(size, len(content)) > max_bytes:
        raise OSError(f"{path}: has {max(size, len(content))} bytes; the limit is {max_bytes}")
    return content


def open_regular_file(path: Path) -> BinaryIO:
    """Open a file for reading, without waiting.

    Raises:
        OSError: the file does not exist, cannot be read, or is not a regular file.
    """
    try:
        # Without O_NONBLOCK, opening a FIFO waits for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise OSError(f"{path}: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path}: not a regular file")
    return os.fdopen(descriptor, "rb")
