"""`sds_loss`: score distillation, written once for every video model."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.core.errors import FieldError

from .base import Denoise, Encode, Known
from .noise import level_of

N_REF = 15 * 3 * 36 * 64  # numbers under the paper's sum: 15 unknown frames of its base model
Weighting = Literal["x0", "flow", "eps"]


def sds_loss(
    frames: Float[Tensor, "F 3 H W"],
    encode: Encode,
    denoise: Denoise,
    *,
    sigma: float,
    generator: torch.Generator,
    known: Known | None = None,
    weighting: Weighting = "x0",
) -> Float[Tensor, ""]:
    """weight * N_REF * mean |encode(x) - stopgrad(x0)|^2, over the unknown frames (4Real, equation 6).

    x0 is the model's prediction from encode(x) + sigma * noise, so that the gradient is that of SDS (arXiv 2209.14988)
    with no derivative of the network. The mean times N_REF is the paper's sum at its own size, in a space where clean
    values span [-1, 1]; so its weights (5 for several views, 20 in time) mean the same at every size.

    Known frames replace those of the clip, detached: no gradient reaches them, through the encoder of a latent model
    either, and they are not counted. (If the encoder merges frames, what it makes of the known ones is counted too: it
    adds a constant to the loss and nothing to the gradient of the known frames.)

    Args:
        frames: the clip, with gradients, RGB in [0, 1].
        encode: differentiable, to the space of `denoise`.
        denoise: the guided prediction of the clean clip; called without gradients.
        sigma: noise level, positive: x = clean + sigma * noise (`noise.sigma_of`).
        generator: draws the noise; on the CPU, so that results do not depend on the device.
        known: frames that the model is told.
        weighting: whose residual the gradient is (twice): of the clean clip ("x0", the paper's), of a flow's velocity
            ("flow": 1 / t as much, t = sigma / (1 + sigma)) or of the noise ("eps": 1 / sigma as much). All three are
            the same but for that factor, whatever the network was trained to predict.

    Raises:
        FieldError: if sigma is not positive and finite, known frames do not fit, or `denoise` changes the shape.
    """
    if not (math.isfinite(sigma) and sigma > 0):
        raise FieldError(f"sigma must be positive and finite, got {sigma!r}")
    if known is not None:
        known.check(frames)
        known = Known(known.indices, known.frames.detach().to(frames))
        frames = frames.index_copy(0, torch.tensor(known.indices, device=frames.device), known.frames)
    clean = encode(frames)
    with torch.no_grad():
        noise = torch.randn(clean.shape, generator=generator, dtype=clean.dtype).to(clean.device)
        target = denoise(clean.detach() + sigma * noise, sigma, known).detach()
    if target.shape != clean.shape:
        raise FieldError(f"denoise must keep the shape {list(clean.shape)}, but gave {list(target.shape)}")
    counted = _counted(len(frames), len(clean), known)
    factor = {"x0": 1.0, "flow": 1 / level_of(sigma), "eps": 1 / sigma}[weighting]
    return factor * N_REF * (clean - target.to(clean))[counted].square().mean()


def _counted(frames: int, encoded: int, known: Known | None) -> list[int]:
    """Encoded frames that the loss looks at: the unknown ones, where encoding keeps frames apart."""
    told = known.indices if known is not None and frames == encoded else ()
    return [i for i in range(encoded) if i not in told]
