"""A static scene fitted in a few steps to a clip of frozen time: nobody looks at it, it says whether the clip is one.

What was seen from the cameras that a path tells is explained by one still scene; what was not, or was drawn by a model
that did not know what it sees, is not.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.gaussians import Gaussians
from fourreal.core.video import Video
from fourreal.fit.loop import fit
from fourreal.fit.phases import Phase
from fourreal.fit.seeding import seed_gaussians
from fourreal.fit.state import FitState
from fourreal.fit.static import Targets, render_cameras, static_objective
from fourreal.io.frames import resize_frames
from fourreal.metrics import psnr
from fourreal.pose.base import ELEVATION, FOCAL_PRIOR, pinhole
from fourreal.pose.floor import floor_elevation
from fourreal.pose.orbit import orbit_viewmats
from fourreal.raster.choose import select
from fourreal.recipes import static_preview

CPU = torch.device("cpu")
_WIDTH = 64  # pixels of the fits
_SEEDS, _STEPS = 4000, 120


def turned_by(path: Float[Tensor, "F 3"], share: float) -> Float[Tensor, "F 3"]:
    """The path that goes round and up `share` as far, at the same distances."""
    return path * path.new_tensor([share, share, 1.0])


def explained(
    clip: Video, path: Float[Tensor, "F 3"], share: float, device: torch.device = CPU, steps: int = _STEPS
) -> float:
    """PSNR in dB of a static fit of a few steps, at 64 columns, to the clip itself; its path turned `share` as far."""
    gaussians, targets = small_scene(clip, turned_by(path, share), device, steps=steps)
    return float(psnr(render_cameras(gaussians, targets.cameras, select(device)), targets.images).mean())


def small_scene(
    clip: Video,
    path: Float[Tensor, "F 3"],
    device: torch.device = CPU,
    *,
    width: int = _WIDTH,
    seeds: int = _SEEDS,
    steps: int = _STEPS,
) -> tuple[Gaussians, Targets]:
    """A static scene fitted in a few steps to a clip, and what it was fitted to, at `width` columns.

    Args:
        clip: of frozen time.
        path: azimuth and elevation in radians and log distance that it follows, one row a frame.
        device: where to fit.
        width: of the pictures in pixels.
        seeds: Gaussians to begin with.
        steps: of the fit.
    """
    height, walk = max(1, round(clip.height * width / clip.width)), path.double()
    images = resize_frames(clip.frames, height, width).to(device)
    elevation = floor_elevation(clip, walk, FOCAL_PRIOR * clip.width)
    viewmats = orbit_viewmats(walk, ELEVATION if elevation is None else elevation).float()
    Ks = pinhole(FOCAL_PRIOR * width, width, height, len(images)).float()
    targets = Targets(images, Cameras(viewmats, Ks, width, height).to(device))
    state = FitState.begin(seed_gaussians(targets, seeds, torch.Generator().manual_seed(0)), targets.extent(), 0)
    coarse = static_preview()[0]
    phase = Phase("turning", steps, coarse.rates, coarse.losses, views=coarse.views)
    return fit(state, [phase], static_objective(targets, select(device))).gaussians(), targets
