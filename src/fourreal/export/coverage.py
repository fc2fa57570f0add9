"""How much the clips show of a scene: found in the run or computed, as colours, and round the scene."""

from __future__ import annotations

import contextlib
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FileFormatError
from fourreal.core.paths import orbit
from fourreal.fit.coverage import SEEN, Coverage, coverage, unseen_share, weights
from fourreal.raster import Views, select

from .lifted import Lifted, load_warp

COVERAGE = "coverage.safetensors"
# From what few frames show to what many do; the player has the same.
RAMP = ((0.70, 0.13, 0.17), (0.94, 0.65, 0.24), (0.96, 0.94, 0.75), (0.32, 0.72, 0.53), (0.11, 0.44, 0.72))
_RING_WIDTH = 96  # pixels


def find_coverage(run: Path, lifted: Lifted) -> Coverage:
    """The coverage that the run stores; where there is none, or none that fits, it is computed from the cameras."""
    path = run / COVERAGE
    with contextlib.suppress(FileFormatError):
        found = Coverage.load(path)
        if len(found.freeze_views) == len(lifted.scene.gaussians):
            return found
    draw, device = select(lifted.device), lifted.device
    groups = {name: cameras.to(device) for name, cameras in lifted.scene.cameras.items()}
    freeze = groups.get("freeze", lifted.walk.to(device))
    return coverage(
        lifted.splats(), freeze, draw, reference=groups.get("ref"), warp=load_warp(run, lifted), motion=lifted.motion
    )  # fmt: skip


def seen_share(found: Coverage) -> Float[Tensor, " N"]:
    """How often each Gaussian is seen in the freeze-time clip, relative to the one seen most often.

    What only the reference clip shows counts as one frame: it shows one side.
    """
    views = torch.maximum(found.freeze_views, (found.reference_frames > 0).int()).float()
    return views / views.max().clamp_min(1.0)


def ramp_colors(values: Float[Tensor, " N"], colors: Float[Tensor, "N 3"]) -> Float[Tensor, "N 3"]:
    """The ramp's colour for each value in [0, 1], shaded by the Gaussian's own brightness."""
    table = colors.new_tensor(RAMP)
    at = values.clamp(0, 1).to(colors) * (len(table) - 1)
    first = at.floor().clamp(max=len(table) - 2).long()
    mixed = torch.lerp(table[first], table[first + 1], (at - first)[:, None])
    return mixed * (0.35 + 0.65 * colors @ colors.new_tensor([0.3, 0.59, 0.11]))[:, None]


@torch.no_grad()
def render_coverage(lifted: Lifted, cameras: Cameras, found: Coverage) -> Float[Tensor, "V 3 H W"]:
    """The frozen moment, coloured by how often each Gaussian is seen, on the CPU."""
    splats = lifted.splats(ramp_colors(seen_share(found), lifted.scene.gaussians.colors))
    here = cameras.to(lifted.device)
    views = Views(here.viewmats, here.Ks, here.width, here.height)
    return select(lifted.device)(splats, views, None).color.clamp(0, 1).cpu()


def filled_ring(lifted: Lifted, steps: int) -> list[float]:
    """How much of small pictures from `steps` directions round the pivot the freeze-time clip has shown from that side,
    0 to 1, from the home camera to its right."""
    size = _RING_WIDTH, max(16, round(_RING_WIDTH * lifted.home.height / lifted.home.width))
    draw, splats, device = select(lifted.device), lifted.splats(), lifted.device
    walk = lifted.walk.resized(*size).to(device)
    circle = orbit(lifted.home.resized(*size), lifted.pivot, steps, up=lifted.up).to(device)
    seen = weights(splats, walk, draw, None, walk.moments) > SEEN
    return (1 - unseen_share(splats, circle, walk, seen, draw)).tolist()
