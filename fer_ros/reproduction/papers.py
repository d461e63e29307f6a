# SPDX-License-Identifier: Apache-2.0
"""The five papers: each table and figure, the command that makes its counterpart here, and the published numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fer_ros.emotion.labels import FER2013

FER2013_DATA = "fer2013.csv"
"""Stands for FER2013 in the commands."""
RUNS = "out/papers"
"""Default folder of the runs."""


@dataclass(frozen=True)
class Row:
    """One published number."""

    label: str
    experiment: str
    measure: str
    """Key of `Result.measures`."""
    published: float | None
    """In percent, except losses; None where the paper shows a picture or gives none."""


@dataclass(frozen=True)
class Item:
    """One table, figure or statement of a paper."""

    title: str
    command: str
    rows: tuple[Row, ...] = ()
    remark: str = ""
    """How the paper's number and ours differ in what they measure, or what the figure shows."""


@dataclass(frozen=True)
class Paper:
    """One paper."""

    letter: str
    author: str
    title: str
    items: tuple[Item, ...]


def _train(*names: str) -> str:
    return f"fer-reproduce {' '.join(names)} --data {FER2013_DATA}"


def _evaluate(name: str, *options: str) -> str:
    return " ".join([f"fer-evaluate --model {RUNS}/{name} --data {FER2013_DATA} --split validation", *options])


def _by_class(experiment: str, measures: Mapping[str, Iterable[float]]) -> tuple[Row, ...]:
    """Return rows of published percentages in the order of FER2013's labels."""
    return tuple(
        Row(f"{label}, {measure}", experiment, f"{label}.{measure}", value)
        for measure, values in measures.items()
        for label, value in zip(FER2013, values, strict=True)
    )


def _accuracy(label: str, experiment: str, published: float | None) -> Row:
    return Row(label, experiment, "accuracy", published)


def _perturbed(kind: str, unit: str, published: Mapping[str, float]) -> tuple[Row, ...]:
    """Return rows of accuracies of 21 recognized images."""
    return tuple(
        Row(f"{value}{unit}", "lyu_width_8", f"{kind}.{value}", accuracy) for value, accuracy in published.items()
    )


_LITE = "vo_lite_xception"
CLASSES_OF_VO = {
    "recall": (61, 55, 37, 89, 50, 74, 65),
    "misclassification": (49, 35, 49, 19, 46, 23, 38),
    "precision": (51, 65, 51, 81, 54, 77, 62),
    "f1": (56, 59, 42, 85, 52, 75, 63),
}
"""Of lite-XceptionFCNet (Vo and Vo) by measure, percent, in the order of FER2013's labels."""
_YANG = {
    3: (47, 53, 56, 46, 61, 47, 51),
    4: (48, 49, 56, 46, 56, 48, 50),
    5: (43, 47, 51, 41, 55, 43, 46),
    6: (48, 52, 56, 47, 59, 48, 51),
}
"""Accuracy, macro precision, recall and F1, and weighted precision, recall and F1 by number of layers, percent."""
_YANG_MEASURES = (
    *("accuracy", "macro_precision", "macro_recall", "macro_f1"),
    *("weighted_precision", "weighted_recall", "weighted_f1"),
)

VO = Paper(
    "A",
    "Vo, Vo",
    "Facial Expression Recognition: A Lite Deep Learning Based Approach",
    (
        Item(
            "Accuracy of lite-XceptionFCNet",
            _train(_LITE),
            (_accuracy("FER2013", _LITE, 64.53),),
            "The class sizes in the paper are those of PublicTest and PrivateTest together, ours is PublicTest. The "
            "network is a reconstruction, and how it was trained is not published.",
        ),
        Item(
            "Table of the classes",
            _evaluate(_LITE),
            _by_class(_LITE, CLASSES_OF_VO),
            "The paper calls the recall of a class its accuracy, and 1 - precision its misclassification.",
        ),
        Item(
            "Figures of the confusion matrix and of misclassified faces",
            _evaluate(_LITE),
            remark="Written into `out/evaluation`.",
        ),
        Item(
            "Figures of results on images",
            f"fer-annotate photos/ --model {RUNS}/{_LITE}/best.pt",
            remark="The paper aligns faces by their eyes: `align.by_eyes` of the node, `--align` of fer-annotate.",
        ),
    ),
)

_ROTATIONS = {"1": 95.2, "4": 90.5, "8": 80.9, "10": 76.2, "15": 57.1, "30": 42.9, "45": 28.6}
_BRIGHTNESSES = {
    **{"0.3": 66.7, "0.5": 76.2, "0.7": 85.7, "0.9": 95.2, "1.1": 100.0},
    **{"1.2": 85.7, "1.3": 80.9, "1.4": 61.9, "1.5": 57.1, "1.8": 14.3},
}
_TWENTY_ONE = (
    "Lyu shows 21 images, three of each class, that the network of the fourth recipe recognizes, perturbed in MATLAB "
    "(black corners, nearest neighbor). Ours is the mean over 500 draws of 21 such images; one image is 4.8 points, so "
    "a single draw decides more than the network: the command prints the spread."
)

LYU = Paper(
    "B",
    "Lyu",
    "Facial Expression Recognition based on Mini_Xception",
    (
        Item(
            "Table of the widths",
            _train("lyu_width_8", "lyu_width_64", "lyu_width_64_sgd"),
            (
                _accuracy("8 to 128, accuracy", "lyu_width_8", 50.6),
                Row("8 to 128, precision", "lyu_width_8", "macro_precision", 44.3),
                Row("8 to 128, recall", "lyu_width_8", "macro_recall", 51.2),
                _accuracy("8 to 128 with SGD, accuracy", "lyu_width_8_sgd", None),
                _accuracy("64 to 1024, accuracy", "lyu_width_64", 53.6),
                Row("64 to 1024, precision", "lyu_width_64", "macro_precision", 60.6),
                Row("64 to 1024, recall", "lyu_width_64", "macro_recall", 52.2),
                _accuracy("64 to 1024 with SGD, accuracy", "lyu_width_64_sgd", None),
            ),
            "The paper reports PrivateTest and does not name its optimizer.",
        ),
        Item(
            "Table of the recipes, 64 to 1024 channels",
            _train("lyu_width_64", "lyu_batch_15", "lyu_batch_15_rate_0001", "lyu_batch_15_rate_0001_150_epochs"),
            (
                _accuracy("batch 40, rate 0.01, 100 epochs", "lyu_width_64", 53.6),
                _accuracy("batch 15, rate 0.01, 100 epochs", "lyu_batch_15", 56.7),
                _accuracy("batch 15, rate 0.001, 100 epochs", "lyu_batch_15_rate_0001", 60.1),
                _accuracy("batch 15, rate 0.001, 150 epochs", "lyu_batch_15_rate_0001_150_epochs", 61.9),
            ),
        ),
        Item(
            "The same recipes with 8 to 128 channels",
            _train(
                "lyu_width_8_batch_15", "lyu_width_8_batch_15_rate_0001", "lyu_width_8_batch_15_rate_0001_150_epochs"
            ),
            (
                _accuracy("batch 40, rate 0.01, 100 epochs", "lyu_width_8", 50.6),
                _accuracy("batch 15, rate 0.01, 100 epochs", "lyu_width_8_batch_15", None),
                _accuracy("batch 15, rate 0.001, 100 epochs", "lyu_width_8_batch_15_rate_0001", None),
                _accuracy("batch 15, rate 0.001, 150 epochs", "lyu_width_8_batch_15_rate_0001_150_epochs", None),
            ),
            "Not in the paper: what its recipes are worth without the cost of its wide network.",
        ),
        Item(
            "Table of the rotations",
            _evaluate("lyu_width_8", "--robustness"),
            _perturbed("rotation_black", "°", _ROTATIONS),
            _TWENTY_ONE,
        ),
        Item(
            "Table of the brightness",
            _evaluate("lyu_width_8", "--robustness"),
            _perturbed("brightness", " times", _BRIGHTNESSES),
            "As for the rotations; above a factor of 2 the paper has less than 9.5 %.",
        ),
    ),
)

RAO = Paper(
    "C",
    "Rao et al.",
    "A Light Weight Convolution Neural Network For Real time Facial Expression Detection",
    (
        Item(
            "Accuracy of mini-Xception on FER2013",
            _train("rao_mini_xception"),
            (
                Row("training images", "rao_mini_xception", "training_accuracy", 71.0),
                _accuracy("test images", "rao_mini_xception", 67.0),
                Row("validation loss", "rao_mini_xception", "validation_loss", 0.98),
            ),
            "Ours is PublicTest; the training accuracy is that during the best epoch, with augmentation and dropout.",
        ),
        Item(
            "Confusion matrix on FER2013",
            _evaluate("rao_mini_xception"),
            _by_class("rao_mini_xception", {"recall": (62, 55, 40, 88, 53, 75, 65)}),
        ),
        Item(
            "Accuracy of mini-Xception on KDEF",
            "fer-reproduce rao_mini_xception_kdef --data kdef=KDEF/",
            (
                Row("training images", "rao_mini_xception_kdef", "training_accuracy", 96.93),
                _accuracy("test images", "rao_mini_xception_kdef", 87.71),
                Row("validation loss", "rao_mini_xception_kdef", "validation_loss", 0.6224),
            ),
        ),
        Item(
            "Table and figures of the networks compared",
            _train("rao"),
            (
                _accuracy("mini-Xception", "rao_mini_xception", 67.0),
                _accuracy("VGG", "rao_vgg", 59.32),
                _accuracy("ResNet-50", "rao_resnet50", 57.48),
                _accuracy("CNN", "rao_cnn", 58.90),
                _accuracy("DenseNet-1", "rao_densenet", 70.91),
            ),
            "The CNN is not described; ours has four convolutions. Augmentation, batch and rate are not published and "
            "are the same in all five recipes.",
        ),
        Item(
            "Tables of the layers and of the resources, figures of accuracy by model and by parameters",
            f"fer-compare {RUNS}/rao_mini_xception {RUNS}/rao_cnn {RUNS}/rao_densenet --data {FER2013_DATA}",
            remark="The layers of every network are fixed by a test: 15 / 9 / 0 convolutions, poolings (with strided "
            "shortcuts) and fully connected layers in mini-Xception, 36 / 4 / 1 in DenseNet-1, 10 / 4 / 3 in VGG-13.",
        ),
        Item("Figures of the learning curves", _train("rao_mini_xception"), remark="`curves.png` in the run's folder."),
        Item(
            "Figures of the detectors: faces found by OpenCV and MTCNN, true positive rate on WIDER FACE",
            "fer-detect wider/ --detectors viola_jones mtcnn --truth wider_face_val_bbx_gt.txt",
            remark="WIDER FACE was not available here.",
        ),
        Item(
            "Figure of covered and tilted faces",
            _evaluate("rao_mini_xception", "--robustness"),
            remark="The command also writes an example of each change.",
        ),
    ),
)

YANG = Paper(
    "D",
    "Yang, Zhang, Zheng",
    "Recognizing facial emotion leveraging convolutional neural network",
    (
        Item(
            "Table of 3 to 6 convolution layers",
            _train("yang"),
            tuple(
                Row(f"{layers} layers, {measure.replace('_', ' ')}", f"yang_cnn_{layers}", measure, value)
                for layers, values in _YANG.items()
                for measure, value in zip(_YANG_MEASURES, values, strict=True)
            ),
            "As in the paper, 4,710 of the training images are held out, and the best epoch is chosen on them. The "
            "networks' widths, dropouts and training are not published.",
        ),
        Item(
            "Figures of the curves and of the confusion matrix",
            _train("yang"),
            remark="`curves.png` and `confusion_matrix.png` in the folder of each run.",
        ),
        Item("Prediction from a camera and from files", "make demo INPUT=0", remark="Also `fer-annotate photos/`."),
    ),
)

DING = Paper(
    "E",
    "Ding, Tang, Lu",
    "Investigation on Light-Weight Deep Learning Model for Emotion Recognition Using Facial Expressions",
    (
        Item(
            "MEAD, RAVDESS and SAVEE",
            "fer-reproduce ding --data mead=MEAD/ ravdess=RAVDESS/ savee=SAVEE/",
            (
                _accuracy("MEAD, accuracy", "ding_dropout_03_mead", 97.0),
                Row("MEAD, F1", "ding_dropout_03_mead", "macro_f1", 97.0),
                _accuracy("RAVDESS, accuracy", "ding_dropout_03_ravdess", 92.0),
                Row("RAVDESS, F1", "ding_dropout_03_ravdess", "macro_f1", 92.0),
                _accuracy("SAVEE with dropouts of 0.5 and L1, accuracy", "ding_dropout_05_l1_savee", 94.0),
                Row("SAVEE with dropouts of 0.5 and L1, F1", "ding_dropout_05_l1_savee", "macro_f1", 92.0),
                _accuracy("SAVEE without", "ding_dropout_03_savee", None),
            ),
            "Split by image, as in the paper: frames of one video are in both parts, which flatters. These data sets "
            "were not available here.",
        ),
    ),
)

PAPERS = (VO, LYU, RAO, YANG, DING)
