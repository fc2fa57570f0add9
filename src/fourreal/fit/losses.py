"""Losses by name, each a scalar mean: of images and truth, or of opacities and which Gaussians were drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from jaxtyping import Bool, Float
from torch import Tensor

from fourreal.metrics import ssim


def l1(image: Float[Tensor, "B 3 H W"], truth: Float[Tensor, "B 3 H W"]) -> Float[Tensor, ""]:
    """Mean absolute difference (4Real's L_recon, as a mean)."""
    return (image - truth).abs().mean()


def l2(image: Float[Tensor, "B 3 H W"], truth: Float[Tensor, "B 3 H W"]) -> Float[Tensor, ""]:
    """Mean squared difference; what PSNR measures."""
    return (image - truth).square().mean()


def dssim(image: Float[Tensor, "B 3 H W"], truth: Float[Tensor, "B 3 H W"]) -> Float[Tensor, ""]:
    """1 - SSIM (3DGS's D-SSIM term)."""
    return 1 - ssim(image, truth).mean()


def haze(opacities: Float[Tensor, "*C N"], drawn: Bool[Tensor, "*C N"]) -> Float[Tensor, ""]:
    """Mean opacity: a light pull that clears half-transparent floaters (as in 3DGS-MCMC, arXiv 2404.09591).

    Only of what was drawn: where no picture looks, nothing could pull back.
    """
    return (opacities * drawn).mean()


IMAGE_LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {"l1": l1, "l2": l2, "dssim": dssim}
SPLAT_LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {"haze": haze}
