# SPDX-License-Identifier: Apache-2.0
"""Every malformed file of a data set ends in one clear line, before memory is allocated for what it claims."""

import io
import os
import struct
import zipfile

import numpy as np
import pytest
from training_data import arrays, class_folders, csv, csv_rows

from fer_ros.datasets import registry
from fer_ros.datasets.registry import DataError
from fer_ros.emotion.labels import FER2013


def npy(array: np.ndarray | None = None, header: str = "", **options) -> bytes:
    """Return an array as a .npy file, or a file with another header and no values."""
    if not header:
        stream = io.BytesIO()
        np.lib.format.write_array(stream, array, **options)
        return stream.getvalue()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()


def header(shape: str, descr: str = "'|u1'") -> bytes:
    return npy(header=f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}")


GOOD = {
    "pixels": npy(np.zeros((7, 48, 48), np.uint8)),
    "label": npy(np.arange(7, dtype=np.uint8)),
    "usage": npy(np.zeros(7, np.uint8)),
}
VOTES = npy(np.ones((7, 10), np.uint8))


def archive(compression: int = zipfile.ZIP_STORED, **members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as file:
        for name, content in {**GOOD, **members}.items():
            file.writestr(f"{name}.npy", content)
    return stream.getvalue()


def claims(count: int, height: int, width: int) -> dict[str, bytes]:
    """Return arrays that claim to hold images of a size."""
    flat = header(f"({count},)")
    return {"pixels": header(f"({count}, {height}, {width})"), "label": flat, "usage": flat}


def encrypted() -> bytes:
    """Return an archive whose members are marked as encrypted."""
    content = bytearray(archive())
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = content.find(signature)
        while start >= 0:
            content[start + at] |= 1
            start = content.find(signature, start + 4)
    return bytes(content)


NPZ = {
    "empty": (b"", "not a readable npz file"),
    "text": (b"not arrays", "File is not a zip file"),
    "truncated": (archive()[:-40], "not a readable npz file"),
    "encrypted": (encrypted(), "encrypted"),
    "bzip2": (archive(zipfile.ZIP_BZIP2), "its compression is neither NumPy's nor none"),
    "lzma": (archive(zipfile.ZIP_LZMA), "its compression is neither NumPy's nor none"),
    "pickled": (archive(label=npy(np.array([{}] * 7), allow_pickle=True)), "'label' must be an array of 1 dim"),
    "structured": (archive(label=header("(7,)", "[('a', '<i4')]")), "'label' must be an array of 1 dimensions"),
    "text values": (archive(label=npy(np.array(list("abcdefg")))), "'label' must be an array of 1 dimensions"),
    "10^12 elements": (archive(**claims(10**6, 1000, 1000)), "needs 931.3 GiB of memory; the limit is 8"),
    "10^30 elements": (archive(pixels=header("(1" + 30 * "0" + ", 1, 1)")), "7 entries in 'label'|images but"),
    "negative": (archive(pixels=header("(-7, 48, 48)")), r"pixels must be \(N, height, width\)"),
    "no values": (archive(pixels=header("(7, 48, 48)")), "'pixels' has 74 bytes, but its shape"),
    "tiny images": (archive(**claims(10**9, 1, 1)), "needs 2145.8 GiB of memory; the limit is 8"),
    "long header": (archive(pixels=header("(" + 2000 * "(" + ")")), "an array header of 2055 bytes"),
    "nested header": (archive(pixels=header(300 * "(" + "7" + 300 * ")")), "not a readable npz file"),
    "code in header": (archive(pixels=header("__import__('os').abort()")), "not a readable npz file"),
    "version 9": (archive(pixels=b"\x93NUMPY\x09\x00" + bytes(100)), "not a readable npz file"),
    "other member": (archive(pixels=b"not an array"), "not a readable npz file"),
    "scalar": (archive(label=npy(np.array(3))), "'label' must be an array of 1 dimensions"),
    "NaN": (archive(label=npy(np.full(7, np.nan))), "'label' of image 0 is nan"),
    "complex": (archive(label=npy(np.zeros(7, complex))), "'label' must be an array of 1 dimensions"),
    "votes of 3 columns": (archive(ferplus_votes=npy(np.ones((7, 3)))), "must have 10 columns, not 3"),
    "votes NaN": (archive(ferplus_votes=npy(np.full((7, 10), np.nan))), "'ferplus_votes' of image 0 is not"),
    "votes negative": (archive(ferplus_votes=npy(np.full((7, 10), -1))), "'ferplus_votes' of image 0 is not"),
    "source of 2 dimensions": (archive(ferplus_votes=VOTES, source=npy(np.ones((7, 2)))), "'source' must be"),
}


@pytest.mark.parametrize("name", NPZ)
def test_malformed_npz_ends_in_one_line(tmp_path, name):
    content, reason = NPZ[name]
    (tmp_path / "odd.npz").write_bytes(content)
    with pytest.raises(DataError, match=reason) as raised:
        registry.read([tmp_path / "odd.npz"], 48)
    assert str(raised.value).startswith(f"{tmp_path / 'odd.npz'}: ")
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 500


def test_npz_is_read_in_every_layout_of_numpy(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 255, (7, 48, 48), np.uint8)
    members = {"pixels": npy(np.asfortranarray(pixels)), "label": npy(np.arange(7, dtype=">i8"), version=(2, 0))}
    (tmp_path / "a.NPZ").write_bytes(archive(zipfile.ZIP_DEFLATED, **members, other=npy(np.array([None]))))
    read = registry.read([tmp_path / "a.NPZ"], 48)
    assert np.array_equal(read.pixels, pixels)
    assert read.targets.tolist() == list(range(7))


ROW = csv_rows(1, "Training", 1)[0]
CSV = {
    "empty": (b"", "row 1: no column 'emotion'; it must have emotion,pixels, and has none"),
    "header only": (b"emotion,pixels,Usage\n", "the table has no rows"),
    "latin-1": (b"emotion,pixels,Usage\n0,\xff\xfe,Training\n", "not a readable csv"),
    "utf-16": ("emotion,pixels,Usage\n".encode("utf-16"), "not a readable csv"),
    "semicolons": (b"emotion;pixels;Usage\n", "emotion,pixels, and has emotion;pixels;Usage"),
    "no line breaks": (b"emotion,pixels,Usage\n" + 200_000 * b"1 ", "a line of more than 131072 characters"),
    "null bytes": (b"emotion,pixels,Usage\n" + bytes(100), "row 2: "),
    "huge number": (
        f"emotion,pixels,Usage\n0,{10**30}{' 1' * 2303},Training".encode(),
        "outside 0 to 255|whole number",
    ),
    "float": (f"emotion,pixels,Usage\n0,nan{' 1' * 2303},Training".encode(), "pixel 'nan' is not a whole number"),
    "escape sequences": (b"emotion,pixels,Usage\n\x1b[31m,1,Training\n", r"emotion '\\x1b\[31m' is not 0 to 6"),
}


@pytest.mark.parametrize("name", CSV)
def test_malformed_csv_ends_in_one_line(tmp_path, name):
    content, reason = CSV[name]
    (tmp_path / "odd.csv").write_bytes(content)
    with pytest.raises(DataError, match=reason) as raised:
        registry.read([tmp_path / "odd.csv"], 48)
    assert str(raised.value).startswith(str(tmp_path / "odd.csv"))
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 500


def test_csv_is_read_as_spreadsheets_write_it(tmp_path):
    rows = csv_rows(7, "Training", 1)
    expected = registry.read([csv(tmp_path / "a.csv", rows)], 48)
    changed = [row.replace("Training", "training") for row in rows]
    text = "\r\n".join(["Emotion,Pixels,usage", *changed, " , , ", "", "  "])
    (tmp_path / "b.CSV").write_text(text, encoding="utf-8-sig", newline="")
    assert registry.read([tmp_path / "b.CSV"], 48).fingerprint() == expected.fingerprint()


@pytest.mark.parametrize("suffix", [".npz", ".csv"])
@pytest.mark.parametrize("kind", ["fifo", "device", "folder", "link"])
def test_files_that_are_not_regular_end_in_one_line(tmp_path, suffix, kind):
    path = tmp_path / f"odd{suffix}"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero" if kind == "device" else tmp_path / "target")
        os.mkfifo(tmp_path / "target")
    with pytest.raises(DataError, match=r"not a regular file|has neither \.npz files nor"):
        registry.read([path], 48)


def test_image_folder_ignores_what_macos_adds(tmp_path):
    class_folders(tmp_path / "train", per_class=2, seed=1)
    (tmp_path / "__MACOSX" / "train").mkdir(parents=True)
    (tmp_path / "train" / "happy" / "._0.jpg").write_bytes(b"\0\5\x16\7")
    assert len(registry.read([tmp_path], 48)) == 14


def test_image_folder_names_what_it_leaves_out(tmp_path, caplog):
    class_folders(tmp_path, per_class=1, seed=1)
    (tmp_path / "happy" / "more").mkdir()
    (tmp_path / "happy" / "a.gif").write_bytes(b"GIF89a")
    assert len(registry.read([tmp_path], 48)) == 7
    assert "happy: 2 files or folders that are no images (a.gif, more/)" in caplog.text


IMAGES = {
    "fifo": (lambda path: os.mkfifo(path), "not a regular file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
    "empty": (lambda path: path.touch(), "it is empty"),
    "gif": (lambda path: path.write_bytes(b"GIF89a"), "it is a GIF file; .* convert it to PNG"),
    "broken link": (lambda path: path.symlink_to("/not/here"), "No such file or directory"),
}


@pytest.mark.parametrize("name", IMAGES)
def test_unreadable_image_is_named_or_skipped(tmp_path, caplog, name):
    create, reason = IMAGES[name]
    class_folders(tmp_path, per_class=1, seed=1)
    create(tmp_path / "sad" / "odd.png")
    with pytest.raises(DataError, match=f"odd.png: .*{reason}"):
        registry.read([tmp_path], 48)
    assert len(registry.read([tmp_path], 48, skip_faulty=True)) == 7
    assert "left out: " in caplog.text
    assert "odd.png" in caplog.text


def test_empty_class_is_left_out_with_skip_faulty(tmp_path, caplog):
    class_folders(tmp_path, per_class=1, seed=1)
    for image in (tmp_path / "fear").iterdir():
        image.unlink()
    with pytest.raises(DataError, match="remove the folder or use --skip-faulty"):
        registry.read([tmp_path], 48)
    assert registry.read([tmp_path], 48, skip_faulty=True).labels == tuple(x for x in FER2013 if x != "fear")
    assert "the class 'fear' is empty" in caplog.text


def test_npz_of_tiny_images_is_refused_before_scaling(tmp_path):
    path = arrays(tmp_path / "a.npz", 7, 0, seed=1)
    with pytest.raises(DataError, match=r"needs .* GiB of memory"):
        registry.read([path], 50_000)
