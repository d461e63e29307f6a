"""Pictures come from files, folders and the scene, in order; what cannot be read is named."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_ros.media.sources import SourceError, Webcam, open_source, pictures, scaled

MEDIA = Path(__file__).parents[2] / ".." / "shared" / "media"


def _write(path: Path, level: int) -> None:
    cv2.imwrite(str(path), np.full((8, 12, 3), level, np.uint8))


def _levels(source: str, **options) -> list[int]:
    return [int(picture[0, 0, 0]) for picture in pictures(open_source(source, **options))]


def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path):
    for number in (10, 2, 1):
        _write(tmp_path / f"image{number}.png", 10 * number)
    (tmp_path / "notes.txt").write_text("no picture")
    assert _levels(str(tmp_path)) == [10, 20, 100]
    assert open_source(str(tmp_path)).total == 3


def test_an_unreadable_picture_is_named_once_and_left_out(tmp_path):
    _write(tmp_path / "1.png", 10)
    (tmp_path / "2.png").write_text("no picture")
    _write(tmp_path / "3.png", 30)
    warnings = []
    several = pictures(open_source(str(tmp_path), warn=warnings.append), loop=True)
    assert [int(next(several)[0, 0, 0]) for _ in range(5)] == [10, 30, 10, 30, 10]
    assert len(warnings) == 1
    assert "2.png" in warnings[0]


def test_a_picture_is_a_source_of_one(tmp_path):
    _write(tmp_path / "one.png", 7)
    source = open_source(str(tmp_path / "one.png"))
    assert source.total == 1
    assert len(list(pictures(source))) == 1


def test_a_video_has_its_own_rate_and_length_and_can_be_repeated(tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 12.5, (32, 16))
    for level in (0, 60, 120, 180):
        writer.write(np.full((16, 32, 3), level, np.uint8))
    writer.release()
    source = open_source(str(tmp_path / "v.avi"))
    assert (source.rate, source.total) == (12.5, 4)
    repeated = pictures(source, loop=True)
    levels = [int(next(repeated)[0, 0, 0]) for _ in range(6)]
    assert np.abs(np.array(levels) - [0, 60, 120, 180, 0, 60]).max() < 4


@pytest.mark.skipif(not MEDIA.is_dir(), reason="shared/media is not beside this checkout")
@pytest.mark.parametrize(("name", "frames"), [("intel_female", 23), ("intel_walking_pause", 41)])
def test_an_animated_gif_is_a_video(name, frames):
    source = open_source(str(MEDIA / f"{name}.gif"))
    assert (source.rate, source.total) == (12.5, frames)
    assert [picture.shape for picture in pictures(source)] == [(270, 480, 3)] * frames


def test_the_scene_takes_rate_and_size():
    pytest.importorskip("skimage", reason="the scene shows a photograph that scikit-image ships")
    source = open_source("scene", rate=20.0, width=320, height=240)
    assert (source.rate, source.total) == (20.0, None)
    assert source.horizontal_fov > 0
    assert source.read().shape == (240, 320, 3)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda folder: folder / "none.mp4", "no file or folder"),
        (lambda folder: folder, "no pictures in"),
        (lambda folder: _text(folder / "broken.mp4"), "neither a video nor a picture"),
    ],
)
def test_what_gives_no_pictures_is_refused_by_name(tmp_path, make, reason):
    path = make(tmp_path)
    with pytest.raises(SourceError, match=reason) as failure:
        open_source(str(path))
    assert str(path) in str(failure.value)
    assert "\n" not in str(failure.value)


def test_a_source_with_only_unreadable_pictures_fails_instead_of_looping_for_ever(tmp_path):
    _text(tmp_path / "broken.png")
    with pytest.raises(SourceError, match="no picture that can be read"):
        next(pictures(open_source(str(tmp_path / "broken.png"), warn=lambda _: None), loop=True))


def test_a_webcam_that_is_not_there_is_named():
    with pytest.raises(SourceError, match="no webcam 987"):
        Webcam(987)
    with pytest.raises(SourceError, match="no webcam 987"):
        open_source("987")


@pytest.mark.parametrize(
    ("asked", "given"), [((0, 0), (40, 20)), ((20, 0), (20, 10)), ((0, 40), (80, 40)), ((30, 30), (30, 30))]
)
def test_scaling_keeps_proportions_unless_both_sides_are_given(asked, given):
    assert scaled(np.zeros((20, 40, 3), np.uint8), *asked).shape == (given[1], given[0], 3)


def _text(path: Path) -> Path:
    path.write_text("no picture at all")
    return path
