"""The scene at given moments as 3DGS PLY files, for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from fourreal.core.errors import FieldError
from fourreal.core.gaussians import Gaussians
from fourreal.io.ply import write_ply

from .lifted import Lifted


@torch.no_grad()
def gaussians_at(lifted: Lifted, time: float) -> Gaussians:
    """The splats at `time` (in frames of the reference clip), on the CPU.

    Raises `FieldError` if the time lies outside the clip.
    """
    last = lifted.scene.n_times - 1
    if not 0 <= time <= last:
        raise FieldError(f"the scene has times 0 to {last}, got {time:g}")
    g = lifted.scene.gaussians
    if lifted.motion is None:
        return g
    here = g.to(lifted.device)
    means, quats, log_scales = lifted.motion.offsets(here.means, float(time)).apply(
        here.means, here.quats, here.log_scales
    )
    return Gaussians(means.cpu(), quats.cpu(), log_scales.clamp(-30, 30).cpu(), g.logit_opacities, g.colors)


def write_ply_sequence(folder: Path, lifted: Lifted, times: Sequence[float] | None = None) -> list[Path]:
    """Write `folder`/000.ply, 001.ply, ...: one a moment (default: each frame of the reference clip), in order."""
    moments = range(lifted.scene.n_times) if times is None else times
    digits = max(3, len(str(max(len(moments) - 1, 0))))
    paths = []
    for number, time in enumerate(moments):
        paths.append(folder / f"{number:0{digits}d}.ply")
        write_ply(paths[-1], gaussians_at(lifted, float(time)))
    return paths
