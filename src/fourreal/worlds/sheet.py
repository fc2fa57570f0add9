"""Contact sheets: a look at worlds."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from .cameras import orbit_cameras, reference_cameras
from .captions import captions
from .model import Worlds
from .render import Shots, render
from .sample import sample_worlds

_LINE = 15
_PAPER, _INK = (250, 249, 246), (40, 40, 44)


def _tiles(rgb: Tensor) -> Image.Image:
    """Frames [F, 3, H, W] in a row."""
    row = rgb.permute(2, 0, 3, 1).flatten(1, 2)
    return Image.fromarray((row * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy())


def _some(shots: Shots, frames: list[int]) -> Shots:
    return Shots(shots.viewmats[:, frames], shots.Ks[:, frames], shots.times[:, frames], shots.width, shots.height)


def contact_sheet(
    worlds: Worlds, *, width: int = 256, height: int = 144, moments: int = 4, angles: int = 3, ss: int = 2
) -> Image.Image:
    """One row for every world: its caption, `moments` of the dynamic clip, then `angles` of the frozen scene.

    Args:
        worlds: B worlds.
        width, height: size of one picture in pixels.
        moments: pictures over time from the reference view.
        angles: pictures of the orbit (60 degrees, frozen at the start); the reference view is not repeated.
        ss: samples per pixel side.
    """
    clip = render(worlds, reference_cameras(worlds, moments, width, height), ss=ss, geometry=False).rgb
    walk = orbit_cameras(worlds, angles + 1, width, height)
    frozen = (
        render(worlds, _some(walk, list(range(1, angles + 1))), ss=ss, geometry=False).rgb if angles else clip[:, :0]
    )
    gap = 6 if angles else 0
    page = Image.new("RGB", ((moments + angles) * width + gap, len(worlds) * (height + _LINE)), _PAPER)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(11)
    for i, text in enumerate(captions(worlds)):
        top = i * (height + _LINE)
        pen.text((4, top + 1), text, fill=_INK, font=font)
        page.paste(_tiles(clip[i]), (0, top + _LINE))
        if angles:
            page.paste(_tiles(frozen[i]), (moments * width + gap, top + _LINE))
    return page


def write_sheet(path: str | Path, seed: int, count: int = 6, width: int = 256, height: int = 144) -> None:
    """Draw worlds `seed`, `seed + 1`, ... with their captions to a picture file (PNG or JPEG by its ending)."""
    contact_sheet(sample_worlds(range(seed, seed + count)), width=width, height=height).save(path)
