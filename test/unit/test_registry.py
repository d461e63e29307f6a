# SPDX-License-Identifier: Apache-2.0
"""The registry that all kinds of plug-ins share."""

from dataclasses import dataclass

import pytest

from fer_ros.registry import Entry, NoOptions, Registry


@dataclass(frozen=True)
class Size:
    """Options of a toy plug-in."""

    width: int = 3
    height: int = 2


@pytest.fixture
def registry():
    toys = Registry("toy")
    toys.register("area", Entry(lambda size: size.width * size.height, Size))
    toys.register("broken", Entry(_missing, install="pip install no-such-package"))
    return toys


def _missing(options):
    import no_such_module  # noqa: F401


def test_registry_creates_with_defaults_and_options(registry):
    assert registry.create("area") == 6
    assert registry.create("area", Size(5, 5)) == 25


def test_registry_lists_names_in_order(registry):
    assert registry.names == tuple(registry) == ("area", "broken")
    assert len(registry) == 2
    assert "area" in registry
    assert "other" not in registry


def test_registry_selects_the_options_an_entry_has(registry):
    assert registry.select_options("area", {"width": 7, "color": "red"}) == Size(7, 2)


def test_registry_names_the_nearest_entry(registry):
    with pytest.raises(ValueError, match="unknown toy 'aera', did you mean 'area'; available: area, broken"):
        registry.create("aera")


def test_registry_names_what_to_install(registry):
    with pytest.raises(ImportError, match=r"toy 'broken' needs .*no_such_module.*: pip install no-such-package"):
        registry.create("broken")


def test_registry_rejects_options_of_another_entry(registry):
    with pytest.raises(TypeError, match="toy 'area' takes Size as its options, not NoOptions"):
        registry.create("area", NoOptions())


def test_registry_rejects_a_taken_name(registry):
    with pytest.raises(ValueError, match="toy 'area' is registered already"):
        registry.register("area", Entry(_missing))
    registry.unregister("broken")
    registry.register("broken", Entry(lambda options: 1))
    assert registry.create("broken") == 1
