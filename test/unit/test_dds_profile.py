# SPDX-License-Identifier: Apache-2.0
"""Which DDS profile a process gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_ros import dds_profile

CONFIG = Path(__file__).parents[2] / "config"


@pytest.mark.parametrize("variable", ["FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"])
def test_process_without_camera_images_takes_small_segment(variable):
    changed = dds_profile.without_camera_images({variable: str(CONFIG / "fastdds_large.xml")})
    assert changed == {variable: str(CONFIG / "fastdds.xml")}


def test_process_without_camera_images_keeps_other_profiles(tmp_path):
    own = tmp_path / "fastdds_large.xml"
    for path in (CONFIG / "fastdds.xml", tmp_path / "robot.xml", own):
        assert dds_profile.without_camera_images({"FASTDDS_DEFAULT_PROFILES_FILE": str(path)}) == {}
    assert dds_profile.without_camera_images({"CYCLONEDDS_URI": "file:///cyclonedds.xml"}) == {}
