"""Every architecture has the shapes and the number of parameters that its source gives."""

import zipfile

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

SMALL = ["mini_xception", "mini_xception_width", "lite_xception", "res_se", "cnn_layers", "acted_cnn", "densenet"]
OPTIONS = {"mini_xception_width": {"width": 16}}
"""Less than the default where that is large, for speed."""


def trainable(network):
    return sum(values.numel() for values in network.parameters())


def statistics(network):
    """Batch norm's running means and variances; papers that use Keras count them among the parameters."""
    return sum(values.numel() for values in network.buffers() if values.is_floating_point())


@pytest.mark.parametrize(
    ("name", "options", "classes", "total", "of_them_trainable"),
    [
        ("mini_xception", {}, 7, 58_423, 56_951),
        ("mini_xception_width", {"width": 8}, 7, 58_423, 56_951),
        ("mini_xception_width", {"width": 64}, 7, 2_936_711, 2_924_935),
        ("lite_xception", {}, 7, 488_583, 486_631),
        ("res_se", {}, 7, 469_565, 467_677),
        ("cnn_layers", {"layers": 3}, 7, 684_199, 683_751),
        ("cnn_layers", {"layers": 4}, 7, 389_799, 389_095),
        ("cnn_layers", {"layers": 5}, 7, 833_191, 831_975),
        ("cnn_layers", {"layers": 6}, 7, 1_424_039, 1_422_311),
        ("acted_cnn", {}, 8, 542_136, 542_136),
        ("densenet", {}, 7, 98_779, 95_515),
        ("vgg", {}, 7, 33_637_447, 33_628_999),
        ("resnet50", {}, 7, 23_569_223, 23_516_103),
    ],
)
def test_the_number_of_parameters_is_exact(name, options, classes, total, of_them_trainable):
    with torch.device("meta"):  # counts without filling a hundred megabytes of weights
        network = create(name, classes, **options)
    assert trainable(network) == of_them_trainable
    assert trainable(network) + statistics(network) == total


@pytest.mark.parametrize("name", ["lite_xception", "res_se"])
def test_the_larger_networks_of_robots_stay_within_the_papers_size(name):
    network = create(name, 7)
    assert trainable(network) + statistics(network) <= 488_700


XCEPTION_MAPS = [(8, 44, 44), (16, 22, 22), (32, 11, 11), (64, 6, 6), (128, 3, 3)]


@pytest.mark.parametrize(
    ("name", "options", "maps"),
    [
        ("mini_xception", {}, XCEPTION_MAPS),
        ("lite_xception", {}, XCEPTION_MAPS),
        ("mini_xception_width", {"width": 2}, [(2, 44, 44), (4, 22, 22), (8, 11, 11), (16, 6, 6), (32, 3, 3)]),
        ("res_se", {}, [(24, 48, 48), (24, 24, 24), (64, 12, 12), (96, 6, 6)]),
        ("cnn_layers", {"layers": 6}, [(32, 24, 24), (64, 12, 12), (128, 6, 6), (128, 3, 3)] + 2 * [(256, 3, 3)]),
        ("densenet", {}, [(20, 48, 48), (70, 48, 48), (85, 24, 24), (92, 12, 12)]),
        ("acted_cnn", {}, [(16, 90, 90), (64, 45, 45), (64, 22, 22)]),
    ],
)
def test_the_maps_have_the_sizes_of_the_source(name, options, maps):
    network = create(name, 7, **options).eval()
    size = networks.input_size(name) or 48
    values = torch.zeros(1, 1, size, size)
    steps = ([network.stem] if hasattr(network, "stem") else []) + list(network.stages)
    seen = []
    for step in steps:
        values = step(values)
        seen.append(tuple(values.shape[1:]))
    assert seen == maps


@pytest.mark.parametrize("name", [*SMALL, "vgg", "resnet50"])
def test_a_face_has_the_same_logits_alone_and_among_others(name):
    size = networks.input_size(name) or 48
    network, faces = create(name, 5, **OPTIONS.get(name, {})).eval(), torch.rand(4, 1, size, size)
    with torch.inference_mode():
        together, alone = network(faces), network(faces[:1])
    assert together.shape == (4, 5)
    assert torch.allclose(together[:1], alone, atol=1e-4)


@pytest.mark.parametrize("name", SMALL)
def test_a_model_file_of_the_network_gives_its_scores(tmp_path, name):
    torch.manual_seed(0)
    network = create(name, 7, **OPTIONS.get(name, {}))
    preprocessing = Preprocessing(input_size=networks.input_size(name) or 48)
    crops = np.random.default_rng(0).integers(0, 255, (3, preprocessing.input_size, preprocessing.input_size), np.uint8)
    batch = torch.from_numpy(preprocessing.batch(crops))
    # One pass in training moves the statistics of batch norm off their start, where mistakes with them would not show.
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
"""All of them in torch 1.10 as they are today."""


def assert_old_torch_reads(path):
    """A robot's torch is years older than the one that wrote the file: nothing in it may be newer than both."""
    with zipfile.ZipFile(path) as archive:
        (version,) = [archive.read(name) for name in archive.namelist() if name.endswith("/version")]
    # Raised by torch only for a file that needs it; 3 is read since 1.5.
    assert int(version) <= 3
    used = torch.jit.export_opnames(torch.jit.load(str(path)))
    assert {name.removeprefix("aten::") for name in used} <= OLD_OPERATORS


def test_an_unknown_network_is_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match=r"no network 'lite_exception', did you mean 'lite_xception'"):
        create("lite_exception", 7)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("mini_xception", {"width": 8}, "'mini_xception'.*width"),
        ("mini_xception_width", {"width": 0}, "'mini_xception_width': width must be at least 1"),
        ("cnn_layers", {"layers": 7}, "'cnn_layers': layers must be from 3 to 6, not 7"),
        ("densenet", {"growth": 0}, "growth and layers must be at least 1, not 0 and 5"),
        ("cnn_layers", {"layers": 2}, "layers must be from 3 to 6, not 2"),
    ],
)
def test_an_option_that_does_not_fit_is_named(name, options, message):
    with pytest.raises(ValueError, match=message):
        create(name, 7, **options)
