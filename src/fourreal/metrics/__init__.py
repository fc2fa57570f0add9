"""Image quality against ground truth."""

from .image import psnr, ssim

__all__ = ["psnr", "ssim"]
