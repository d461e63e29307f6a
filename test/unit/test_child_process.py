# SPDX-License-Identifier: Apache-2.0
"""ChildProcess: output, exit summary, and stopping with escalation."""

import sys
import time
from pathlib import Path

import pytest

from fer_ros.child_process import ChildProcess, stop_all

DEADLINE = 30.0
"""Seconds for what takes milliseconds on an idle machine."""
IGNORES_SIGTERM = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""


def start(code: str, **options) -> ChildProcess:
    return ChildProcess("child", [sys.executable, "-c", code], **options)


def wait_for_output(child: ChildProcess) -> None:
    end = time.monotonic() + DEADLINE
    while not child.last_lines and time.monotonic() < end:
        time.sleep(0.01)


def test_exit_summary_has_status_and_last_output():
    child = start("import sys; print(*range(30), sep='\\n', file=sys.stderr); sys.exit(3)")
    assert child.wait(DEADLINE)
    assert child.status == 3
    assert child.last_lines == tuple(map(str, range(10, 30)))
    assert child.exit_summary.startswith("child exited with status 3; its last output:\n  10\n  11\n")


def test_exit_summary_without_output_is_one_line():
    child = start("pass")
    assert child.wait(DEADLINE)
    assert child.exit_summary == "child exited with status 0"


def test_running_process_has_no_status():
    with start(IGNORES_SIGTERM, stdout=True) as child:
        assert child.status is None
        assert not child.wait(0.01)
        assert child.exit_reason == "is still running"
    assert child.exit_reason.startswith("was killed by signal 9 (SIGKILL)")


def test_consumed_lines_are_not_kept_and_end_is_reported():
    lines, ended = [], []

    def consume(line: str) -> bool:
        lines.append(line)
        return line.startswith("{")

    code = "import sys; print('{1}'); print('text', file=sys.stderr); print('{2}')"
    child = start(code, stdout=True, on_line=consume, on_end=lambda: ended.append(len(lines)))
    assert child.wait(DEADLINE)
    assert sorted(lines) == ["text", "{1}", "{2}"]
    assert child.last_lines == ("text",)
    assert ended == [3]


def test_stop_sends_sigterm_first():
    child = start("import time; time.sleep(600)")
    child.stop()
    assert child.exit_reason == "was killed by signal 15 (SIGTERM)"


def test_stop_kills_what_ignores_sigterm():
    children = [start(IGNORES_SIGTERM, stdout=True) for _ in range(2)]
    for child in children:
        wait_for_output(child)
    stop_all(children, grace=0.2)
    assert [child.status for child in children] == [-9, -9]
    assert "memory runs out" in children[0].exit_summary


def test_environment_replaces_the_inherited_one():
    child = start("import os; print(os.environ['FER_ROS_PROBE'])", environment={"FER_ROS_PROBE": "1"}, stdout=True)
    assert child.wait(DEADLINE)
    assert child.last_lines == ("1",)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has ended")
def test_child_ends_when_its_parent_is_killed():
    parent = start(
        """
import os, signal, time
from fer_ros.child_process import ChildProcess
child = ChildProcess("child", ["sleep", "600"], ends_with_parent=True)
print(child._process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
""",
        stdout=True,
    )
    assert parent.wait(DEADLINE)
    child = Path(f"/proc/{parent.last_lines[0]}/stat")
    end = time.monotonic() + DEADLINE
    while runs(child) and time.monotonic() < end:
        time.sleep(0.01)
    assert not runs(child)


def runs(status: Path) -> bool:
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
