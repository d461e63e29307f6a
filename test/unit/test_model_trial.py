# SPDX-License-Identifier: Apache-2.0
"""Trials of model files in a child process."""

import subprocess
import sys

import numpy as np
import pytest

from fer_ros.emotion import model_file, model_trial
from fer_ros.emotion.classifier import Classifier
from fer_ros.emotion.model_file import ModelFileError
from fer_ros.emotion.model_trial import TrialCanceledError

TIMEOUT = 120.0
"""Seconds, on a busy machine."""


@pytest.fixture(scope="module")
def shipped():
    return model_file.find("mini_xception", (".onnx",))


def test_trial_returns_the_digest_of_the_file(shipped):
    assert model_trial.run(shipped, "opencv", TIMEOUT) == model_file.read(shipped).sha256


def test_trial_passes_the_error_on(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_text("not a model")
    with pytest.raises(ModelFileError) as raised:
        model_trial.run(path, "opencv", TIMEOUT)
    assert str(raised.value).startswith(f"{path} is not a readable model file (")


def test_trial_is_canceled(shipped):
    with pytest.raises(TrialCanceledError, match="the node ends"):
        model_trial.run(shipped, "opencv", TIMEOUT, lambda: True)


def test_trial_limits_memory_time_and_files(tmp_path):
    script = f"""
from pathlib import Path
import numpy as np
from fer_ros.emotion import model_trial
model_trial._limit(Path("none"), 1)
try:
    np.ones(6 << 27)
except MemoryError:
    print("memory")
try:
    Path({str(tmp_path / "x")!r}).write_text("x")
except OSError:
    print("files")
while True:
    pass
"""
    ran = subprocess.run([sys.executable, "-u", "-c", script], capture_output=True, text=True, timeout=TIMEOUT)
    assert ran.stdout.split() == ["memory", "files"]
    assert ran.returncode < 0


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        (np.full((1, 7), np.nan), "scores that are not finite or do not sum to 1"),
        (np.full((1, 7), 0.5), "scores that are not finite or do not sum to 1"),
        (None, "takes .* s for a face; expected at most -1 s"),
    ],
)
def test_trial_proves_the_scores(shipped, monkeypatch, scores, reason):
    compute = Classifier.scores
    monkeypatch.setattr(Classifier, "scores", lambda self, crops: compute(self, crops) if scores is None else scores)
    if scores is None:
        monkeypatch.setattr(model_trial, "_MAX_FACE_SECONDS", -1.0)
    with pytest.raises(ModelFileError, match=reason):
        model_trial._try(shipped, "opencv")
