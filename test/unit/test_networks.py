# SPDX-License-Identifier: Apache-2.0
"""Each network has the map sizes and the number of parameters of its source, and is created by name."""

import zipfile
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from fer_ros import networks
from fer_ros.emotion import model_file
from fer_ros.emotion.classifier import Classifier
from fer_ros.emotion.labels import FER2013
from fer_ros.emotion.model_file import ModelMetadata
from fer_ros.emotion.preprocessing import Preprocessing
from fer_ros.networks import create
from fer_ros.networks.layer_counts import LayerCounts, layer_counts
from fer_ros.registry import Entry

SMALL = ["mini_xception", "lite_xception", "res_se", "cnn_layers", "acted_cnn", "densenet"]


def trainable(network):
    return sum(values.numel() for values in network.parameters())


def statistics(network):
    """Count batch norm's running means and variances, which papers that use Keras count among the parameters."""
    return sum(values.numel() for values in network.buffers() if values.is_floating_point())


@pytest.mark.parametrize(
    ("name", "options", "classes", "total", "trainable_parameters"),
    [
        ("mini_xception", {}, 7, 58_423, 56_951),
        ("mini_xception", {"width": 8}, 7, 58_423, 56_951),
        ("mini_xception", {"width": 64, "first_width": 32}, 7, 2_917_863, 2_906_151),
        ("lite_xception", {}, 7, 488_727, 480_855),
        ("res_se", {}, 7, 469_565, 467_677),
        ("cnn_layers", {"layers": 3}, 7, 684_199, 683_751),
        ("cnn_layers", {"layers": 4}, 7, 389_799, 389_095),
        ("cnn_layers", {"layers": 5}, 7, 833_191, 831_975),
        ("cnn_layers", {"layers": 6}, 7, 1_424_039, 1_422_311),
        ("acted_cnn", {}, 8, 542_136, 542_136),
        ("densenet", {}, 7, 95_263, 91_727),
        ("vgg", {}, 7, 8_756_679, 8_756_679),
        ("resnet50", {}, 7, 23_569_223, 23_516_103),
    ],
)
def test_number_of_parameters_matches_source(name, options, classes, total, trainable_parameters):
    with torch.device("meta"):  # counts without allocating the weights
        network = create(name, classes, **options)
    assert trainable(network) == trainable_parameters
    assert trainable(network) + statistics(network) == total


@pytest.mark.parametrize(
    ("name", "options", "convolutions", "strided_shortcuts", "poolings", "fully_connected"),
    [
        ("mini_xception", {}, 15, 4, 5, 0),  # Rao et al.: 15, and 9 poolings with the strided shortcuts
        ("lite_xception", {}, 38, 4, 5, 1),
        ("res_se", {}, 28, 3, 7, 1),
        ("cnn_layers", {"layers": 3}, 3, 0, 3, 2),
        ("cnn_layers", {"layers": 6}, 6, 0, 4, 2),
        ("acted_cnn", {}, 3, 0, 3, 2),
        ("densenet", {}, 36, 0, 4, 1),
        ("vgg", {}, 10, 0, 4, 3),
        ("resnet50", {}, 53, 3, 2, 1),  # Rao et al.: 49, without the shortcuts
    ],
)
def test_layers_by_kind_match_source(name, options, convolutions, strided_shortcuts, poolings, fully_connected):
    with torch.device("meta"):
        network = create(name, 7, **options)
    assert layer_counts(network) == LayerCounts(convolutions, strided_shortcuts, poolings, fully_connected)


XCEPTION_MAPS = [(8, 44, 44), (16, 22, 22), (32, 11, 11), (64, 6, 6), (128, 3, 3)]


@pytest.mark.parametrize(
    ("name", "options", "maps"),
    [
        ("mini_xception", {}, XCEPTION_MAPS),
        ("lite_xception", {}, XCEPTION_MAPS),
        ("mini_xception", {"width": 2}, [(2, 44, 44), (4, 22, 22), (8, 11, 11), (16, 6, 6), (32, 3, 3)]),
        ("res_se", {}, [(24, 48, 48), (24, 24, 24), (64, 12, 12), (96, 6, 6)]),
        ("cnn_layers", {"layers": 6}, [(32, 24, 24), (64, 12, 12), (128, 6, 6), (128, 3, 3)] + 2 * [(256, 3, 3)]),
        ("densenet", {}, [(64, 24, 24), (96, 24, 24), (80, 12, 12), (72, 6, 6), (68, 3, 3)]),
        ("vgg", {}, [(64, 32, 32), (128, 16, 16), (256, 8, 8), (256, 4, 4)]),
        (
            "mini_xception",
            {"width": 4, "first_width": 2},
            [(4, 44, 44), (8, 22, 22), (16, 11, 11), (32, 6, 6), (64, 3, 3)],
        ),
        ("acted_cnn", {}, [(16, 90, 90), (64, 45, 45), (64, 22, 22)]),
    ],
)
def test_map_sizes_match_source(name, options, maps):
    network = create(name, 7, **options).eval()
    size = networks.input_size(name) or 48
    values = torch.zeros(1, 3 if name == "densenet" else 1, size, size)
    steps = ([network.stem] if hasattr(network, "stem") else []) + list(network.stages)
    seen = []
    for step in steps:
        values = step(values)
        seen.append(tuple(values.shape[1:]))
    assert seen == maps


@pytest.mark.parametrize("name", [*SMALL, "vgg", "resnet50"])
def test_logits_do_not_depend_on_the_batch(name):
    size = networks.input_size(name) or 48
    network, faces = create(name, 5).eval(), torch.rand(4, 1, size, size)
    with torch.inference_mode():
        together, alone = network(faces), network(faces[:1])
    assert together.shape == (4, 5)
    assert torch.allclose(together[:1], alone, atol=1e-4)


@pytest.mark.parametrize("name", SMALL)
def test_model_file_gives_the_scores_of_the_network(tmp_path, name):
    torch.manual_seed(0)
    network = create(name, 7)
    preprocessing = Preprocessing(input_size=networks.input_size(name) or 48)
    crops = np.random.default_rng(0).integers(0, 255, (3, preprocessing.input_size, preprocessing.input_size), np.uint8)
    batch = torch.from_numpy(preprocessing.batch(crops))
    # One pass in training mode changes the batch-norm statistics: their initial values would hide mistakes.
    network.train()(batch)
    path = tmp_path / "m.pt"
    model_file.write(path, network, ModelMetadata(name, FER2013, preprocessing))
    with torch.inference_mode():
        expected = torch.softmax(network.eval()(batch), 1).numpy()
    assert np.allclose(Classifier(path).scores(crops), expected, atol=1e-5)
    assert_old_torch_reads(path)


OLD_OPERATORS = {
    *("_convolution", "adaptive_avg_pool2d", "add.Tensor", "avg_pool2d", "batch_norm", "cat", "dropout"),
    *("flatten.using_ints", "linear", "max_pool2d", "mul.Tensor", "relu", "relu_", "sigmoid"),
}
"""Operators that torch 1.10 has with today's signatures."""


def assert_old_torch_reads(path):
    """Fail where the file uses an archive version or an operator that torch 1.10 on a robot does not have."""
    with zipfile.ZipFile(path) as archive:
        (version,) = [archive.read(name) for name in archive.namelist() if name.endswith("/version")]
    # torch raises the version only where the content needs it; version 3 is readable since torch 1.5.
    assert int(version) <= 3
    used = torch.jit.export_opnames(torch.jit.load(str(path)))
    assert {name.removeprefix("aten::") for name in used} <= OLD_OPERATORS


def test_unknown_network_names_the_nearest():
    with pytest.raises(ValueError, match=r"unknown network 'lite_exception', did you mean 'lite_xception'"):
        create("lite_exception", 7)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("lite_xception", {"width": 8}, "'lite_xception' has no option 'width', and no other"),
        (
            "mini_xception",
            {"widht": 8},
            "'mini_xception' has no option 'widht', did you mean 'width'; available: width, first_width",
        ),
        ("mini_xception", {"width": "8"}, "width must be of type int, not '8'"),
        ("mini_xception", {"width": 0}, "'mini_xception': width must be at least 1"),
        ("mini_xception", {"first_width": -1}, "'mini_xception': first_width must be at least 0, not -1"),
        ("cnn_layers", {"layers": 7}, "'cnn_layers': layers must be from 3 to 6, not 7"),
        ("densenet", {"growth": 0}, "growth and layers must be at least 1, not 0 and 4"),
        ("cnn_layers", {"layers": 2}, "layers must be from 3 to 6, not 2"),
    ],
)
def test_unusable_option_is_named(name, options, message):
    with pytest.raises(ValueError, match=message):
        create(name, 7, **options)


def test_shipped_models_have_the_weights_of_their_network():
    for name in ("mini_xception", "res_se"):
        path = model_file.find(name, (".pt",))
        metadata = model_file.read_metadata(path)
        network = create(metadata.network, len(metadata.labels), **metadata.network_options)
        network.load_state_dict(torch.jit.load(str(path)).state_dict())


def test_network_of_another_package_is_created_by_name():
    class Toy(torch.nn.Sequential):
        def __init__(self, classes, hidden):
            super().__init__(torch.nn.Flatten(), torch.nn.LazyLinear(hidden), torch.nn.LazyLinear(classes))

    @dataclass(frozen=True)
    class ToyOptions:
        hidden: int = 3

    networks.NETWORKS.register("toy", Entry(lambda options, classes: Toy(classes, options.hidden), ToyOptions))
    try:
        assert create("toy", 4, hidden=5)(torch.zeros(2, 1, 8, 8)).shape == (2, 4)
        assert networks.input_size("toy") is None
    finally:
        networks.NETWORKS.unregister("toy")
