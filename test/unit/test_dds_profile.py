# SPDX-License-Identifier: Apache-2.0
"""Which DDS profile a process gets."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

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


@pytest.mark.parametrize(
    ("free", "profile", "text"),
    [
        (8, "fastdds", "/dev/shm has 8 MB of free space, and Fast DDS needs 9 MB"),
        (9, "fastdds", ""),
        (100, "fastdds_large", "needs 129 MB"),
        (0, "", "needs 1 MB"),
        (1, "", ""),
    ],
)
def test_shortage_of_shared_memory_is_told(free, profile, text, monkeypatch):
    monkeypatch.setattr(dds_profile.shutil, "disk_usage", lambda _: SimpleNamespace(free=free << 20))
    environment = {"FASTDDS_DEFAULT_PROFILES_FILE": str(CONFIG / f"{profile}.xml")} if profile else {}
    shortage = dds_profile.shared_memory_shortage(environment)
    assert text in shortage
    assert bool(text) == bool(shortage)
    assert not dds_profile.shared_memory_shortage({**environment, "RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"})
