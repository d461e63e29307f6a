# SPDX-License-Identifier: Apache-2.0
"""Assigning boxes to boxes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

from fer_ros.faces.matching import count_matches, linear_sum_assignment
from fer_ros.types import Box


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (4, 1), (2, 2), (3, 5), (6, 4), (9, 9), (30, 20)])
@pytest.mark.parametrize("digits", [0, 1, 12], ids=["many equal costs", "some equal costs", "no equal costs"])
def test_assignment_has_the_cost_of_scipy(shape, digits):
    random = np.random.default_rng(7)
    for _ in range(20):
        costs = random.uniform(-3, 3, shape).round(digits)
        costs[random.random(shape) < 0.3] = 1e6  # forbidden pairs, as the tracker marks them
        pairs = linear_sum_assignment(costs)
        rows, columns = zip(*pairs, strict=True)
        assert len(set(rows)) == len(set(columns)) == min(shape)
        assert list(rows) == sorted(rows)
        assert costs[rows, columns].sum() == pytest.approx(costs[optimize.linear_sum_assignment(costs)].sum())


def test_assignment_prefers_smallest_sum_to_cheapest_pair():
    assert linear_sum_assignment(np.array([[0.0, 1.0], [0.1, 9.0]])) == [(0, 1), (1, 0)]


def test_assignment_without_rows_or_columns_is_empty():
    assert linear_sum_assignment(np.empty((0, 3))) == linear_sum_assignment(np.empty((3, 0))) == []


def test_count_matches_uses_each_box_once():
    first = [Box(0, 0, 100, 100), Box(10, 0, 100, 100), Box(500, 0, 100, 100)]
    second = [Box(5, 0, 100, 100), Box(300, 0, 100, 100)]
    assert count_matches(first, second) == count_matches(second, first) == 1
    assert count_matches(first, []) == 0
