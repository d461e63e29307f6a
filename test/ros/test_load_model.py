# SPDX-License-Identifier: Apache-2.0
"""The service ~/load_model with files from an attacker: refused, given up or survived, while images are processed."""

import os
import re
import shutil
import stat
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")

from robot import DEADLINE

from fer_ros.emotion import model_file, model_trial
from fer_ros.nodes.emotion.node import EmotionNode
from fer_ros.srv import LoadModel

_RUN_TRIAL = model_trial.run
"""That of the package; the fixture `quick_start` replaces it for the rest of the session."""


@pytest.fixture(autouse=True)
def trials(monkeypatch):
    """Try model files in a child process, as the package does."""
    monkeypatch.setattr(model_trial, "run", _RUN_TRIAL)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Return the folder that the service may read."""
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


@pytest.fixture
def node(robot, light_model, folder):
    """Return an active node without torch that looks for faces in nothing but its cameras."""
    node = robot.start(EmotionNode, model=str(light_model), models__folder=str(folder), models__load_timeout=1.0)
    assert node.autostart()
    return node


def load(robot, model) -> LoadModel.Response:
    return robot.call(LoadModel, "emotion_node/load_model", model=str(model))


def impostor(monkeypatch, folder: Path, script: str) -> None:
    """Let a script run instead of Python in the child process that tries a model file."""
    program = folder.parent / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(model_trial.sys, "executable", str(program))


def test_load_model_reads_the_allowed_folders_only(robot, node, folder, light_model):
    (folder / "link.onnx").symlink_to(light_model)
    (folder / "up").symlink_to("/")
    for path in (light_model, "/proc/kmsg", "/etc/passwd", folder / "link.onnx", folder / "up/etc/passwd", "~x/m.pt"):
        response = load(robot, path)
        assert not response.success
        assert "models.folder" in response.message or "is not a path" in response.message
    for path in (f"{folder}/../models/none.onnx", folder / "none.onnx"):
        assert "there is no file" in load(robot, path).message
    assert load(robot, "mini_xception").success  # shipped
    assert "no model 'none'; available: mini_xception" in load(robot, "none").message


def test_load_model_refuses_what_is_no_file(robot, node, folder, light_model):
    os.mkfifo(folder / "pipe.onnx")
    (folder / "empty.onnx").touch()
    (folder / "huge.onnx").touch()
    os.truncate(folder / "huge.onnx", 1 << 40)
    damaged = bytearray(light_model.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (folder / "damaged.onnx").write_bytes(damaged)
    for name, reason in {
        "pipe.onnx": "there is no file",
        "empty.onnx": "without fer_ros metadata",
        "huge.onnx": "the limit is",
        "damaged.onnx": "is damaged",
        ".": "no .*best.pt",
        "x\n[INFO] all is well": "there is no file",
    }.items():
        response = load(robot, folder / name)
        assert not response.success
        assert re.search(reason, response.message), response.message
        assert "\n" not in response.message
        assert response.model_id == model_file.identify(light_model)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exec sleep 100", "trying it took longer than 1 s"),
        ("kill -SEGV $$", "a process that tried it was killed by signal 11 (SIGSEGV)"),
        ("echo owned; exit 3", "a process that tried it exited with status 3: owned"),
        ("echo result: 1234", "has changed while it was loaded"),
        ("echo error: no memory", "no memory"),
    ],
)
def test_load_model_survives_the_trial(robot, node, folder, light_model, monkeypatch, astronaut, script, reason):
    model = shutil.copy(light_model, folder / "other.onnx")
    camera = robot.matched_camera()
    impostor(monkeypatch, folder, script)
    client = robot.node.create_client(LoadModel, "emotion_node/load_model")
    robot.wait_until(client.service_is_ready, "the service")
    first, second = (client.call_async(LoadModel.Request(model=str(model))) for _ in range(2))
    while not first.done() or not second.done():
        assert robot.process(camera, astronaut).model_id == model_file.identify(light_model)
    messages = [each.result().message for each in (first, second)]
    assert any(reason in message for message in messages), messages
    if "sleep" in script:
        assert "another model is being loaded; call again when that has ended" in messages
    monkeypatch.undo()
    response = load(robot, "mini_xception")
    assert response.success, response.message
    assert robot.process(camera, astronaut).model_id == response.model_id


def test_model_from_elsewhere_is_tried_once(robot, node, folder, light_model, monkeypatch):
    tried = []
    monkeypatch.setattr(
        model_trial, "run", lambda path, *arguments: tried.append(path) or _RUN_TRIAL(path, arguments[0], DEADLINE)
    )
    model = shutil.copy(light_model, folder / "other.onnx")
    for _ in range(2):
        response = load(robot, model)
        assert response.success, response.message
        assert response.model_id == model_file.identify(model)
    assert load(robot, "mini_xception").success
    assert tried == [model]


def test_node_closes_while_a_model_is_tried(robot, node, folder, light_model, monkeypatch):
    model = shutil.copy(light_model, folder / "other.onnx")
    impostor(monkeypatch, folder, f"touch {folder}/started; exec sleep 100")
    client = robot.node.create_client(LoadModel, "emotion_node/load_model")
    robot.wait_until(client.service_is_ready, "the service")
    late = client.call_async(LoadModel.Request(model=str(model)))
    robot.wait_until((folder / "started").exists, "the trial")
    node.close()
    robot.wait_until(late.done, "a response")
    assert "was not loaded: the node ends" in late.result().message


def test_configured_model_without_digest_is_tried(robot, light_model, folder, monkeypatch):
    """A file of an older version or another program."""
    parse = model_file.parse
    monkeypatch.setattr(model_file, "parse", lambda *arguments: replace(parse(*arguments), verification=None))
    impostor(monkeypatch, folder, "kill -SEGV $$")
    assert not robot.start(EmotionNode, model=str(light_model)).autostart()
    robot.wait_until(lambda: robot.logged("cannot configure"), "the error")
    assert "a process that tried it was killed by signal 11" in robot.logged("cannot configure")[0]
