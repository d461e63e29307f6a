# SPDX-License-Identifier: Apache-2.0
"""Several processes, started by torchrun, train one network."""

import json
import sys

import pytest
import torch
from running import running
from training_data import arrays, recipe
from training_runs import with_test_modules

from fer_ros.cli import train
from fer_ros.training import checkpoint
from fer_ros.training.distributed import SINGLE_PROCESS, ProcessGroup
from fer_ros.training.run_folder import CHECKPOINT

PROCESSES = 2


PROGRAM = """
import contextlib, os, sys
import tiny_network
from fer_ros.cli import train

with contextlib.ExitStack() as contexts:
    contexts.enter_context(tiny_network.registered())
    if os.environ["RANK"] == "0":  # the other one does not plot
        import training_data

        contexts.enter_context(training_data.undrawn())
    sys.exit(train.main())
"""


@pytest.mark.usefixtures("undrawn", "tiny_network")
def test_two_processes_learn_what_one_learns(tmp_path):
    arrays(tmp_path / "train.npz", 28, 0, seed=1)
    arrays(tmp_path / "public.npz", 14, 1, seed=2)
    # Without batch norm and dropout, which depend on the shard, the sums differ only by their order.
    followed = recipe(tmp_path / "r.yaml", network_options={"regularized": False}, epochs=2)
    data = [str(tmp_path / "train.npz"), str(tmp_path / "public.npz")]
    arguments = ["--data", *data, "--recipe", str(followed), "--threads", "1", "--device", "cpu"]
    # Not by the name of this machine, which not every network resolves: torchrun would wait for ever.
    here = ["--standalone", "--local-addr", "127.0.0.1"]
    launcher = [sys.executable, "-m", "torch.distributed.run", *here, "--nproc-per-node", str(PROCESSES)]
    together = [*arguments, "--output", str(tmp_path / "two"), "--progress", "json"]
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [*launcher, str(tmp_path / "program.py"), *together]
    with running(command, env={**with_test_modules(), "GLOO_SOCKET_IFNAME": "lo"}) as processes:
        assert train.main([*arguments, "--output", str(tmp_path / "one")]) == 0
        output, errors = processes.communicate(timeout=120)
    assert processes.returncode == 0, errors

    events = [json.loads(line)["event"] for line in output.splitlines()]
    assert [event for event in events if event != "batch"] == ["start", "epoch", "epoch", "end"], (
        "only the main process reports"
    )
    one, two = (checkpoint.read(tmp_path / name / CHECKPOINT) for name in ("one", "two"))
    for alone, together in zip(one["records"], two["records"], strict=True):
        assert together["training_loss"] == pytest.approx(alone["training_loss"], rel=1e-4)
        assert together["validation_loss"] == pytest.approx(alone["validation_loss"], rel=1e-4)
    for name, weights in one["network"].items():
        torch.testing.assert_close(two["network"][name], weights, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("images", "processes"), [(128, 2), (7, 3), (5, 5), (10, 4)])
def test_shards_cover_the_batch(images, processes):
    shards = [ProcessGroup(rank, processes, SINGLE_PROCESS.device).shard(images) for rank in range(processes)]
    assert [image for shard in shards for image in range(images)[shard]] == list(range(images))
    assert max(len(range(images)[shard]) for shard in shards) <= -(-images // processes)


def test_missing_gpu_is_reported(tmp_path, capsys):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    assert train.main(["--data", str(tmp_path), "--device", "cuda"]) == 2
    assert "--device cuda: torch sees no GPU on this machine" in capsys.readouterr().err
