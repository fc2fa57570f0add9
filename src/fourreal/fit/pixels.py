"""Where clips change, and values of pictures at points on them."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def changed(images: Float[Tensor, "F 3 H W"], instant: int, least: float, wider: float = 0.0) -> Float[Tensor, "H W"]:
    """1 where a clip's pixels leave their colour at the instant by more than `least` at some time, else 0.

    Such parts are widened to all sides by the share `wider` of the picture's height.
    """
    change = ((images - images[instant]).abs().mean(1).amax(0) > least).float()
    reach = round(wider * images.shape[-2])
    return F.max_pool2d(change[None], 2 * reach + 1, 1, reach)[0]


def looked_up(image: Float[Tensor, "C H W"], pixels: Float[Tensor, "P 2"]) -> Float[Tensor, "P C"]:
    """Values at pixels, zero outside."""
    height, width = image.shape[-2:]
    x, y = pixels.floor().long().unbind(-1)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return image[:, y.clamp(0, height - 1), x.clamp(0, width - 1)].T * inside[:, None]
