# SPDX-License-Identifier: Apache-2.0
"""Animations made of videos."""

import cv2
import numpy as np
import pytest

from fer_ros.recording import animation
from fer_ros.recording.files import RecordingError, Video

pytestmark = pytest.mark.skipif(not hasattr(cv2, "imwriteanimation"), reason="OpenCV writes animations from 4.11 on")


@pytest.mark.parametrize("suffix", animation.SUFFIXES)
def test_animation_has_the_duration_of_the_video(tmp_path, suffix):
    video = Video(tmp_path / "clip.mp4")
    for step in range(30):
        video.add(np.full((480, 640, 3), 8 * step, np.uint8), step * 10**8)
    video.close()
    path = tmp_path / f"clip one{suffix}"
    animation.check_animation(path)
    animation.write_animation(tmp_path / "clip.mp4", path)
    ok, read = cv2.imreadanimation(str(path))
    assert ok
    assert sum(read.durations) == pytest.approx(3000, abs=250)
    assert read.frames[0].shape[:2] == (270, 360)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["clip one" + suffix, "clip.mp4"]


def test_animation_of_another_kind_is_refused(tmp_path):
    with pytest.raises(RecordingError, match=r"an animation is one of \.webp, \.gif, \.png, not .*a\.avi"):
        animation.check_animation(tmp_path / "a.avi")


def test_animation_needs_a_recent_opencv(tmp_path, monkeypatch):
    monkeypatch.delattr(cv2, "imwriteanimation")
    with pytest.raises(RecordingError, match="writes no animations; install opencv-python 4"):
        animation.check_animation(tmp_path / "a.webp")
