# SPDX-License-Identifier: Apache-2.0
"""The page of the papers says why a number of ours is worse, in sentences made of the results."""

from dataclasses import replace

import pytest

from fer_ros.reproduction import reasons
from fer_ros.reproduction.papers import Row
from fer_ros.reproduction.results import Result

RESULT = Result(
    experiment="x",
    parameters=1,
    images=100,
    held_out=False,
    seed=0,
    epochs=4,
    epochs_of_recipe=4,
    accuracies=[30.0, 40.0, 50.0, 45.0],
    training_images={"happy": 900, "sad": 90, "fear": 10},
    best_epoch=3,
    minutes=1.0,
    cpu="",
    threads=1,
    device="cpu",
    torch="2",
    measures={
        **{"accuracy": 50.0, "training_accuracy": 55.0, "validation_loss": 1.2},
        **{"happy.recall": 80.0, "sad.recall": 60.0, "fear.recall": 1.0, "macro_recall": 47.0},
        **{"brightness.0.5": 60.0, "brightness.0.5.low": 50.0, "brightness.0.5.high": 70.0},
        **{"brightness.3": 20.0, "brightness.3.low": 10.0, "brightness.3.high": 25.0},
    },
)


def sentence(result, *rows):
    """Return the only sentence about numbers by measure."""
    (found,) = reasons.sentences([Row(name, "x", name, published) for name, published in rows], {"x": result})
    return found


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"epochs_of_recipe": 9},
            "stopped after 4 of 9 epochs while its accuracy still rose, from 40.0 % after 2 to 50.0 %",
        ),
        (
            {"epochs_of_recipe": 9, "accuracies": [50.0, 40.0, 45.0, 45.0], "best_epoch": 1},
            "stopped after 4 of 9 epochs, the last 3 without a gain",
        ),
        ({"epochs_of_recipe": 9, "epochs": 1, "accuracies": [50.0], "best_epoch": 1}, "stopped after 1 of 9 epochs"),
        (
            {},
            "trained to the end, it is too small or too strongly regularized for more: of the training images it "
            "recognizes 55.0 % in its best epoch, 3",
        ),
        (
            {"measures": {"accuracy": 50.0, "training_accuracy": 90.0}},
            "trained to the end, it overfits: of the training images it recognizes 90.0 % in its best epoch, 3",
        ),
    ],
)
def test_reason_tells_how_far_the_training_got(changes, expected):
    assert sentence(replace(RESULT, **changes), ("accuracy", 64.53)) == f"`x`: {expected}."


def test_reason_of_macro_measures_names_the_rare_class():
    found = sentence(RESULT, ("macro_recall", 56))
    assert found.endswith(
        "; fear has 10 of 1,000 training images and a recall of 1.0 %, and the mean recall of the other classes is "
        "70.0 % instead of 47.0 % with it."
    )


def test_reason_of_changed_images_counts_draws():
    found = sentence(RESULT, ("brightness.0.5", 66.7), ("brightness.3", 30.0))
    assert found.startswith(
        "`x`: 1 of the paper's 2 better numbers are within 90 % of our 500 draws, not those for brightness.3; trained"
    )


def test_only_worse_numbers_need_a_reason():
    rows = [
        Row("", "x", *each) for each in (("accuracy", 50.0), ("validation_loss", 1.2), ("macro_f1", 99), ("ece", None))
    ]
    assert reasons.sentences(rows, {"x": RESULT}) == []
    assert reasons.sentences([Row("", "y", "accuracy", 99.0)], {"x": RESULT}) == []
    assert "`x`" in sentence(RESULT, ("validation_loss", 0.98))
