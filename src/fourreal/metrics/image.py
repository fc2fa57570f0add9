"""PSNR and SSIM of images in [0, 1]."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from fourreal.core.threads import launch

_WINDOW, _SIGMA = 11, 1.5  # Wang et al. 2004
_C1, _C2 = 0.01**2, 0.03**2  # (K L)^2 with L = 1


def psnr(image: Float[Tensor, "B C H W"], truth: Float[Tensor, "B C H W"]) -> Float[Tensor, " B"]:
    """Peak signal-to-noise ratio of each image in decibels, peak 1; identical images give infinity."""
    return -10 * (image - truth).square().mean((1, 2, 3)).log10()


def ssim(image: Float[Tensor, "B C H W"], truth: Float[Tensor, "B C H W"]) -> Float[Tensor, " B"]:
    """Structural similarity of each image, in [-1, 1], differentiable (Wang et al. 2004, IEEE TIP 13(4)).

    Gaussian window of 11 pixels, sigma 1.5, zero padding as in 3DGS, mean over channels and pixels.
    """
    if image.device.type == "cpu" and image.dtype == truth.dtype and not truth.requires_grad:
        return _Ssim.apply(image, truth) / image[0].numel()  # type: ignore[no-any-return]
    batch, channels = image.shape[:2]
    x, y = image.flatten(0, 1)[:, None], truth.flatten(0, 1)[:, None]
    stack = _blur(torch.cat([x, y, x * x, y * y, x * y]))
    mx, my, mxx, myy, mxy = stack.split(batch * channels)
    numerator = (2 * mx * my + _C1) * (2 * (mxy - mx * my) + _C2)
    denominator = (mx * mx + my * my + _C1) * (mxx - mx * mx + myy - my * my + _C2)
    return (numerator / denominator).reshape(batch, -1).mean(1)


class _Ssim(torch.autograd.Function):
    """On a CPU: image, truth -> the sum of the similarity over channels and pixels [B], its gradient found on the way.

    At 256x144 a third of the time of the matrix products below, or less.
    """

    @staticmethod
    def forward(ctx: Any, image: Tensor, truth: Tensor) -> Tensor:
        from ._kernels_ssim import compare

        planes = [v.detach().contiguous().flatten(0, 1).numpy() for v in (image, truth)]
        count, height, width = planes[0].shape
        wanted = ctx.needs_input_grad[0]
        grads = image.new_empty((count, height, width) if wanted else (count, 0, 0))
        sums = image.new_empty(count)
        constants = image.new_tensor([_C1, _C2])
        arrays = (v.numpy() for v in (_window(image)[_WINDOW // 2 :], constants, sums, grads))
        launch(compare, *planes, *arrays, items=image.numel(), parts=count)
        ctx.save_for_backward(grads)
        ctx.shape = image.shape
        return sums.view(image.shape[:2]).sum(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:  # pyright: ignore
        (grads,) = ctx.saved_tensors
        return grads.view(ctx.shape) * grad_outputs[0][:, None, None, None], None


def _blur(images: Tensor) -> Tensor:
    """Separable Gaussian blur of [M, 1, H, W] as two products with band matrices; the borders are padded with zeros."""
    return _band(images.shape[2], images) @ images @ _band(images.shape[3], images)


def _band(size: int, like: Tensor) -> Tensor:
    """[size, size] symmetric matrix that blurs a signal of `size` samples."""
    window = _window(like)
    index = torch.arange(size, device=like.device)
    offset = index[:, None] - index[None, :] + _WINDOW // 2
    return torch.where((offset >= 0) & (offset < _WINDOW), window[offset.clamp(0, _WINDOW - 1)], 0.0)


def _window(like: Tensor) -> Tensor:
    """[11] weights of the window, summing to 1."""
    x = torch.arange(_WINDOW, dtype=like.dtype, device=like.device) - _WINDOW // 2
    window = torch.exp(-(x**2) / (2 * _SIGMA**2))
    return window / window.sum()
