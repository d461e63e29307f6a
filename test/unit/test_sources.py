# SPDX-License-Identifier: Apache-2.0
"""Sources of images: files, folders, webcams and the synthetic scene."""

import os
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_ros.media import sources
from fer_ros.media.sources import SourceError, Webcam, images, open_source, scaled
from fer_ros.media.video_container import is_truncated

MEDIA = Path(__file__).parents[2] / ".." / "shared" / "media"


def _write(path: Path, level: int) -> None:
    cv2.imwrite(str(path), np.full((8, 12, 3), level, np.uint8))


def _levels(source: str, **options) -> list[int]:
    return [int(image[0, 0, 0]) for image in images(open_source(source, **options))]


def test_folder_is_read_in_natural_order(tmp_path):
    for number in (10, 2, 1):
        _write(tmp_path / f"image{number}.png", 10 * number)
    (tmp_path / "notes.txt").write_text("not an image")
    assert _levels(str(tmp_path)) == [10, 20, 100]
    assert open_source(str(tmp_path)).total == 3


def test_folder_warns_once_of_an_unreadable_image(tmp_path):
    _write(tmp_path / "1.png", 10)
    (tmp_path / "2.png").write_text("not an image")
    _write(tmp_path / "3.png", 30)
    warnings = []
    repeated = images(open_source(str(tmp_path), warn=warnings.append), loop=True)
    assert [int(next(repeated)[0, 0, 0]) for _ in range(5)] == [10, 30, 10, 30, 10]
    assert len(warnings) == 1
    assert "2.png" in warnings[0]


def test_image_file_is_a_source_of_one_image(tmp_path):
    _write(tmp_path / "one.png", 7)
    source = open_source(str(tmp_path / "one.png"))
    assert source.total == 1
    assert len(list(images(source))) == 1


def test_video_has_rate_and_length_and_can_loop(tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 12.5, (32, 16))
    for level in (0, 60, 120, 180):
        writer.write(np.full((16, 32, 3), level, np.uint8))
    writer.release()
    source = open_source(str(tmp_path / "v.avi"))
    assert (source.rate, source.total) == (12.5, 4)
    repeated = images(source, loop=True)
    levels = [int(next(repeated)[0, 0, 0]) for _ in range(6)]
    assert np.abs(np.array(levels) - [0, 60, 120, 180, 0, 60]).max() < 4


def test_video_with_fewer_frames_than_its_container_says_is_whole(tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (32, 16))
    for _ in range(6):
        writer.write(np.zeros((16, 32, 3), np.uint8))
    writer.release()
    source = open_source(str(tmp_path / "v.avi"))
    source.total += 3  # a hint
    assert len(list(images(source))) == 6
    assert source.failure == ""
    assert source.stamp == pytest.approx(0.5)
    content = (tmp_path / "v.avi").read_bytes()
    (tmp_path / "v.avi").write_bytes(content[: len(content) - 400])
    assert source.failure == "ends after 6 of 9 images: the file is truncated"


@pytest.mark.parametrize("suffix", [".avi", ".mp4", ".webm", ".mkv"])
def test_truncation_is_told_from_the_container(tmp_path, suffix):
    codec = {".avi": "MJPG", ".mp4": "mp4v"}.get(suffix, "VP80")
    path = tmp_path / f"v{suffix}"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 10, (64, 48))
    for level in range(8):
        writer.write(np.full((48, 64, 3), 30 * level, np.uint8))
    writer.release()
    assert not is_truncated(path)
    path.write_bytes(path.read_bytes()[:-100])
    assert is_truncated(path)


@pytest.mark.skipif(not MEDIA.is_dir(), reason="shared/media is not beside this checkout")
@pytest.mark.parametrize(("name", "frames"), [("intel_female", 23), ("intel_walking_pause", 41)])
def test_animated_gif_is_a_video(name, frames):
    source = open_source(str(MEDIA / f"{name}.gif"))
    assert (source.rate, source.total) == (12.5, frames)
    assert [image.shape for image in images(source)] == [(270, 480, 3)] * frames


def test_scene_has_the_requested_rate_and_size():
    pytest.importorskip("skimage", reason="the scene needs a photograph of scikit-image")
    source = open_source("scene", rate=20.0, width=320, height=240)
    assert (source.rate, source.total) == (20.0, None)
    assert source.horizontal_fov > 0
    assert source.read().shape == (240, 320, 3)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda folder: folder / "none.mp4", "no file or folder"),
        (lambda folder: folder, "no images in"),
        (lambda folder: _text(folder / "broken.mp4"), "neither a video nor an image"),
    ],
)
def test_open_source_error_names_the_path(tmp_path, make, reason):
    path = make(tmp_path)
    with pytest.raises(SourceError, match=reason) as failure:
        open_source(str(path))
    assert str(path) in str(failure.value)
    assert "\n" not in str(failure.value)


def test_loop_over_unreadable_images_raises(tmp_path):
    _text(tmp_path / "broken.png")
    with pytest.raises(SourceError, match="no image that can be read"):
        next(images(open_source(str(tmp_path / "broken.png"), warn=lambda _: None), loop=True))


def test_webcam_error_names_the_missing_device():
    with pytest.raises(SourceError, match="no webcam 987"):
        Webcam(987)
    with pytest.raises(SourceError, match="no webcam 987"):
        open_source("987")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("", "the source is empty"),
        (" ", "the source is empty"),
        ("rtsp://admin:secret@10.0.0.1/stream", r"cannot be an address \(rtsp://\.\.\.\)"),
        ("http://10.0.0.1/clip.mp4", "gscam"),
        ("file:///clip.mp4", "cannot be an address"),
        ("/dev/null", "a device, but no camera"),
        ("/dev/video987", "no webcam /dev/video987"),
        ("/dev/v4l/by-id/usb-none", "no webcam /dev/v4l/by-id/usb-none"),
    ],
)
def test_source_that_is_not_taken_is_named(source, reason):
    with pytest.raises(SourceError, match=reason) as failure:
        open_source(source)
    assert "secret" not in str(failure.value)


def test_pipe_is_refused_without_waiting_for_its_writer(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(SourceError, match="is a pipe or a socket"):
        open_source(str(tmp_path / "pipe.mp4"))


def test_link_to_webcam_is_opened_by_its_number(tmp_path, monkeypatch):
    """As the links in /dev/v4l/by-id and /dev/v4l/by-path."""
    device, link = tmp_path / "video3", tmp_path / "usb-Camera-index0"
    device.touch()
    link.symlink_to(device)
    opened = []
    monkeypatch.setattr(sources, "_VIDEO_DEVICE", re.compile(rf"{tmp_path}/video([0-9]+)"))
    monkeypatch.setattr(sources.cv2, "VideoCapture", lambda number: opened.append(number) or Unopened())
    with pytest.raises(SourceError, match=f"{link} cannot be opened"):
        Webcam(link)
    assert opened == [3]


class Unopened:
    def isOpened(self):
        return False


@pytest.mark.parametrize(
    ("requested", "expected"), [((0, 0), (40, 20)), ((20, 0), (20, 10)), ((0, 40), (80, 40)), ((30, 30), (30, 30))]
)
def test_scaled_keeps_proportions_unless_both_sides_are_given(requested, expected):
    assert scaled(np.zeros((20, 40, 3), np.uint8), *requested).shape == (expected[1], expected[0], 3)


def _text(path: Path) -> Path:
    path.write_text("not an image")
    return path
