"""Values of pictures at points on them."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def looked_up(image: Float[Tensor, "C H W"], pixels: Float[Tensor, "P 2"]) -> Float[Tensor, "P C"]:
    """Values at pixels, zero outside."""
    height, width = image.shape[-2:]
    x, y = pixels.floor().long().unbind(-1)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return image[:, y.clamp(0, height - 1), x.clamp(0, width - 1)].T * inside[:, None]
