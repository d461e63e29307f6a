# SPDX-License-Identifier: Apache-2.0
"""Shipped recipes load, the papers' recipes have the papers' numbers, and schedules follow the recipe."""

from pathlib import Path

import numpy as np
import pytest
import torch

from fer_ros import networks, resources
from fer_ros.datasets.registry import FaceImages
from fer_ros.training.optimizer import create_optimizer, l1_penalty
from fer_ros.training.recipe import RecipeError, from_dict, load, parse, save
from fer_ros.training.schedules import crop_size, learning_rate
from fer_ros.training.train import train

SHIPPED = sorted(path.stem for path in Path(resources.folders("recipes")[0]).glob("*.yaml"))

WIDE = {"width": 64, "first_width": 32}


def recipe(**keys):
    return from_dict({"network": "mini_xception", "epochs": 10, **keys})


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_recipe_creates_its_networks(name):
    for stage in load(name).stages:
        settings = stage.recipe
        with torch.device("meta"):
            network = networks.create(settings.network, 7, **settings.network_options)
        assert create_optimizer(settings, network).param_groups[0]["weight_decay"] == settings.weight_decay


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("lyu_width_8", {"batch_size": 40, "learning_rate": 0.01, "epochs": 100, "network_options": {"width": 8}}),
        ("lyu_width_64", {"batch_size": 40, "learning_rate": 0.01, "epochs": 100, "network_options": WIDE}),
        ("lyu_width_64_sgd", {"batch_size": 40, "learning_rate": 0.01, "optimizer": "sgd", "network_options": WIDE}),
        ("lyu_width_8_sgd", {"batch_size": 40, "learning_rate": 0.01, "optimizer": "sgd"}),
        ("lyu_width_8_batch_15", {"batch_size": 15, "learning_rate": 0.01, "epochs": 100}),
        ("lyu_width_8_batch_15_rate_0001", {"batch_size": 15, "learning_rate": 0.001, "epochs": 100}),
        ("lyu_width_8_batch_15_rate_0001_150_epochs", {"batch_size": 15, "learning_rate": 0.001, "epochs": 150}),
        ("lyu_batch_15", {"batch_size": 15, "learning_rate": 0.01, "epochs": 100}),
        ("lyu_batch_15_rate_0001", {"batch_size": 15, "learning_rate": 0.001, "epochs": 100}),
        ("lyu_batch_15_rate_0001_150_epochs", {"batch_size": 15, "learning_rate": 0.001, "epochs": 150}),
        ("rao_mini_xception", {"network": "mini_xception", "optimizer": "adam", "epochs": 250}),
        ("yang_cnn_6", {"network": "cnn_layers", "network_options": {"layers": 6, "dropout": 0.25}}),
        ("ding_dropout_03", {"network": "acted_cnn", "network_options": {"dropout": 0.3, "later_dropout": 0.3}}),
        ("ding_dropout_05_l1", {"l1": 1e-4, "network_options": {"dropout": 0.3, "later_dropout": 0.5}}),
    ],
)
def test_recipe_of_a_paper_has_the_published_numbers(name, settings):
    (stage,) = load(name).stages
    assert {key: getattr(stage.recipe, key) for key in settings} == settings


def test_recipes_of_rao_differ_in_network_alone():
    """The paper compares networks, so batch, rate, augmentation and epochs are those of all of them."""
    names = [name for name in SHIPPED if name.startswith("rao_")]
    assert len(names) == 5
    recipes = [load(name).stages[0].recipe.to_dict() for name in names]
    for keys in recipes:
        del keys["network"], keys["network_options"], keys["preprocessing"]["input_size"]
    assert all(keys == recipes[0] for keys in recipes)
    assert recipes[0]["augmentation"]["flip"] == 0.5


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"optimizer": "adem"}, "'optimizer' is 'adem', did you mean 'adam'?"),
        ({"schedule": "cosine"}, "'schedule' is 'cosine'"),
        ({"network": "acted_cnn"}, "'acted_cnn' needs 'preprocessing.input_size' 180"),
        ({"optimizer": "adam", "momentum": 1}, "'momentum' must be below 1"),
        ({"augmentation": {"resampling": "cubic"}}, "'augmentation.resampling' is 'cubic', did you mean 'bicubic'?"),
        ({"l1": -1}, "'l1' must be from 0"),
        ({"hold_out": 4710.5}, "'hold_out' must be a share below 1 or a whole number, not 4710.5"),
        ({"teachers": "mini_xception"}, "'teachers' must be a list of texts"),
        ({"initial_size": 64}, "'initial_size' \\(64\\) must not be above 'preprocessing.input_size' \\(48\\)"),
        ({"teacher_views": 8}, "'teacher_views' needs 'teacher_view' augmented"),
        ({"teacher_views": 8, "teacher_view": "augmented", "initial_size": 32}, "and no 'initial_size'"),
    ],
)
def test_unusable_value_is_named(keys, message):
    with pytest.raises(RecipeError, match=message):
        recipe(**keys)


def rates(followed, losses):
    """Return the rate in each epoch of a run with these validation losses, and in the one after it."""
    return [learning_rate(followed, 0.5, losses[:epoch]) for epoch in range(len(losses) + 1)]


def test_plateau_lowers_the_learning_rate_for_good():
    followed = recipe(schedule="plateau", patience=1, plateau_factor=0.1, learning_rate=1.0)
    assert np.allclose(rates(followed, [3, 2, 2, 2, 1, 1.5, 1.5]), [1, 1, 1, 1, 0.1, 0.1, 0.1, 0.01])


def test_one_cycle_rises_to_the_peak_and_falls_to_zero():
    followed = recipe(learning_rate=0.4, warm_up=0.25)
    at = [learning_rate(followed, done, []) for done in (0, 0.125, 0.25, 0.625, 1)]
    assert np.allclose(at, [0, 0.2, 0.4, 0.2, 0])
    assert rates(recipe(schedule="constant", learning_rate=0.3), [1, 2]) == [0.3] * 3


def test_crops_grow_to_the_input_size():
    followed = recipe(initial_size=32, epochs=10)
    assert [crop_size(followed, epoch) for epoch in range(10)] == [32, 32, 36, 36, 40, 40, 44, 44, 48, 48]
    assert crop_size(recipe(), 0) == 48


def test_l1_penalty_counts_linear_weights_only():
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 3), torch.nn.Linear(2, 2))
    torch.nn.init.constant_(network[1].weight, -3.0)
    assert l1_penalty(recipe(l1=0.5), network).item() == 6.0
    assert l1_penalty(recipe(), network) == 0.0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.usefixtures("undrawn")
def test_network_learns_with_adam_and_l1(tmp_path):
    """The classes are dark and bright noise."""
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
    assert train(followed, faces, faces, tmp_path).records[-1].validation_accuracy > 0.9


STAGES = {
    "network": "mini_xception",
    "epochs": 10,
    "augmentation": {"flip": 0, "erase": 0.1},
    "stages": [
        {"name": "first"},
        {
            "name": "second",
            "epochs": 3,
            "augmentation": {"erase": 0.3},
            "teachers": ["first", "other/best.pt", "res_se"],
        },
        {"name": "teacher", "network": "res_se", "teachers": []},
        {"name": "third", "init_from": "first"},
        {"name": "fourth", "init_from": "none"},
    ],
}


def test_stage_overrides_keys_of_the_recipe():
    first, second, teacher, *_ = (stage.recipe for stage in parse(STAGES, Path("/recipes")).stages)
    assert (first.epochs, second.epochs, teacher.network) == (10, 3, "res_se")
    assert (second.augmentation.flip, second.augmentation.erase) == (0, 0.3)
    assert second.teachers == ["first", "/recipes/other/best.pt", "res_se"]


def test_stage_starts_from_the_latest_stage_of_its_network():
    assert [stage.init_from for stage in parse(STAGES, Path()).stages] == ["", "first", "", "first", ""]


def test_recipe_with_stages_is_saved_as_it_was_read(tmp_path):
    staged = parse(STAGES, tmp_path)
    save(tmp_path / "saved.yaml", staged)
    assert load(str(tmp_path / "saved.yaml")) == staged


def test_overrides_apply_to_every_stage():
    staged = parse(STAGES, Path()).with_overrides(epochs=1, seed=7)
    assert {(stage.recipe.epochs, stage.recipe.seed) for stage in staged.stages} == {(1, 7)}
    with pytest.raises(RecipeError, match="--network cannot replace the networks of a recipe with stages"):
        staged.with_overrides(network="vgg")


def test_network_without_the_options_of_the_recipe_is_refused():
    with pytest.raises(RecipeError) as raised:
        load("yang_cnn_3").with_overrides(network="mini_xception")
    assert "network 'mini_xception' has no option 'layers'" in str(raised.value)
    assert "copy the recipe and change 'network' and 'network_options' together" in str(raised.value)


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([], "'stages' must be a list of mappings"),
        ([{"epochs": 2}], "stage 1 of 'stages' must be a mapping with the key 'name'"),
        ([{"name": "a"}, {"name": "a"}], "stage 'a': there is an earlier stage of this name"),
        ([{"name": "../a"}], "stage '../a': 'name' must consist of letters"),
        ([{"name": "a", "epoch": 2}], "stage 'a': unknown key 'epoch', did you mean 'epochs'?"),
        ([{"name": "a"}, {"name": "b", "hold_out": 9}], "'hold_out' must be the same in all stages"),
        ([{"name": "a", "init_from": 3}], "stage 'a': 'init_from' must be text"),
    ],
)
def test_unusable_stage_is_named(stages, message):
    with pytest.raises(RecipeError) as raised:
        parse({**STAGES, "stages": stages}, Path())
    assert message in str(raised.value)
