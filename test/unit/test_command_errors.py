# SPDX-License-Identifier: Apache-2.0
"""All commands: help, version, exit codes, and one line for each error, without loading torch."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fer_ros import resources
from fer_ros.cli import errors

COMMANDS = ("compare", "demo", "detect", "evaluate", "export", "train")
CHECKOUT = Path(__file__).parents[2]
WITHOUT_TRAINING_PACKAGES = """
import sys
for missing in ("torch", "sklearn", "matplotlib", "jinja2"):
    sys.modules[missing] = None
"""


def run(command, *arguments, setup=WITHOUT_TRAINING_PACKAGES):
    """Run a command in a process in which the packages of the extra [train] cannot be imported."""
    code = f"{setup}\nfrom fer_ros.cli import {command}\nsys.exit({command}.main(sys.argv[1:]))"
    return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True)


def raising(error):
    @errors.one_line_errors("fer-try")
    def main(_):
        raise error

    return main


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_example_and_exit_codes(command):
    result = run(command, "--help")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"usage: fer-{command} ")
    assert f"examples:\n  fer-{command}" in result.stdout
    assert "exit codes:\n  0 success, 1 failed while running, 2 unusable options or input" in result.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_version_is_that_of_the_package(command, capsys):
    with pytest.raises(SystemExit, match=r"^0$"):
        importlib.import_module(f"fer_ros.cli.{command}").main(["--version"])
    assert capsys.readouterr().out == f"fer-{command} {resources.version()}\n"
    assert re.fullmatch(r"\d+\.\d+\.\d+", resources.version())


@pytest.mark.parametrize("command", COMMANDS)
def test_unknown_option_exits_with_2(command, capsys):
    with pytest.raises(SystemExit, match=r"^2$"):
        importlib.import_module(f"fer_ros.cli.{command}").main(["--no-such-option"])
    assert f"fer-{command}: error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "arguments", "reason"),
    [
        ("compare", ["{here}/none.pt", "--data", "{here}"], "there is no file {here}/none.pt"),
        ("detect", ["{here}/none.jpg", "--output", "{here}/out"], "no file or folder {here}/none.jpg"),
        ("evaluate", ["--model", "no_model", "--data", "{here}"], "no model 'no_model'; available: mini_xception"),
        ("evaluate", ["--model", "{here}/none.pt", "--data", "{here}"], "there is no file {here}/none.pt"),
        ("export", ["{here}/none", "--output", "{here}/a.pt"], "{here}/none"),
        ("train", ["--data", "{here}/none"], "{here}/none: there is no such file or folder"),
        ("train", ["--data", "{here}", "--recipe", "mini_xeption"], "no recipe 'mini_xeption'; available: "),
        ("train", ["--resume", "{here}"], "{here} is not the folder of a training run"),
    ],
)
def test_missing_input_is_one_line_that_names_it(command, arguments, reason, tmp_path):
    # Only a checkpoint needs torch to be looked for.
    setup = "import sys" if command in ("compare", "evaluate", "export") else WITHOUT_TRAINING_PACKAGES
    result = run(command, *(argument.format(here=tmp_path) for argument in arguments), setup=setup)
    assert result.returncode == errors.BAD_INPUT, result.stderr
    assert result.stderr.startswith(f"fer-{command}: error: ")
    assert result.stderr.count("\n") == 1
    assert reason.format(here=tmp_path) in result.stderr


def test_missing_package_is_named_with_its_remedy(tmp_path):
    np.savez(tmp_path / "a.npz", pixels=np.zeros((21, 48, 48), np.uint8), label=np.arange(21) % 7)
    result = run("train", "--data", tmp_path / "a.npz")
    assert result.returncode == errors.BAD_INPUT
    assert result.stderr == (
        "fer-train: error: the Python package 'torch' is not installed; install it with: pip install 'fer-ros[train]'\n"
    )


def test_demo_without_ros_is_one_line():
    result = run("demo", setup="import sys\nimport importlib.util as util\nutil.find_spec = lambda name: None")
    assert result.returncode == errors.FAILED
    assert result.stderr.startswith("fer-demo: error: ROS 2 or the package's messages are not found: run `make setup`")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(("name", "code"), errors.CODES.items())
def test_correctable_error_is_one_line_and_its_code(name, code, capsys):
    module, _, kind = name.rpartition(".")
    kind = getattr(importlib.import_module(module), kind)
    assert raising(type("Kind", (kind,), {})("no such\nthing"))([]) == code
    assert capsys.readouterr().err == "fer-try: error: no such thing\n"


def test_unexpected_error_has_traceback_with_debug_only(capsys):
    assert raising(KeyError("missing"))([]) == errors.FAILED
    message = "fer-try: error: unexpected KeyError: 'missing'; --debug prints the traceback, for a bug report\n"
    assert capsys.readouterr().err == message
    assert raising(KeyError("missing"))(["--debug"]) == errors.FAILED
    output = capsys.readouterr().err
    assert output.startswith("Traceback (most recent call last):\n")
    assert output.endswith(message)


def test_commands_are_installed_under_their_names():
    cmake = (CHECKOUT / "CMakeLists.txt").read_text()
    project = (CHECKOUT / "pyproject.toml").read_text()
    for command in COMMANDS:
        assert f"install_program(fer-{command} fer_ros.cli.{command})" in cmake
        assert f'fer-{command} = "fer_ros.cli.{command}:main"' in project


def test_sourced_environment_finds_every_command():
    """`ros2 run` takes the executables of lib/fer_ros, which scripts/env.sh also puts on the PATH."""
    prefixes = [Path(prefix) for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if prefix]
    folder = next((p / "lib/fer_ros" for p in prefixes if (p / "lib/fer_ros").is_dir()), None)
    if folder is None:
        pytest.skip("the package is not built: make setup")
    for command in COMMANDS:
        assert os.access(folder / f"fer-{command}", os.X_OK)
    result = subprocess.run([folder / "fer-export", "--version"], capture_output=True, text=True, cwd="/")
    assert result.stdout == f"fer-export {resources.version()}\n", result.stderr
