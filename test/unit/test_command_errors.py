"""What every command does before it works: it helps, and says in one line what is wrong, without a wait for torch."""

import importlib
import subprocess
import sys

import pytest

from fer_ros.cli import errors

WITHOUT_TORCH = """
import sys
for absent in ("torch", "sklearn", "matplotlib"):
    sys.modules[absent] = None
"""


def child(code, *arguments):
    command = [sys.executable, "-c", WITHOUT_TORCH + code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def raising(error):
    @errors.one_line_errors("fer-try")
    def main(_):
        raise error

    return main


@pytest.mark.parametrize(("name", "code"), errors.CODES.items())
def test_what_a_user_can_mend_is_one_line_and_a_code(name, code, capsys):
    module, _, kind = name.rpartition(".")
    kind = getattr(importlib.import_module(module), kind)
    assert raising(type("Kind", (kind,), {})("no such thing"))(None) == code
    assert capsys.readouterr().err == "fer-try: error: no such thing\n"


def test_a_fault_of_the_program_keeps_its_traceback():
    with pytest.raises(KeyError):
        raising(KeyError("left out"))(None)


@pytest.mark.parametrize("command", ["train", "evaluate", "compare", "export", "detect", "demo"])
def test_help_needs_nothing_heavy(command):
    helped = child(f"from fer_ros.cli import {command}; {command}.main(['--help'])")
    assert helped.returncode == 0, helped.stderr
    assert "usage: " in helped.stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--data", "{here}/none"], "none: there is no such file or folder"),
        (["--data", "{here}", "--recipe", "mini_xeption"], "no recipe 'mini_xeption'; known are: "),
        (["--resume", "{here}"], "is not the folder of a training run"),
    ],
)
def test_a_mistyped_name_is_told_of_before_torch_is_loaded(arguments, reason, tmp_path):
    told = child(
        "from fer_ros.cli import train; sys.exit(train.main(sys.argv[1:]))",
        *(argument.format(here=tmp_path) for argument in arguments),
    )
    assert told.returncode == errors.BAD_INPUT
    assert told.stderr.startswith("fer-train: error: ")
    assert told.stderr.count("\n") == 1
    assert reason in told.stderr
