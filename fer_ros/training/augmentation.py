"""Random changes to training faces, a whole batch at a time, that leave their expression readable."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

RESAMPLING = ("bilinear", "bicubic")


@dataclass(frozen=True)
class Augmentation:
    """How far each face is changed; 0 turns a change off. Randomness comes from torch's global generator."""

    flip: float = 0.5
    """Probability of mirroring left and right."""
    rotation: float = 12.0
    """Largest rotation either way, degrees."""
    scale: float = 0.12
    """Largest growth or shrinking, as a fraction of the size."""
    shift: float = 0.12
    """Largest shift either way along each axis, as a fraction of the size."""
    brightness: float = 0.0
    """Pixels are multiplied by a factor between 1 / (1 + this) and 1 + this, and clipped as a camera would."""
    contrast: float = 0.0
    """Distance to the crop's mean is multiplied by a factor between 1 / (1 + this) and 1 + this, and clipped."""
    erase: float = 0.0
    """Probability of covering a rectangle of 2 to 15 % of the area (Zhong et al. 2017) with the crop's mean."""
    resampling: str = "bicubic"
    """How pixels between pixels are made, one of `RESAMPLING`. Bilinear softens the crops that are learned from; those
    that a camera gives are then sharper than anything the network has seen."""

    def __call__(self, pixels: torch.Tensor, size: int) -> torch.Tensor:
        """(N, side, side) uint8 to (N, size, size) float32, still 0..255."""
        faces = self._moved(pixels.float(), size)
        faces = self._lit(faces)
        return self._erased(faces)

    def _moved(self, faces: torch.Tensor, size: int) -> torch.Tensor:
        """Flip, rotation, scale, shift and `size` as one resampling; what comes in from outside repeats the edge."""
        if not (self.flip or self.rotation or self.scale or self.shift) and size == faces.shape[-1]:
            return faces
        count, device = len(faces), faces.device
        angle = _uniform(count, self.rotation, device) * math.pi / 180
        zoom = 1 + _uniform(count, self.scale, device)
        mirror = torch.where(torch.rand(count, device=device) < self.flip, -1.0, 1.0)
        # affine_grid asks where in the source each target pixel comes from, in units of half the image.
        cos, sin = torch.cos(angle) / zoom, torch.sin(angle) / zoom
        shift_x, shift_y = (2 * _uniform(count, self.shift, device) for _ in "xy")
        rows = torch.stack(
            [cos * mirror, -sin, shift_x, sin * mirror, cos, shift_y],
            dim=1,
        )
        grid = functional.affine_grid(rows.view(count, 2, 3), [count, 1, size, size], align_corners=False)
        moved = functional.grid_sample(
            faces[:, None], grid, mode=self.resampling, padding_mode="border", align_corners=False
        )
        # Bicubic overshoots at edges, which a camera does not.
        return moved[:, 0].clamp(0, 255)

    def _lit(self, faces: torch.Tensor) -> torch.Tensor:
        count, device = len(faces), faces.device
        if self.contrast:
            mean = faces.mean(dim=(1, 2), keepdim=True)
            faces = ((faces - mean) * _factor(count, self.contrast, device) + mean).clamp(0, 255)
        if self.brightness:
            faces = (faces * _factor(count, self.brightness, device)).clamp(0, 255)
        return faces

    def _erased(self, faces: torch.Tensor) -> torch.Tensor:
        if not self.erase:
            return faces
        count, size, device = len(faces), faces.shape[-1], faces.device
        area = torch.empty(count, device=device).uniform_(0.02, 0.15)
        aspect = torch.empty(count, device=device).uniform_(math.log(0.4), math.log(2.5)).exp()
        chosen = torch.rand(count, device=device) < self.erase
        across = _inside((area * aspect).sqrt(), size)
        down = _inside((area / aspect).sqrt(), size)
        covered = chosen[:, None, None] & down[:, :, None] & across[:, None, :]
        return torch.where(covered, faces.mean(dim=(1, 2), keepdim=True), faces)


def _uniform(count: int, limit: float, device: torch.device) -> torch.Tensor:
    return (2 * torch.rand(count, device=device) - 1) * limit


def _factor(count: int, limit: float, device: torch.device) -> torch.Tensor:
    """(count, 1, 1), as often above 1 as below."""
    return (_uniform(count, 1, device) * math.log1p(limit)).exp()[:, None, None]


def _inside(length: torch.Tensor, size: int) -> torch.Tensor:
    """(N, size) bool: the positions in a stretch of `length` (a fraction of the size) that lies somewhere inside."""
    start = torch.rand_like(length) * (1 - length)
    position = (torch.arange(size, device=length.device) + 0.5) / size
    return (position >= start[:, None]) & (position < (start + length)[:, None])
