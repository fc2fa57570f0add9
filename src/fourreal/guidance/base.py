"""What guidance asks of a video model: two functions, and frames that are given."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from fourreal.core.errors import FieldError


class Known(NamedTuple):
    """Frames that a video model is told; they pull, but are not pulled."""

    indices: tuple[int, ...]  # strictly increasing positions in the clip, from 0
    frames: Tensor  # [K, 3, H, W] RGB in [0, 1], of the clip's size

    def check(self, clip: Tensor) -> None:
        """Raise `FieldError` unless these are some, but not all, frames of `clip` [F, 3, H, W]."""
        rising = all(a < b for a, b in zip(self.indices, self.indices[1:], strict=False))
        if not (self.indices and rising and self.indices[0] >= 0 and self.indices[-1] < len(clip)):
            raise FieldError(
                f"known indices must be strictly increasing from 0 to {len(clip) - 1} and not be empty, "
                f"got {self.indices}"
            )
        if len(self.indices) == len(clip):
            raise FieldError(f"all {len(clip)} frames are known, so there is nothing to guide; leave one out")
        want = (len(self.indices), *clip.shape[1:])
        if tuple(self.frames.shape) != want:
            raise FieldError(f"known frames must have shape {list(want)}, got {list(self.frames.shape)}")


Encode = Callable[[Tensor], Tensor]  # frames [F, 3, H, W] in [0, 1] -> clean x [F', C, h, w], differentiable
Denoise = Callable[[Tensor, float, Known | None], Tensor]  # x = clean + sigma * noise, sigma, known -> clean x
Decode = Callable[[Tensor], Tensor]  # clean x of N clips [N, F', C, h, w] -> frames in about [0, 1] [N, F, 3, H, W]
