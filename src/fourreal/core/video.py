"""`Video`: frames and their rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from .checks import check_tensor
from .errors import FieldError


@dataclass(frozen=True, eq=False)
class Video:
    """A clip in memory.

    Attributes:
        frames: [F, 3, H, W] float32 RGB in [0, 1], frame 0 first; F, H and W are at least 1.
        fps: frames a second, positive.

    Raises:
        FieldError: if a field is out of shape or range.
    """

    frames: Tensor
    fps: float = 8.0

    def __post_init__(self) -> None:
        check_tensor("Video.frames", self.frames, ("F", 3, "H", "W"), low=0.0, high=1.0)
        if 0 in self.frames.shape:
            raise FieldError(f"Video.frames must hold at least one pixel, got shape {list(self.frames.shape)}")
        if not (math.isfinite(self.fps) and self.fps > 0):
            raise FieldError(f"Video.fps must be a positive number, got {self.fps!r}")

    def __len__(self) -> int:
        return self.frames.shape[0]

    @property
    def height(self) -> int:
        """Rows of a frame."""
        return self.frames.shape[2]

    @property
    def width(self) -> int:
        """Columns of a frame."""
        return self.frames.shape[3]

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self) / self.fps

    def select(self, indices: list[int]) -> Video:
        """The frames at `indices`, in that order, at the same rate; negative indices count from the end."""
        bad = [i for i in indices if not -len(self) <= i < len(self)]
        if bad or not indices:
            raise FieldError(f"frame indices must name frames 0..{len(self) - 1}, got {bad or indices}")
        return Video(self.frames[indices], self.fps)
