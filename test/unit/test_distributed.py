"""Several processes, started by torchrun, train together."""

import json
import subprocess
import sys

import pytest
import torch
from training_data import arrays, recipe

from fer_ros.cli import train
from fer_ros.training import checkpoint
from fer_ros.training.distributed import ALONE, Team
from fer_ros.training.run_folder import CHECKPOINT

PROCESSES = 2


@pytest.mark.usefixtures("undrawn")
def test_two_processes_learn_what_one_learns(tmp_path):
    arrays(tmp_path / "train.npz", 28, 0, seed=1)
    arrays(tmp_path / "public.npz", 14, 1, seed=2)
    # Without batch norm and dropout, which see only a process's own share, the sums are the same up to their order.
    followed = recipe(
        **{"path": tmp_path / "r.yaml", "network": "acted_cnn", "network_options": {"dropout": 0.0}, "epochs": 2},
        preprocessing={"input_size": 180},
    )
    data = [str(tmp_path / "train.npz"), str(tmp_path / "public.npz")]
    arguments = ["--data", *data, "--recipe", str(followed), "--threads", "1", "--device", "cpu"]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(PROCESSES)]
    together = [*arguments, "--output", str(tmp_path / "two"), "--progress", "json"]
    command = [*launcher, "-m", "fer_ros.cli.train", *together]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as team:
        assert train.main([*arguments, "--output", str(tmp_path / "one")]) == 0
        output, errors = team.communicate(timeout=300)
    assert team.returncode == 0, errors

    said = [json.loads(line)["event"] for line in output.splitlines()]
    assert [event for event in said if event != "batch"] == ["start", "epoch", "epoch", "end"], "one of them speaks"
    one, two = (checkpoint.read(tmp_path / name / CHECKPOINT) for name in ("one", "two"))
    for alone, together in zip(one["records"], two["records"], strict=True):
        assert together["training_loss"] == pytest.approx(alone["training_loss"], rel=1e-4)
        assert together["validation_loss"] == pytest.approx(alone["validation_loss"], rel=1e-4)
    for name, weights in one["network"].items():
        torch.testing.assert_close(two["network"][name], weights, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("images", "processes"), [(128, 2), (7, 3), (5, 5), (10, 4)])
def test_the_shares_are_the_batch(images, processes):
    shares = [Team(rank, processes, ALONE.device).share(images) for rank in range(processes)]
    together = [image for share in shares for image in range(images)[share]]
    assert together == list(range(images))
    assert max(len(range(images)[share]) for share in shares) <= -(-images // processes)


def test_a_gpu_that_is_not_there_is_said(tmp_path, capsys):
    if torch.cuda.is_available():
        pytest.skip("there is one")
    assert train.main(["--data", str(tmp_path), "--device", "cuda"]) == 2
    assert "--device cuda: torch sees no GPU on this machine" in capsys.readouterr().err
