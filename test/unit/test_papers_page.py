# SPDX-License-Identifier: Apache-2.0
"""Every command of the page of the papers runs as it stands there, on few images for one epoch."""

import dataclasses
import os
import re
import shlex
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
import training_data
from detector_kinds import create_detector
from in_process import children_in_process
from tiny_network import Tiny

from fer_ros import networks
from fer_ros.cli import annotate, compare, demo, detect, evaluate, reproduce
from fer_ros.datasets import emotion_corpora
from fer_ros.datasets.corpus_naming import KDEF, MEAD, RAVDESS, SAVEE
from fer_ros.evaluation import profiling, robustness
from fer_ros.reproduction import results
from fer_ros.reproduction.experiments import find
from fer_ros.reproduction.papers import PAPERS
from fer_ros.reproduction.reasons import is_perturbed

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reports/papers.md").read_text()
COMMANDS = [line for block in re.findall(r"^```\n(.*?)^```", PAGE, re.M | re.S) for line in block.splitlines()]
ROWS = [row for paper in PAPERS for item in paper.items for row in item.rows]
PROGRAMS = {
    **{"fer-reproduce": reproduce, "fer-evaluate": evaluate, "fer-compare": compare},
    **{"fer-annotate": annotate, "fer-detect": detect},
}
WRITES = {
    "fer-evaluate": ["out/evaluation/report.html", "out/evaluation/confusion_matrix.csv"],
    "fer-compare": ["out/comparison/comparison.html", "out/comparison/accuracy.png"],
    "fer-annotate": ["out/annotate/emotions.csv", "out/annotate/face.png_faces.png"],
    "fer-detect": ["out/detection/face.png_faces.png", "out/detection/detection_curve.csv"],
}

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


CORPORA = {
    "KDEF/AF01/AF01{}S.JPG": KDEF,
    "KDEF/AM02/AM02{}S.JPG": KDEF,
    "MEAD/M003/video/front/{}/level_1/001.mp4": MEAD,
    "RAVDESS/Actor_12/01-01-{}-01-02-01-12.mp4": RAVDESS,
    "SAVEE/AudioVisualClip/DC/{}1.avi": SAVEE,
}
"""Files of one emotion, as published."""


def write(path, person, seed):
    """Write a photograph, or a video of two frames, no two of them alike."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 40, (2, *person.shape), np.uint8)
    frames = [cv2.cvtColor(cv2.subtract(person, each), cv2.COLOR_GRAY2BGR) for each in noise]
    if path.suffix == ".JPG":
        assert cv2.imwrite(str(path), frames[0])
        return
    codec = cv2.VideoWriter_fourcc(*("mp4v" if path.suffix == ".mp4" else "MJPG"))
    video = cv2.VideoWriter(str(path), codec, 25.0, person.shape[::-1])
    for frame in frames:
        video.write(frame)
    video.release()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, astronaut):
    """Work in a folder with the data that the page names, a few images of each."""
    root = tmp_path_factory.mktemp("clone")
    rows = [*training_data.csv_rows(14, "Training", 0), *training_data.csv_rows(7, "PublicTest", 1)]
    training_data.csv(root / "fer2013.csv", rows)
    person = cv2.resize(astronaut[20:212, 130:322], (96, 96), interpolation=cv2.INTER_AREA)
    names = [name.format(code) for name, corpus in CORPORA.items() for code in corpus.emotions]
    for seed, name in enumerate(names):
        write(root / name, person, seed)
    for photo in ("photos/face.png", "wider/face.png"):
        (root / photo).parent.mkdir()
        cv2.imwrite(str(root / photo), cv2.resize(astronaut, (256, 256), interpolation=cv2.INTER_AREA))
    (root / "wider_face_val_bbx_gt.txt").write_text("face.png\n1\n89 33 48 48 0 0 0 0 0 0\n")
    few = {name: dataclasses.replace(each, values=each.values[:1]) for name, each in robustness.PERTURBATIONS.items()}
    with pytest.MonkeyPatch.context() as patch, training_data.undrawn(), children_in_process(patch):
        patch.chdir(root)
        patch.setattr(networks, "create", create_small)
        patch.setattr(emotion_corpora, "FRAMES", 2)
        patch.setattr(profiling, "_PASSES", 1)
        patch.setattr(profiling, "_peak_memory", lambda *_: 100 << 20)
        patch.setattr(robustness, "PERTURBATIONS", few)
        yield root


def create_small(name, classes, **options):
    """Create a network, or a tiny one for those that take longer, which `test_every_network` trains."""
    is_small = name == "cnn_layers" or options.get("width") == 8
    return networks.registry.create(name, classes, **options) if is_small else Tiny(classes, width=2)


def train(*names):
    """Run what fer-reproduce does for experiments, for one epoch, and return their results."""
    assert reproduce.main([*names, "--epochs", "1"]) == 0
    found, faults = results.read_runs(Path("out/papers"))
    assert not faults
    return found


@pytest.mark.parametrize("command", dict.fromkeys(COMMANDS))
def test_command_of_the_page_runs(folder, capsys, command):
    program, *arguments = shlex.split(command, comments=True)
    for word, detector in (("savee", "dlib"), ("mtcnn", "mtcnn")):
        if word in command:
            create_detector(detector)
    if program == "fer-reproduce":
        check_reproduced(arguments)
    elif program == "make":
        check_demo(arguments)
    else:
        for name in re.findall(r"out/papers/(\w+)", command):
            train(name, "--data", "fer2013.csv")
        assert PROGRAMS[program].main(arguments) == 0
        assert all((folder / path).is_file() for path in WRITES[program])


def check_reproduced(arguments):
    if "--list" in arguments:
        assert reproduce.main(arguments) == 0
        return
    options = reproduce.parser().parse_args(arguments)
    data = {"fer2013" if "=" not in word else word.partition("=")[0] for word in options.data}
    found = train(*arguments)
    for each in find(options.names):
        if each.data in data:
            assert (found[each.name].epochs, found[each.name].epochs_of_recipe) == (1, each.epochs)
            wanted = {row.measure for row in ROWS if row.experiment == each.name and not is_perturbed(row)}
            never_answered = {measure for measure in wanted if measure.endswith("misclassification")}
            assert wanted - never_answered <= set(found[each.name].measures)


def check_demo(arguments):
    """`make` would start ROS: check what it hands to fer-demo."""
    environment = {"PATH": os.environ["PATH"]}  # without the variables of the `make test` that runs this
    shown = subprocess.run(
        ["make", "--dry-run", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    (line,) = (line for line in shown.stdout.replace("\\\n", "").splitlines() if "fer-demo" in line)
    assert demo.parser().parse_args(shlex.split(line.partition("fer-demo")[2])).input == "0"


def test_page_has_the_command_of_each_item():
    items = [item.command for paper in PAPERS for item in paper.items]
    assert COMMANDS[2:] == items
