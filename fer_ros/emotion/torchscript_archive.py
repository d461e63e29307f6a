# SPDX-License-Identifier: Apache-2.0
"""Read a TorchScript archive of unknown origin, and rebuild it from what was checked.

torch's own reader of zip files can understand a crafted file differently from Python's, and it unpacks members of any
size. So torch never gets the file, but an archive that is written from the members read and checked here.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Mapping

from fer_ros.emotion import torchscript_code, torchscript_data
from fer_ros.emotion.metadata import MAX_BYTES as MAX_METADATA

_MAX_MEMBERS = 20_000
"""ResNet-50 has 755."""
_MAX_TEXT = 4 << 20
"""Bytes of all code, and of each description of objects; ResNet-50 has 0.1 MB."""
_ENTRY = b"PK\x01\x02"
"""Begins each entry of a zip file's directory, which zipfile reads as a whole."""
_METADATA = "extra/fer_ros.json"
_MEMBERS = re.compile(
    r"(?P<code>code/[\w./]+\.py)|(?P<text>data\.pkl|constants\.pkl|version|byteorder)|"
    rf"(?P<metadata>{re.escape(_METADATA)})|(?P<values>(data|constants)/\d+)",
    re.ASCII,
)
"""What is read, without the first folder. Of the rest, which torch writes for debugging, nothing is needed."""
_PREFIX = "model"
"""First folder of the rebuilt archive. torch takes it from any name."""


def read(content: bytes) -> dict[str, bytes]:
    """Return the members that loading needs, by their name without the first folder, and the metadata.

    Raises:
        ValueError: this is not an archive as torch writes it, or a member is too large.
        Exception: one of `fer_ros.files.ZIP_ERRORS`.
    """
    members: dict[str, bytes] = {}
    prefixes = set()
    text = 0
    if content.count(_ENTRY) > _MAX_MEMBERS:
        raise ValueError(f"it has more than {_MAX_MEMBERS} members")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for info in archive.infolist():
            prefix, _, name = info.filename.partition("/")
            kind = _MEMBERS.fullmatch(name)
            if not kind:
                continue
            if name in members:
                raise ValueError(f"it has two members '{name}'")
            if kind["values"] is None:
                text += info.file_size
            _check_size(info, name, text, is_values=kind["values"] is not None)
            prefixes.add(prefix)
            members[name] = archive.read(info)
    if len(prefixes) != 1:
        raise ValueError(f"it has members in {len(prefixes)} folders instead of one")
    return members


def _check_size(info: zipfile.ZipInfo, name: str, text: int, is_values: bool) -> None:
    if name == _METADATA and info.file_size > MAX_METADATA:
        raise ValueError(f"the metadata has {info.file_size} bytes; the limit is {MAX_METADATA}")
    if text > _MAX_TEXT:
        raise ValueError(f"its code and descriptions have more than {_MAX_TEXT} bytes")
    # torch stores weights as they are; a compressed file of a few bytes can stand for gigabytes.
    known = (zipfile.ZIP_STORED,) if is_values else (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    if info.compress_type not in known:
        raise ValueError(f"'{name}' is compressed as torch does not write it")
    if info.compress_type == zipfile.ZIP_STORED and info.file_size != info.compress_size:
        raise ValueError(f"'{name}' has contradicting sizes")


def metadata(members: Mapping[str, bytes]) -> bytes | None:
    """Return the metadata as JSON; None if there is none."""
    return members.get(_METADATA)


def digest(members: Mapping[str, bytes]) -> bytes:
    """Return the SHA-256 of the network: of everything but the metadata."""
    result = hashlib.sha256()
    for name in sorted(members.keys() - {_METADATA}):
        result.update(f"{name}\n{len(members[name])}\n".encode())
        result.update(members[name])
    return result.digest()


def checked(members: Mapping[str, bytes]) -> bytes:
    """Return an archive with the network alone, after checking its code and its values.

    Raises:
        ValueError: the code uses more than a network needs, or the values contradict each other.
    """
    for name, content in members.items():
        if name.startswith("code/"):
            torchscript_code.check(name, content)
    for name, folder in (("data.pkl", "data"), ("constants.pkl", "constants")):
        if name not in members:
            raise ValueError(f"it has no member '{name}'")
        sizes = {key.partition("/")[2]: len(values) for key, values in members.items() if key.startswith(f"{folder}/")}
        torchscript_data.check(name, members[name], sizes)
    return _archive({name: content for name, content in members.items() if name != _METADATA}, zipfile.ZIP_STORED)


def with_metadata(members: Mapping[str, bytes], text: bytes) -> bytes:
    """Return an archive with the network and the metadata `text`, for a file."""
    return _archive({**members, _METADATA: text}, zipfile.ZIP_DEFLATED)


def _archive(members: Mapping[str, bytes], compression: int) -> bytes:
    """Return an archive; of its members the code may be compressed."""
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w") as archive:
        for name, content in members.items():
            kind = compression if name.startswith("code/") else zipfile.ZIP_STORED
            archive.writestr(zipfile.ZipInfo(f"{_PREFIX}/{name}"), content, kind)
    return result.getvalue()
