"""Static Gaussians fitted to one clip whose cameras are known; on the CPU, which small clips do not keep busy long."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from fourreal.core.gaussians import Gaussians
from fourreal.fit.loop import fit
from fourreal.fit.phases import Growth
from fourreal.fit.seeding import seed_gaussians
from fourreal.fit.state import FitState
from fourreal.fit.static import Targets, render_cameras, static_objective
from fourreal.raster import select
from fourreal.recipes import static_preview
from fourreal.worlds import Shots, core_cameras

_SEEDS, _MOST = 3000, 6000  # Gaussians: a clip of the base has 2304 pixels a frame


def cameras_of(shots: Shots, index: int):
    """The cameras of one clip, on the CPU."""
    return core_cameras(shots, index).to("cpu")


def fit_clip(clip: Tensor, shots: Shots, index: int, effort: float) -> Gaussians:
    """Gaussians for a clip [F, 3, H, W] in [0, 1] seen by the cameras of clip `index`."""
    targets = Targets(clip.detach().float().cpu().contiguous(), cameras_of(shots, index))
    fine = static_preview(effort)[1]
    phase = replace(fine, growth=Growth(max_gaussians=_MOST, stop=0.6))
    seeds = seed_gaussians(targets, _SEEDS, torch.Generator().manual_seed(index))
    state = FitState.begin(seeds, targets.extent(), index)
    return fit(state, (phase,), static_objective(targets, select("cpu"))).gaussians()


def shown(gaussians: Gaussians, shots: Shots, index: int) -> Tensor:
    """[F, 3, H, W] what the cameras of clip `index` see of them, on the CPU."""
    return render_cameras(gaussians, cameras_of(shots, index), select("cpu"), batch=16)
