# SPDX-License-Identifier: Apache-2.0
"""A full disk ends each writer with one line that names the file, and leaves no half file that passes for a whole one.

Training on a full disk is tested in test_training.py.
"""

import contextlib
import resource

import cv2
import numpy as np
import pytest
from recordings import read_bag, rolled, write_bag

from fer_ros.media.bag_writer import BagWriter, message_types
from fer_ros.recording import files
from fer_ros.recording.files import BestImage, RecordingError, Video
from fer_ros.recording.synchronizer import ImageResult

NOISE = np.random.default_rng(0).integers(0, 256, (120, 160, 3)).astype(np.uint8)
SECOND = 10**9


@contextlib.contextmanager
def full_disk(size: int):
    """Let files grow to `size` bytes only."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
@pytest.mark.parametrize("size", [100, 20_000])
def test_video_without_its_end_is_called_incomplete(tmp_path, suffix, size, capfd):
    video = Video(tmp_path / f"v{suffix}")
    with full_disk(size):
        for index in range(25):
            video.add(np.roll(NOISE, 7 * index, axis=1), index * SECOND // 10)
        with pytest.raises(RecordingError, match=rf"v\{suffix} is incomplete"):
            video.close()
    capfd.readouterr()  # of FFmpeg


def test_video_ends_when_no_space_is_left(tmp_path, monkeypatch):
    video = Video(tmp_path / "v.mp4")
    video.add(NOISE, 0)
    full = type("Full", (), {"f_blocks": 1000, "f_bavail": 0})
    monkeypatch.setattr(files.os, "statvfs", lambda _: full)
    with pytest.raises(RecordingError, match=r"cannot write .*v\.mp4: No space left on device"):
        video.add(NOISE, SECOND)


def test_video_on_a_full_disk_does_not_blame_the_codec(tmp_path):
    video = Video(tmp_path / "v.mp4")
    video.add(NOISE, 0)
    with full_disk(0), pytest.raises(RecordingError, match="File too large"):
        video.close()


def test_best_image_is_written_as_a_whole_or_not(tmp_path):
    best = BestImage(tmp_path / "best.png")
    best.offer(NOISE, ImageResult(0, (), ()))
    with full_disk(5_000), pytest.raises(RecordingError, match=r"cannot write .*best\.png: File too large"):
        best.close()
    assert not list(tmp_path.iterdir())
    best.close()
    assert cv2.imread(str(tmp_path / "best.png")).shape == NOISE.shape


@pytest.mark.parametrize("storage", ["sqlite3", "mcap"])
def test_bag_copy_is_written_as_a_whole_or_not(tmp_path, photo, storage):
    bag, copy = write_bag(tmp_path / "bag", rolled(photo, 3), storage), tmp_path / "copy"
    writer = BagWriter(bag, "", message_types())
    with full_disk(300_000), pytest.raises(OSError, match=r"full|too large|I/O|Input"):  # 3 images of 197 kB
        writer.write(copy)
    assert not copy.exists()
    writer.write(copy)
    assert read_bag(copy) == read_bag(bag)


def test_full_disk_while_a_bag_is_annotated_is_one_line(annotate, tmp_path, photo):
    bag = write_bag(tmp_path / "bag", rolled(photo, 2), "mcap")
    with full_disk(300_000):
        code, rows, _, output = annotate(bag, "--bag")
    assert (code, len(rows)) == (2, 2)
    (line,) = output.splitlines()
    assert line.startswith("fer-annotate: error: cannot write ")
    assert "bag_emotions: File too large" in line
    assert not (tmp_path / "out" / "bag_emotions").exists()


def test_full_disk_while_a_video_is_annotated_is_one_line(annotate, tmp_path, photo):
    writer = cv2.VideoWriter(str(tmp_path / "v.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10, (256, 256))
    for image in (photo, photo[::-1], photo):
        writer.write(image)
    writer.release()
    with full_disk(3_000):
        code, _, _, output = annotate(tmp_path / "v.mp4")
    assert code == 2
    lines = [line for line in output.splitlines() if line.startswith("fer-annotate: ")]
    assert len(lines) == 1
    assert "v.mp4_faces.webm is incomplete" in lines[0]
