"""Image quality against ground truth."""

from .image import psnr, ssim
from .lpips import Lpips

__all__ = ["Lpips", "psnr", "ssim"]
