# SPDX-License-Identifier: Apache-2.0
"""Every network is trained, evaluated, exported and served by the emotion node."""

import functools
import shutil

import numpy as np
import pytest
import torch
from training_data import undrawn

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")

from fer_ros import networks
from fer_ros.datasets.registry import FaceImages
from fer_ros.emotion import model_cache, model_file
from fer_ros.emotion.classifier import Classifier
from fer_ros.emotion.labels import FER2013
from fer_ros.evaluation import metrics
from fer_ros.nodes.emotion.node import EmotionNode
from fer_ros.srv import LoadModel
from fer_ros.training.export import export
from fer_ros.training.recipe import from_dict
from fer_ros.training.train import train

SMALLER = {
    "resnet50": {"preprocessing": {"input_size": 32}},
}
"""Settings below the defaults, for speed."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a function from a network's name to the folder of a run of one epoch; the large folders are deleted."""
    folder = tmp_path_factory.mktemp("networks")
    torch.set_num_threads(1)  # with two, torch 2.13 crashes on strided convolutions of an odd number of images

    @functools.cache
    def of(name):
        size = {"preprocessing": {"input_size": networks.input_size(name) or 48}}
        steps = {"epochs": 1, "batch_size": 7, "momentum": 0.0, "ema_decay": 0.0}
        recipe = from_dict({"network": name, **steps, **size, **SMALLER.get(name, {})})
        run = folder / name
        run.mkdir()
        with undrawn():
            train(recipe, faces(recipe, 0), faces(recipe, 1), run)
        return run

    yield of
    shutil.rmtree(folder)


def faces(recipe, seed):
    """Return noise images of the network's input size, one for each label."""
    size = recipe.preprocessing.input_size
    pixels = np.random.default_rng(seed).integers(0, 255, (7, size, size), np.uint8)
    return FaceImages(pixels, np.arange(7), FER2013, np.full(7, seed, np.uint8))


@pytest.mark.usefixtures("quick_start")
@pytest.mark.parametrize("name", networks.NETWORKS)
def test_network_is_trained_evaluated_and_exported(trained, name):
    run = trained(name)
    torchscript = model_cache.Classifier(model_file.read(run / "best.pt"), "torchscript")
    assert torchscript.metadata.network == name
    images = faces(from_dict(torchscript.metadata.recipe), 1)
    scores = metrics.scores(torchscript, images.pixels)
    result = metrics.measure(scores, metrics.targets_for(torchscript.labels, images), torchscript.labels)
    assert result.accuracy == torchscript.metadata.scores["validation"]["accuracy"]
    export(run, run / "best.onnx")
    np.testing.assert_allclose(metrics.scores(Classifier(run / "best.onnx"), images.pixels), scores, atol=1e-4)


def test_node_switches_to_every_network(robot, model, quick_start, astronaut, trained):
    assert robot.start(EmotionNode, model=str(model), models__any_folder=True).autostart()
    camera = robot.matched_camera()
    for name in networks.NETWORKS:
        response = robot.call(LoadModel, "emotion_node/load_model", model=str(trained(name) / "best.pt"))
        assert response.success, response.message
        result = robot.process(camera, astronaut)
        assert result.model_id == response.model_id
        (face,) = result.faces
        assert sum(face.scores) == pytest.approx(1, abs=1e-5)
