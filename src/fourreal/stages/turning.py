"""How far a drawn clip turns, where the points followed through it doubt that it does as it was told.

Points that slide along outlines seem to turn less than what they lie on, and slow turning with deep relief looks like
fast turning with a flat one. So points only raise the doubt, and a small static fit for each turning in question
settles it: what the clip shows is explained best by the cameras that it was really seen from.
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
from fourreal.pose.turn import turned_share
from fourreal.raster.choose import select
from fourreal.recipes import static_preview

CPU = torch.device("cpu")
_WIDTH = 64  # pixels of the fits
_SEEDS, _STEPS = 4000, 120
_CLEARLY = 0.7  # dB by which another turning must explain the clip better than the one that was asked for


def settled_share(clip: Video, path: Float[Tensor, "F 3"], device: torch.device = CPU) -> tuple[float, bool]:
    """The share of the asked turning that a clip makes, and whether it was looked into.

    The share that the followed points find (`pose.turn`), the asked turning, or half way between. Seconds for each that
    is fitted; none where the points do not doubt. True walks of worlds peak at 1; of drawn walks that the points took
    for 0.5 to 0.6 three of three are explained best at 0.85, by 2 dB better than there (`docs/generate.md`).

    Args:
        clip: the freeze-time clip.
        path: azimuth and elevation in radians and log distance that it was asked to follow, one row a frame.
        device: where to fit.
    """
    doubted = turned_share(clip, path)
    if doubted == 1:
        return 1.0, False
    found = {share: explained(clip, path, share, device) for share in (1.0, doubted)}
    if found[1.0] < found[doubted] + _CLEARLY:  # else the points are simply wrong
        between = (1 + doubted) / 2
        found[between] = explained(clip, path, between, device)
    return nearest_of_the_best(found), True


def nearest_of_the_best(found: dict[float, float]) -> float:
    """Of the shares that explain a clip about as well (dB by share) as the best does, the one nearest to 1."""
    alike = [share for share, worth in found.items() if worth >= max(found.values()) - _CLEARLY]
    return min(alike, key=lambda share: abs(share - 1))


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
