# SPDX-License-Identifier: Apache-2.0
"""Cover a region of each training face, as hands, masks, glasses, hair and caps do."""

from __future__ import annotations

from enum import IntEnum

import torch


class CoveredRegion(IntEnum):
    """The region of a face that is covered; all are equally likely. Lengths are shares of the side of the crop."""

    LEFT = 0
    """Columns from the left edge to 0.30..0.55."""
    RIGHT = 1
    """Columns from 0.45..0.70 to the right edge."""
    MOUTH = 2
    """Rows from 0.50..0.70 to the lower edge."""
    EYES = 3
    """Rows from 0.12..0.28 to 0.42..0.56."""
    FOREHEAD = 4
    """Rows from the upper edge to 0.15..0.35."""
    RECTANGLE = 5
    """Width and height 0.20..0.55, anywhere inside."""


def cover(faces: torch.Tensor, probability: float) -> torch.Tensor:
    """Return a copy of the faces in which each is covered with the given probability.

    Half of the covers are one gray. The others show a region of another face of the batch, upside down, in one of five
    cases, and else a gray with noise. Randomness comes from torch's global generator.

    Args:
        faces: (N, size, size) float32, gray levels 0..255.
        probability: of covering a face, 0..1.
    """
    count, size, device = len(faces), faces.shape[-1], faces.device
    region = torch.randint(0, len(CoveredRegion), (count,), device=device)
    chosen = torch.rand(count, device=device) < probability
    covered = chosen[:, None, None] & areas(region, torch.rand(count, 4, device=device), size)
    return torch.where(covered, _fill(faces), faces)


def areas(region: torch.Tensor, random: torch.Tensor, size: int) -> torch.Tensor:
    """Return the pixels that are covered, as (N, size, size) bool.

    Args:
        region: (N,) int64, see `CoveredRegion`.
        random: (N, 4) float32, uniform in 0..1; places the edges inside their ranges.
        size: side of the crops, pixels.
    """
    left, right = _columns(region, random)
    top, bottom = _rows(region, random)
    center = (torch.arange(size, device=region.device) + 0.5) / size
    across = (center >= left[:, None]) & (center < right[:, None])
    down = (center >= top[:, None]) & (center < bottom[:, None])
    return down[:, :, None] & across[:, None, :]


def _columns(region: torch.Tensor, random: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the left and the right edge, (N,) each, as shares of the width."""
    edge, place = random[:, 0], random[:, 2]
    width = 0.2 + 0.35 * edge
    left, right = torch.zeros_like(edge), torch.ones_like(edge)
    right = torch.where(region == CoveredRegion.LEFT, 0.30 + 0.25 * edge, right)
    left = torch.where(region == CoveredRegion.RIGHT, 0.45 + 0.25 * edge, left)
    left = torch.where(region == CoveredRegion.RECTANGLE, place * (1 - width), left)
    right = torch.where(region == CoveredRegion.RECTANGLE, place * (1 - width) + width, right)
    return left, right


def _rows(region: torch.Tensor, random: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the upper and the lower edge, (N,) each, as shares of the height."""
    edge, second_edge, place = random[:, 0], random[:, 1], random[:, 3]
    height = 0.2 + 0.35 * second_edge
    top, bottom = torch.zeros_like(edge), torch.ones_like(edge)
    top = torch.where(region == CoveredRegion.MOUTH, 0.50 + 0.2 * edge, top)
    top = torch.where(region == CoveredRegion.EYES, 0.12 + 0.16 * edge, top)
    bottom = torch.where(region == CoveredRegion.EYES, 0.42 + 0.14 * second_edge, bottom)
    bottom = torch.where(region == CoveredRegion.FOREHEAD, 0.15 + 0.2 * edge, bottom)
    top = torch.where(region == CoveredRegion.RECTANGLE, place * (1 - height), top)
    bottom = torch.where(region == CoveredRegion.RECTANGLE, place * (1 - height) + height, bottom)
    return top, bottom


def _fill(faces: torch.Tensor) -> torch.Tensor:
    """Return what each cover shows: (N, size, size) float32."""
    count, device = len(faces), faces.device

    def draw() -> torch.Tensor:
        return torch.rand(count, device=device)[:, None, None]

    gray = 255 * draw()
    gray = torch.where(draw() < 0.35, faces.mean(dim=(1, 2), keepdim=True), gray)
    deviation = torch.randn_like(faces)
    noise = (gray + 40 * deviation * draw()).clamp(0, 255)
    other_face = faces.roll(1, dims=0).flip(1)
    pattern = torch.where(draw() < 0.2, other_face, noise)
    return torch.where(draw() < 0.5, gray, pattern)
