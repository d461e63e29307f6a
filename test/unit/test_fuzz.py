# SPDX-License-Identifier: Apache-2.0
"""Readers of input of unknown origin: properties for arbitrary input, and what fuzzing found before.

`make fuzz` runs the same targets for as long as one likes.
"""

import random
import struct
from pathlib import Path

import numpy as np
import pytest
from fuzz import mutations, targets
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_ros.media import encodings
from fer_ros.media.encodings import RawImage
from fer_ros.media.image_header import FILE_FORMATS, ImageError, check_header
from fer_ros.people.camera_model import CameraModel
from fer_ros.training.recipe import RecipeError, load, parse
from fer_ros.types import Box

FINDINGS = sorted((Path(targets.__file__).parent / "findings").glob("*/*"))
SHORT = settings(max_examples=100, deadline=None, derandomize=True, database=None)

numbers = st.floats(width=64) | st.sampled_from([0.0, 1.0, 500.0, -1.0, 1e-300, 1e300])
yaml_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)
recipe_keys = st.sampled_from(
    ["epochs", "learning_rate", "teachers", "augmentation", "stages", "seed", "network_options"]
)


@pytest.mark.parametrize("name", targets.TARGETS)
def test_target_accepts_a_valid_input(name):
    assert any(targets.run(name, content) for content in targets.TARGETS[name].seeds())


@pytest.mark.parametrize("name", targets.TARGETS)
def test_target_survives_mutated_inputs(name):
    draw, seeds = random.Random(1), targets.TARGETS[name].seeds()
    for _ in range(150):
        targets.run(name, mutations.mutate(seeds, draw))


@pytest.mark.parametrize("path", FINDINGS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_earlier_finding_is_refused_or_read(path):
    by_folder = {name.replace(" ", "_"): name for name in targets.TARGETS}
    targets.run(by_folder[path.parent.name], path.read_bytes())


@SHORT
@given(st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"P5 ", b"P3\n", b""]), st.binary(max_size=300))
def test_check_header_refuses_arbitrary_bytes(signature, content):
    with pytest.raises(ImageError) as raised:
        check_header(signature + content, formats=FILE_FORMATS)
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 300


@SHORT
@given(
    data=st.binary(max_size=400),
    height=st.integers(0, 2**32 - 1) | st.integers(0, 12),
    width=st.integers(0, 2**32 - 1) | st.integers(0, 12),
    encoding=st.sampled_from(encodings.SUPPORTED) | st.text(max_size=20),
    step=st.integers(0, 2**32 - 1) | st.integers(0, 100),
    is_bigendian=st.booleans(),
)
def test_raw_images_are_converted_or_refused(data, height, width, encoding, step, is_bigendian):
    raw = RawImage(data, height, width, encoding, step, is_bigendian)
    try:
        gray, bgr = encodings.gray(raw), encodings.bgr(raw)
    except ImageError as error:
        message = str(error)
        assert message.isprintable()
    else:
        assert (gray.shape, bgr.shape) == ((height, width), (height, width, 3))


@SHORT
@given(
    k=st.lists(numbers, min_size=9, max_size=9),
    d=st.lists(numbers, max_size=14),
    p=st.lists(numbers, min_size=12, max_size=12),
    model=st.sampled_from(["", "plumb_bob", "rational_polynomial", "equidistant", "thin_prism"]),
    rectified=st.booleans(),
    box=st.tuples(*4 * [st.integers(-(2**40), 2**40)]),
    face_width=numbers,
)
def test_positions_are_finite_or_none(k, d, p, model, rectified, box, face_width):
    try:
        camera = CameraModel(640, 480, k, d, model, p, rectified=rectified)
    except ValueError as error:
        message = str(error)
        assert message.isprintable()
        return
    position = camera.position(Box(*box), face_width)
    assert position is None or np.isfinite(position).all()


@SHORT
@given(
    signs=st.tuples(*6 * [st.sampled_from([0.01, -0.3, 0.5, 1.0])]),
    box=st.tuples(*4 * [st.integers(-5000, 5000)]),
    fisheye=st.booleans(),
)
def test_positions_of_distorting_lenses_are_finite_or_none(signs, box, fisheye):
    k = (500.0, 0.0, 320.0, 0.0, 500.0, 240.0, 0.0, 0.0, 1.0)
    model, count = ("equidistant", 4) if fisheye else ("plumb_bob", 5)
    position = CameraModel(640, 480, k, signs[:count], model).position(Box(*box))
    assert position is None or np.isfinite(position).all()


@SHORT
@given(st.dictionaries(recipe_keys | st.text(max_size=10), yaml_values, max_size=4), st.booleans())
def test_recipes_are_parsed_or_refused(keys, with_network):
    try:
        parse({"network": "mini_xception", **keys} if with_network else keys, Path("/"))
    except RecipeError as error:
        message = str(error)
        assert len(message) < 1000


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe",
        b"a: " + 500 * b"[",
        b"a: 2001-99-99",
        b"!!int ''",
        b"epochs: " + 5000 * b"9",
        b"root:x:0:0:secret line\n:::",
        b"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nepochs: *c\nnetwork: mini_xception",
        b"x" * (1 << 17),
    ],
)
def test_malformed_recipe_is_refused_in_one_short_line(tmp_path, content):
    (tmp_path / "odd.yaml").write_bytes(content)
    with pytest.raises(RecipeError) as raised:
        load(str(tmp_path / "odd.yaml"))
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 500
    assert "secret" not in str(raised.value)


def test_alias_bomb_in_a_recipe_gives_a_short_message(tmp_path):
    levels = "".join(f"l{i}: &l{i} [{', '.join(9 * [f'*l{i - 1}'])}]\n" for i in range(1, 9))
    (tmp_path / "bomb.yaml").write_text(f"l0: &l0 [x, x]\n{levels}network: mini_xception\nepochs: *l8\n")
    assert not targets.run("recipe", (tmp_path / "bomb.yaml").read_bytes())
    keys = {"network": "mini_xception", "epochs": [["x"] * 1000] * 1000}
    with pytest.raises(RecipeError) as raised:
        parse(keys, tmp_path)
    assert len(str(raised.value)) < 500


def test_mutations_are_deterministic():
    seeds = targets.TARGETS["camera_info"].seeds()
    first, second = (mutations.mutate(seeds, random.Random(7)) for _ in range(2))
    assert first == second
    assert struct.calcsize("<50d") == 400
