# SPDX-License-Identifier: Apache-2.0
"""Assigning boxes to boxes, each to one at most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fer_ros.types import Box

MATCH_OVERLAP = 0.5
"""Intersection over union from which two boxes are of one face."""


def linear_sum_assignment(costs: np.ndarray) -> list[tuple[int, int]]:
    """Return the pairs of a row and a column with the smallest sum of costs, by row.

    The result is exact, as that of the function of the same name in SciPy, whose import takes a robot 47 MB of memory
    and half a second of CPU.

    Source: Crouse, "On implementing 2D rectangular assignment algorithms", 2016: shortest augmenting paths.

    Args:
        costs: (rows, columns), finite.

    Returns:
        min(rows, columns) pairs; no row or column occurs twice.

    >>> linear_sum_assignment(np.array([[1.0, 2.0], [1.0, 9.0]]))
    [(0, 1), (1, 0)]
    """
    if costs.shape[0] > costs.shape[1]:
        return sorted((row, column) for column, row in linear_sum_assignment(costs.T))
    column_of_row, row_of_column = (np.full(size, -1) for size in costs.shape)
    row_potential, column_potential = (np.zeros(size) for size in costs.shape)
    for first_row in range(len(costs)):
        # The cheapest path (Dijkstra) from this row to a free column, on which assigned pairs are traversed backward.
        distance, previous_row = np.full(len(row_of_column), np.inf), np.full(len(row_of_column), -1)
        visited = np.zeros(len(row_of_column), bool)
        row, length = first_row, 0.0
        while row >= 0:
            through_row = length + costs[row] - row_potential[row] - column_potential
            shorter = ~visited & (through_row < distance)
            distance[shorter], previous_row[shorter] = through_row[shorter], row
            column = int(np.where(visited, np.inf, distance).argmin())
            length, row = distance[column], row_of_column[column]
            if row >= 0:
                visited[column] = True
        # Keeps the costs, less both potentials, at 0 for assigned pairs and above 0 elsewhere.
        row_potential[first_row] += length
        row_potential[row_of_column[visited]] += length - distance[visited]
        column_potential[visited] -= length - distance[visited]
        while row != first_row:
            row = previous_row[column]
            row_of_column[column] = row
            column_of_row[row], column = column, column_of_row[row]
    return list(enumerate(column_of_row.tolist()))


def count_matches(first: Sequence[Box], second: Sequence[Box], overlap: float = MATCH_OVERLAP) -> int:
    """Return the number of faces that two detectors both found in an image.

    Args:
        first: boxes of one detector.
        second: boxes of the other.
        overlap: intersection over union, 0..1, from which two boxes match; each box is matched once at most.
    """
    if not first or not second:
        return 0
    mismatches = np.array([[box.iou(other) < overlap for other in second] for box in first], float)
    return sum(not mismatches[pair] for pair in linear_sum_assignment(mismatches))
