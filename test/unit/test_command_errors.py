# SPDX-License-Identifier: Apache-2.0
"""All commands: help, version, exit codes, and one line for each error, without loading torch."""

import importlib
import json
import os
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from running import running

from fer_ros import resources
from fer_ros.cli import errors, start

COMMANDS = ("annotate", "compare", "demo", "detect", "evaluate", "export", "train")
CHECKOUT = Path(__file__).parents[2]
RUN_WITHOUT_TRAINING_PACKAGES = """
import contextlib, importlib, io, json, sys
for missing in ("torch", "sklearn", "matplotlib", "jinja2"):
    sys.modules[missing] = None
results = []
for command, *arguments in json.load(sys.stdin):
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        try:
            code = importlib.import_module(f"fer_ros.cli.{command}").main(arguments)
        except SystemExit as end:
            code = end.code
    results.append([code, output.getvalue(), errors.getvalue()])
print(json.dumps(results))
"""
WITHOUT_TRAINING_PACKAGES = [
    ("annotate", ["{here}/none.jpg", "--output", "{here}/out"], "no file or folder {here}/none.jpg"),
    ("detect", ["{here}/none.jpg", "--output", "{here}/out"], "no file or folder {here}/none.jpg"),
    ("train", ["--data", "{here}/none"], "{here}/none: there is no such file or folder"),
    ("train", ["--data", "{here}", "--recipe", "mini_xeption"], "no recipe 'mini_xeption'; available: "),
    ("train", ["--resume", "{here}"], "{here} is not the folder of a training run"),
    (
        "train",
        ["--data", "{here}/a.npz"],
        "'torch' is not installed; install it with: pip install '.[train]' in the source folder of fer_ros\n",
    ),
]
WITH_TRAINING_PACKAGES = [  # only a checkpoint needs torch to be looked for
    ("compare", ["{here}/none.pt", "--data", "{here}"], "there is no file {here}/none.pt"),
    ("evaluate", ["--model", "no_model", "--data", "{here}"], "no model 'no_model'; available: mini_xception"),
    ("evaluate", ["--model", "{here}/none.pt", "--data", "{here}"], "there is no file {here}/none.pt"),
    ("export", ["{here}/none", "--output", "{here}/a.pt"], "{here}/none"),
]


@pytest.mark.parametrize("name", errors.CODES)
def test_error_with_an_exit_code_exists(name):
    module, _, error = name.rpartition(".")
    assert issubclass(getattr(importlib.import_module(module), error), Exception)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Run all cases in one process in which the packages of the extra [train] cannot be imported.

    Returns the folder that the arguments name, and exit code, output and error output by command line.
    """
    here = tmp_path_factory.mktemp("here")
    np.savez(here / "a.npz", pixels=np.zeros((21, 48, 48), np.uint8), label=np.arange(21) % 7)
    lines = [[command, "--help"] for command in COMMANDS]
    lines += [
        [command, *(a.format(here=here) for a in arguments)] for command, arguments, _ in WITHOUT_TRAINING_PACKAGES
    ]
    child = subprocess.run(
        [sys.executable, "-c", RUN_WITHOUT_TRAINING_PACKAGES], input=json.dumps(lines), capture_output=True, text=True
    )
    assert child.returncode == 0, child.stderr
    return here, dict(zip(map(tuple, lines), json.loads(child.stdout), strict=True))


def raising(error):
    @errors.one_line_errors("fer-try")
    def main(_):
        raise error

    return main


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_example_and_exit_codes(command, outcomes):
    code, output, _ = outcomes[1][command, "--help"]
    assert code == 0
    assert output.startswith(f"usage: fer-{command} ")
    assert f"examples:\n  fer-{command}" in output
    assert "exit codes:\n  0 success, 1 failed while running, 2 unusable options or input" in output


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


@pytest.mark.parametrize(("command", "arguments", "reason"), WITHOUT_TRAINING_PACKAGES)
def test_missing_input_is_one_line_that_names_it(command, arguments, reason, outcomes):
    here, results = outcomes
    code, _, output = results[(command, *(argument.format(here=here) for argument in arguments))]
    assert_one_line(command, code, output, reason.format(here=here))


@pytest.mark.parametrize(("command", "arguments", "reason"), WITH_TRAINING_PACKAGES)
def test_missing_model_is_one_line_that_names_it(command, arguments, reason, tmp_path, capsys):
    main = importlib.import_module(f"fer_ros.cli.{command}").main
    code = main([argument.format(here=tmp_path) for argument in arguments])
    assert_one_line(command, code, capsys.readouterr().err, reason.format(here=tmp_path))


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("compare", ["mini_xception", "--data", "{here}", "--output"]),
        ("compare", ["mini_xception", "--data", "{here}", "--json"]),
        ("evaluate", ["--model", "mini_xception", "--data", "{here}", "--output"]),
        ("evaluate", ["--model", "mini_xception", "--data", "{here}", "--json"]),
        ("export", ["mini_xception", "--output"]),
        ("train", ["--data", "{here}", "--output"]),
    ],
)
def test_unwritable_output_is_named_before_the_work(command, arguments, tmp_path, capsys):
    (tmp_path / "file").touch()
    output = tmp_path / "file" / "sub" / "a.pt"
    main = importlib.import_module(f"fer_ros.cli.{command}").main
    code = main([*(argument.format(here=tmp_path) for argument in arguments), str(output)])
    assert_one_line(command, code, capsys.readouterr().err, " cannot be written: ")


def assert_one_line(command, code, output, reason):
    assert code == errors.BAD_INPUT, output
    assert output.startswith(f"fer-{command}: error: ")
    assert output.count("\n") == 1
    assert reason in output


def test_demo_without_ros_is_one_line(monkeypatch, capsys):
    demo = importlib.import_module("fer_ros.cli.demo")
    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    assert demo.main([]) == errors.FAILED
    output = capsys.readouterr().err
    assert output.startswith("fer-demo: error: ROS 2 or the package's messages are not found: run `make setup`")
    assert output.count("\n") == 1


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


@pytest.mark.parametrize(
    ("command", "function"),
    [("annotate", "EmotionRecognizer"), ("detect", "_process"), ("demo", "plan"), ("train", "_check_paths")],
)
def test_fault_in_a_command_is_one_line_without_debug(command, function, tmp_path, monkeypatch, capsys):
    module = importlib.import_module(f"fer_ros.cli.{command}")

    def fault(*_, **__):
        raise ValueError("a fault")  # as from a library: no option is to blame

    monkeypatch.setattr(module, function, fault)
    given = {"demo": [], "train": ["--data", str(tmp_path)]}.get(command, [str(tmp_path)])
    arguments = [*given, "--output", str(tmp_path / "out")]
    (tmp_path / "a.png").touch()
    assert module.main(arguments) in (errors.FAILED, errors.BAD_INPUT)
    output = capsys.readouterr().err
    assert output.count("\n") == 1
    assert "a fault" in output
    module.main([*arguments, "--debug"])
    assert capsys.readouterr().err.startswith("Traceback (most recent call last):\n")


def test_cut_run_file_is_one_line_that_names_it(tmp_path, capsys):
    (tmp_path / "run.json").write_text('{"data": ["x"')
    (tmp_path / "recipe.yaml").touch()
    main = importlib.import_module("fer_ros.cli.train").main
    assert_one_line("train", main(["--resume", str(tmp_path)]), capsys.readouterr().err, "run.json is damaged")


def test_interrupt_during_imports_ends_a_command_silently(tmp_path):
    (tmp_path / "slow.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(60)\n")
    program = "import sys; sys.path.append(sys.argv[1]); from fer_ros.cli import start; start.run('slow')"
    interruptible = partial(signal.signal, signal.SIGINT, signal.default_int_handler)  # not as in the background
    with running([sys.executable, "-c", program, tmp_path], preexec_fn=interruptible) as process:
        assert process.stdout.readline() == "importing\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == -signal.SIGINT


def test_commands_are_installed_under_their_names():
    cmake = (CHECKOUT / "CMakeLists.txt").read_text()
    project = (CHECKOUT / "pyproject.toml").read_text()
    for command in COMMANDS:
        assert f"install_program(fer-{command} fer_ros.cli.{command} scripts/program.in)" in cmake
        assert f'fer-{command} = "fer_ros.cli.start:{command}"' in project
        assert callable(getattr(start, command))


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
