"""`sds_loss`: score distillation, written once for every video model."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from fourreal.core.errors import FieldError

from .base import Decode, Denoise, Encode, Known
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
    decode: Decode | None = None,
) -> Float[Tensor, ""]:
    """weight * N_REF * mean |encode(x) - stopgrad(x0)|^2, over the unknown frames (4Real, equation 6).

    x0 is the model's prediction from encode(x) + sigma * noise, so that the gradient is that of SDS (arXiv 2209.14988)
    with no derivative of the network. The mean times N_REF is the paper's sum at its own size, in a space where clean
    values span [-1, 1]; so its weights (5 for several views, 20 in time) mean the same at every size.

    Known frames replace those of the clip, detached: no gradient reaches them, through the encoder of a latent model
    either, and they are not counted. (If the encoder merges frames, what it makes of the known ones is counted too: it
    adds a constant to the loss and nothing to the gradient of the known frames.)

    With `decode` the residual of a latent model is taken in pixels: sum |stopgrad(decode(x0) - decode(encode(x)))|^2,
    pulling the frames themselves. No graph goes through either half of the autoencoder, and what the autoencoder
    loses on its way there and back cancels. (HiFA, arXiv 2305.18766, adds such a term to its latent one.)

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
        decode: from the space of `denoise` to frames in about [0, 1], of several clips at once, to score in pixels;
            see above.

    Raises:
        FieldError: if sigma is not positive and finite, known frames do not fit, or `denoise` changes the shape.
    """
    if not (math.isfinite(sigma) and sigma > 0):
        raise FieldError(f"sigma must be positive and finite, got {sigma!r}")
    if known is not None:
        known.check(frames)
        known = Known(known.indices, known.frames.detach().to(frames))
        frames = frames.index_copy(0, torch.tensor(known.indices, device=frames.device), known.frames)
    with torch.set_grad_enabled(decode is None and torch.is_grad_enabled()):
        clean = encode(frames)
    with torch.no_grad():
        noise = torch.randn(clean.shape, generator=generator, dtype=clean.dtype).to(clean.device)
        target = denoise(clean.detach() + sigma * noise, sigma, known).detach()
    if target.shape != clean.shape:
        raise FieldError(f"denoise must keep the shape {list(clean.shape)}, but gave {list(target.shape)}")
    if decode is not None:
        clean, target = _in_pixels(frames, clean, target, decode)
    counted = _counted(len(frames), len(clean), known)
    factor = {"x0": 1.0, "flow": 1 / level_of(sigma), "eps": 1 / sigma}[weighting]
    return factor * N_REF * (clean - target.to(clean))[counted].square().mean()


def _in_pixels(frames: Tensor, clean: Tensor, target: Tensor, decode: Decode) -> tuple[Tensor, Tensor]:
    """Frames in [-1, 1] at the decoded size, with gradients, and where the decoded prediction wants them."""
    with torch.no_grad():
        wanted, now = decode(torch.stack([target.to(clean), clean]))  # together: small clips leave a GPU idle
        step = (wanted - now).to(frames)
    same = frames.shape[-2:] == step.shape[-2:]
    shown = 2 * (frames if same else F.interpolate(frames, step.shape[-2:], mode="area")) - 1
    return shown, shown.detach() + 2 * step


def _counted(frames: int, encoded: int, known: Known | None) -> list[int]:
    """Encoded frames that the loss looks at: the unknown ones, where encoding keeps frames apart."""
    told = known.indices if known is not None and frames == encoded else ()
    return [i for i in range(encoded) if i not in told]
