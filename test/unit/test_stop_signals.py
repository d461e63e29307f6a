# SPDX-License-Identifier: Apache-2.0
"""Signals from the first instruction of a program to its last."""

import signal
import subprocess
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from running import running

# By its path, as the folder around it needs rclpy in some installations.
FILE = Path(__file__).parents[2] / "fer_ros" / "nodes" / "common" / "stop_signals.py"
PROLOGUE = f"""
import importlib.util, signal, sys, time
spec = importlib.util.spec_from_file_location("stop_signals", {str(FILE)!r})
stop_signals = importlib.util.module_from_spec(spec)
spec.loader.exec_module(stop_signals)
signals = stop_signals.install()
"""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture
def start():
    """Run a program after `install`; return it when it has printed a line."""
    not_under_nohup = partial(signal.signal, signal.SIGHUP, signal.SIG_DFL)
    with ExitStack() as processes:

        def run(program: str) -> subprocess.Popen:
            command = [sys.executable, "-c", PROLOGUE + program]
            process = processes.enter_context(running(command, preexec_fn=not_under_nohup))
            process.stdout.readline()
            return process

        yield run


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_during_imports_ends_at_once(start, number):
    process = start("print('importing', flush=True)\nwhile True: pass")
    process.send_signal(number)
    assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 130


def test_node_ends_by_itself_and_ignores_later_signals(start):
    process = start("""
done = []
signals.on_stop(lambda: done.append(0))
print('running', flush=True)
while not done: time.sleep(0.001)
print('closed', flush=True)
time.sleep(0.3)
stop_signals.end(0)
""")
    process.send_signal(signal.SIGTERM)
    process.stdout.readline()
    for number in SIGNALS:
        process.send_signal(number)
    assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 0


def test_signal_before_node_exists_is_not_lost(start):
    process = start("""
signals.on_stop(lambda: None)
print('starting', flush=True)
while not signals.received: time.sleep(0.001)
signals.on_stop(lambda: print('stopped', flush=True))
""")
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30)[0] == "stopped\n"


def test_program_that_does_not_end_is_ended(start):
    process = start("signals.on_stop(lambda: None)\nprint('loading', flush=True)\ntime.sleep(60)")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130


def test_files_are_completed_before_program_is_ended(start):
    process = start("""
stop_signals._GRACE = 0.05
signals.on_stop(lambda: None)
with signals.completing_files():
    print('writing', flush=True)
    time.sleep(0.5)
    print('complete', flush=True)
time.sleep(60)
""")
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30)[0] == "complete\n"
    assert process.returncode == 130


def test_closed_terminal_does_not_end_what_runs_with_nohup(start):
    ignoring = "import signal, os; signal.signal(signal.SIGHUP, signal.SIG_IGN); os.execv(sys.executable, sys.argv[1:])"
    program = PROLOGUE + "print('running', flush=True)\nwhile True: time.sleep(0.01)"
    command = [sys.executable, "-c", f"import sys; {ignoring}", sys.executable, "-c", program]
    with running(command) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 130
