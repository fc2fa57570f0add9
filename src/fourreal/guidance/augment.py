"""What 4Real does to a clip before it is made small: a shift of a few pixels, or a crop of half the size."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FieldError

from .base import Known


class Augmentation(NamedTuple):
    """A window on every frame of a clip; where it leaves the frame, edges are repeated."""

    top: int  # row of the frame that comes first
    left: int
    height: int  # of the result
    width: int

    def apply(self, frames: Float[Tensor, "F 3 H W"]) -> Float[Tensor, "F 3 h w"]:
        """The windows, linear in the frames and differentiable. Raises `FieldError` if one misses the frame."""
        height, width = frames.shape[-2:]
        if not (-self.height < self.top < height and -self.width < self.left < width):
            raise FieldError(f"{self} does not touch a frame of {height}x{width}")
        sides = (-self.left, self.left + self.width - width, -self.top, self.top + self.height - height)
        padded = F.pad(frames, [max(0, s) for s in sides], mode="replicate") if max(sides) > 0 else frames
        top, left = max(0, self.top), max(0, self.left)
        return padded[..., top : top + self.height, left : left + self.width]

    def seen(self, cameras: Cameras) -> Cameras:
        """The cameras whose pictures the windows are, edges repeated aside."""
        Ks = cameras.Ks.clone()
        Ks[:, :2, 2] -= Ks.new_tensor([self.left, self.top])
        return Cameras(cameras.viewmats, Ks, self.width, self.height, cameras.times)


def draw_augmentation(size: tuple[int, int], score_size: tuple[int, int], generator: torch.Generator) -> Augmentation:
    """With equal probability a shift by up to S - 1 pixels, S = size / score_size, or a crop of half the size.

    4Real, section "Multi-view SDS"; whether shifts go both ways, and what comes in at the edge, is not stated. A crop
    that would be smaller than what the model takes is never drawn.

    Args:
        size: (height, width) of the frames.
        score_size: (height, width) that they will be averaged down to.
        generator: on the CPU.

    Raises:
        FieldError: if frames are smaller than `score_size`.
    """
    (height, width), (low, narrow) = size, score_size
    if height < low or width < narrow:
        raise FieldError(f"frames of {height}x{width} are smaller than the {low}x{narrow} that the model takes")
    crop, rows, columns = torch.rand(3, generator=generator, dtype=torch.float64).tolist()
    half_height, half_width = height // 2, width // 2
    if crop < 0.5 and half_height >= low and half_width >= narrow:
        top, left = int(rows * (height - half_height + 1)), int(columns * (width - half_width + 1))
        return Augmentation(top, left, half_height, half_width)
    reach_rows, reach_columns = -(-height // low) - 1, -(-width // narrow) - 1
    top, left = int(rows * (2 * reach_rows + 1)) - reach_rows, int(columns * (2 * reach_columns + 1)) - reach_columns
    return Augmentation(top, left, height, width)


def augment(
    frames: Float[Tensor, "F 3 H W"], known: Known | None, score_size: tuple[int, int], generator: torch.Generator
) -> tuple[Float[Tensor, "F 3 h w"], Known | None, Augmentation]:
    """A clip and, alike, its known frames through a drawn window, and the window. Raises as `draw_augmentation`."""
    height, width = frames.shape[-2:]
    drawn = draw_augmentation((height, width), score_size, generator)
    told = None if known is None else Known(known.indices, drawn.apply(known.frames))
    return drawn.apply(frames), told, drawn
