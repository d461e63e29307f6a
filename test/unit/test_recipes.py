"""Every recipe that ships can be followed, and what it says about the weights' path is done."""

from pathlib import Path

import numpy as np
import pytest
import torch

from fer_ros import networks, resources
from fer_ros.datasets.registry import FaceImages
from fer_ros.training import optimization
from fer_ros.training.progress import SilentReporter
from fer_ros.training.recipe import RecipeError, from_dict, load
from fer_ros.training.train import fit

SHIPPED = sorted(path.stem for path in Path(resources.folders("recipes")[0]).glob("*.yaml"))


def recipe(**keys):
    return from_dict({"network": "mini_xception", "epochs": 10, **keys})


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_recipe_makes_its_network(name):
    followed = load(name)
    with torch.device("meta"):
        network = networks.create(followed.network, 7, **followed.network_options)
    assert optimization.optimizer(followed, network).param_groups[0]["weight_decay"] == followed.weight_decay


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("lyu_width_8", {"batch_size": 40, "learning_rate": 0.01, "epochs": 100, "network_options": {"width": 8}}),
        ("lyu_width_64", {"batch_size": 40, "learning_rate": 0.01, "epochs": 100, "network_options": {"width": 64}}),
        ("lyu_batch_15", {"batch_size": 15, "learning_rate": 0.01, "epochs": 100}),
        ("lyu_batch_15_rate_0001", {"batch_size": 15, "learning_rate": 0.001, "epochs": 100}),
        ("lyu_batch_15_rate_0001_150_epochs", {"batch_size": 15, "learning_rate": 0.001, "epochs": 150}),
        ("rao_mini_xception", {"network": "mini_xception", "optimizer": "adam", "epochs": 250}),
        ("yang_cnn_6", {"network": "cnn_layers", "network_options": {"layers": 6, "dropout": 0.25}}),
        ("ding_dropout_03", {"network": "acted_cnn", "network_options": {"dropout": 0.3}, "l1": 0.0}),
        ("ding_dropout_05_l1", {"network": "acted_cnn", "network_options": {"dropout": 0.5}, "l1": 1e-4}),
    ],
)
def test_a_papers_recipe_has_the_papers_numbers(name, settings):
    followed = load(name)
    assert {key: getattr(followed, key) for key in settings} == settings


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"optimizer": "adem"}, "'optimizer' is 'adem', did you mean 'adam'?"),
        ({"schedule": "cosine"}, "'schedule' is 'cosine'"),
        ({"network": "acted_cnn"}, "'acted_cnn' needs 'preprocessing.input_size' 180"),
        ({"optimizer": "adam", "momentum": 1}, "'momentum' must be below 1"),
        ({"augmentation": {"resampling": "cubic"}}, "'augmentation.resampling' is 'cubic', did you mean 'bicubic'?"),
        ({"l1": -1}, "'l1' must be from 0"),
        ({"teachers": "mini_xception"}, "'teachers' must be a list of texts"),
        ({"initial_size": 64}, "'initial_size' \\(64\\) must not be above 'preprocessing.input_size' \\(48\\)"),
    ],
)
def test_what_cannot_be_done_is_named(keys, message):
    with pytest.raises(RecipeError, match=message):
        recipe(**keys)


def rates(followed, losses):
    """The rate in each epoch of a run with these validation losses, and in the one after it."""
    records = [{"validation_loss": loss} for loss in losses]
    return [optimization.learning_rate(followed, 0.5, records[:epoch]) for epoch in range(len(losses) + 1)]


def test_on_a_plateau_the_rate_falls_and_stays_down():
    followed = recipe(schedule="plateau", patience=1, plateau_factor=0.1, learning_rate=1.0)
    assert np.allclose(rates(followed, [3, 2, 2, 2, 1, 1.5, 1.5]), [1, 1, 1, 1, 0.1, 0.1, 0.1, 0.01])


def test_one_cycle_rises_to_the_peak_and_falls_to_nothing():
    followed = recipe(learning_rate=0.4, warm_up=0.25)
    at = [optimization.learning_rate(followed, done, []) for done in (0, 0.125, 0.25, 0.625, 1)]
    assert np.allclose(at, [0, 0.2, 0.4, 0.2, 0])
    assert rates(recipe(schedule="constant", learning_rate=0.3), [1, 2]) == [0.3] * 3


def test_crops_grow_to_the_input_size():
    followed = recipe(initial_size=32, epochs=10)
    assert [optimization.crop_size(followed, epoch) for epoch in range(10)] == [32, 32, 36, 36, 40, 40, 44, 44, 48, 48]
    assert optimization.crop_size(recipe(), 0) == 48


def test_l1_counts_dense_weights_alone():
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 3), torch.nn.Linear(2, 2))
    torch.nn.init.constant_(network[1].weight, -3.0)
    assert optimization.l1_penalty(recipe(l1=0.5), network).item() == 6.0
    assert optimization.l1_penalty(recipe(), network) == 0.0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.usefixtures("undrawn")
def test_a_dense_network_learns_with_adam_and_l1(tmp_path):
    """Dark faces are sad and bright ones happy."""
    targets = np.arange(64) % 2
    noise = np.random.default_rng(0).integers(0, 60, (64, 48, 48))
    pixels = (noise + 120 * targets[:, None, None]).astype(np.uint8)
    faces = FaceImages(pixels, targets, ("sad", "happy"), np.zeros(64, np.uint8))
    still = {"flip": 0, "rotation": 0, "scale": 0, "shift": 0}
    followed = recipe(
        **{"network": "cnn_layers", "network_options": {"layers": 3}, "epochs": 3, "batch_size": 16},
        **{"optimizer": "adam", "schedule": "constant", "learning_rate": 0.002, "l1": 1e-5, "ema_decay": 0},
        augmentation=still,
    )
    assert fit(followed, faces, faces, tmp_path, SilentReporter()).records[-1]["validation_accuracy"] > 0.9
