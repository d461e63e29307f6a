# SPDX-License-Identifier: Apache-2.0
"""Random changes of training faces, a whole batch at a time, that keep the expression readable."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

from fer_ros.evaluation.perturbations import placement
from fer_ros.training.cover import cover

RESAMPLING = ("bilinear", "bicubic")


@dataclass(frozen=True)
class Augmentation:
    """Ranges of the random changes; 0 turns a change off. Randomness comes from torch's global generator."""

    flip: float = 0.5
    """Probability of mirroring left and right."""
    rotation: float = 12.0
    """Maximum rotation in either direction, degrees."""
    scale: float = 0.12
    """Maximum change of size, as a fraction of the size."""
    shift: float = 0.12
    """Maximum shift along each axis in either direction, as a fraction of the size."""
    placement: float = 0.0
    """Probability of a size and a shift drawn from those of Viola-Jones' boxes instead of `scale` and `shift`."""
    brightness: float = 0.0
    """Gray levels are multiplied by a factor from 1 / (1 + this) to 1 + this and clipped, as in a camera."""
    contrast: float = 0.0
    """Differences from the crop's mean are multiplied by a factor from 1 / (1 + this) to 1 + this and clipped."""
    erase: float = 0.0
    """Probability of covering a rectangle of 2 to 15 % of the area (Zhong et al. 2017) with the crop's mean."""
    cover: float = 0.0
    """Probability of covering a part of the face: a side, the mouth, the eyes, the forehead or a rectangle."""
    resampling: str = "bicubic"
    """Interpolation, one of `RESAMPLING`. Bilinear softens the training crops; crops from a camera are then sharper
    than any the network was trained on."""

    def __call__(self, pixels: torch.Tensor, size: int) -> torch.Tensor:
        """Return augmented (N, size, size) float32 crops in 0..255 from (N, side, side) uint8 images."""
        return self.hide(self.move(pixels, size))

    def move(self, pixels: torch.Tensor, size: int) -> torch.Tensor:
        """Return the crops of `__call__` before a part of them is erased or covered."""
        return self._adjust_light(self._transform(pixels.float(), size))

    def hide(self, faces: torch.Tensor) -> torch.Tensor:
        """Return (N, size, size) float32 crops with parts of some erased and covered."""
        faces = self._erase(faces)
        return cover(faces, self.cover) if self.cover else faces

    def _transform(self, faces: torch.Tensor, size: int) -> torch.Tensor:
        """Flip, rotate, scale, shift and resize in one resampling; pixels from outside repeat the edge."""
        moves = self.flip or self.rotation or self.scale or self.shift or self.placement
        if not moves and size == faces.shape[-1]:
            return faces
        count, device = len(faces), faces.device
        angle = _uniform(count, self.rotation, device) * math.pi / 180
        side = 1 / (1 + _uniform(count, self.scale, device))
        mirror = torch.where(torch.rand(count, device=device) < self.flip, -1.0, 1.0)
        right, down = (_uniform(count, self.shift, device) for _ in "xy")
        if self.placement:
            placed = torch.rand(count, device=device) < self.placement
            places = torch.from_numpy(placement(torch.rand(3, count).numpy())).float().to(device)
            side, right, down = torch.where(placed, places, torch.stack([side, right, down]))
        # affine_grid maps target to source pixels, in units of half the image.
        cos, sin, shift_x, shift_y = torch.cos(angle) * side, torch.sin(angle) * side, 2 * right, 2 * down
        rows = torch.stack([cos * mirror, -sin, shift_x, sin * mirror, cos, shift_y], dim=1)
        grid = functional.affine_grid(rows.view(count, 2, 3), [count, 1, size, size], align_corners=False)
        transformed = functional.grid_sample(
            faces[:, None], grid, mode=self.resampling, padding_mode="border", align_corners=False
        )
        # Bicubic interpolation overshoots at edges; a camera clips.
        return transformed[:, 0].clamp(0, 255)

    def _adjust_light(self, faces: torch.Tensor) -> torch.Tensor:
        count, device = len(faces), faces.device
        if self.contrast:
            mean = faces.mean(dim=(1, 2), keepdim=True)
            faces = ((faces - mean) * _factor(count, self.contrast, device) + mean).clamp(0, 255)
        if self.brightness:
            faces = (faces * _factor(count, self.brightness, device)).clamp(0, 255)
        return faces

    def _erase(self, faces: torch.Tensor) -> torch.Tensor:
        if not self.erase:
            return faces
        count, size, device = len(faces), faces.shape[-1], faces.device
        area = torch.empty(count, device=device).uniform_(0.02, 0.15)
        aspect = torch.empty(count, device=device).uniform_(math.log(0.4), math.log(2.5)).exp()
        chosen = torch.rand(count, device=device) < self.erase
        across = _interval((area * aspect).sqrt(), size)
        down = _interval((area / aspect).sqrt(), size)
        erased = chosen[:, None, None] & down[:, :, None] & across[:, None, :]
        return torch.where(erased, faces.mean(dim=(1, 2), keepdim=True), faces)


def _uniform(count: int, limit: float, device: torch.device) -> torch.Tensor:
    """Return (count,) values, uniform from -limit to limit."""
    return (2 * torch.rand(count, device=device) - 1) * limit


def _factor(count: int, limit: float, device: torch.device) -> torch.Tensor:
    """Return (count, 1, 1) factors from 1 / (1 + limit) to 1 + limit, log-uniform."""
    return (_uniform(count, 1, device) * math.log1p(limit)).exp()[:, None, None]


def _interval(length: torch.Tensor, size: int) -> torch.Tensor:
    """Return (N, size) bool: the pixels in an interval of `length` (a share of the size) at a random place inside."""
    start = torch.rand_like(length) * (1 - length)
    position = (torch.arange(size, device=length.device) + 0.5) / size
    return (position >= start[:, None]) & (position < (start + length)[:, None])
