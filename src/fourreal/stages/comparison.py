"""A picture of truth beside render, for eyes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.core.storage import atomic_path
from fourreal.metrics import psnr

_BAR, _GAP = 22, 4  # pixels: label bar above each row, gap between pictures


def write_comparison(
    path: Path, truth: Float[Tensor, "V 3 H W"], image: Float[Tensor, "V 3 H W"], title: str, scale: int = 2
) -> None:
    """Write a picture with a row a view: truth, render, and four times their absolute difference."""
    from PIL import Image, ImageDraw

    quality = psnr(image, truth).tolist()
    count, _, height, width = truth.shape
    height, width = height * scale, width * scale
    sheet = Image.new("RGB", (3 * width + 4 * _GAP, _BAR + count * (height + _BAR + _GAP)), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, 5), title, fill="black", font_size=12)
    for row in range(count):
        top = _BAR + row * (height + _BAR + _GAP)
        difference = (4 * (image[row] - truth[row]).abs()).clamp(0, 1)
        labels = ("truth (held out)", f"render, {quality[row]:.1f} dB", "difference x 4")
        for column, (label, part) in enumerate(zip(labels, (truth[row], image[row], difference), strict=True)):
            left = _GAP + column * (width + _GAP)
            draw.text((left, top + 4), label, fill="black", font_size=12)
            picture = Image.fromarray(_bytes(part)).resize((width, height), Image.Resampling.LANCZOS)
            sheet.paste(picture, (left, top + _BAR))
    with atomic_path(path) as temporary:
        sheet.save(temporary)


def _bytes(image: Tensor) -> np.ndarray:
    return (image.permute(1, 2, 0).clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
