"""A plain deformable 3DGS beside ours: one field over time, fitted to all frames together.

As Deformable-3D-Gaussians does it (Yang et al., arXiv 2309.13101): Gaussians and a field w(x, t), first the Gaussians
alone, then both, every frame with its own time; L1 and D-SSIM, no regulariser; the field is zero nowhere by
construction. The frozen clip's frames all have one time, so nothing explains their differences. The rasterizer, the
seeds, the rates, the density control, the kind of field and the number of full-size views are those of our recipe.
Left out: the noise on times of its real-scene setting, which is for wrong poses.
"""

from __future__ import annotations

import time

import torch

from fourreal.core.cameras import Cameras
from fourreal.core.paths import look_target
from fourreal.deform import NodeConfig, Space
from fourreal.fit.clips import Clips
from fourreal.fit.formed import field_of
from fourreal.fit.loop import Evaluation, Objective, fit
from fourreal.fit.losses import IMAGE_LOSSES, SPLAT_LOSSES
from fourreal.fit.phases import Growth, Phase, Rate
from fourreal.fit.seeding import seed_gaussians
from fourreal.fit.state import FitState
from fourreal.fit.static import Targets
from fourreal.fit.stereo import focus_distance
from fourreal.raster import Rasterizer, Splats, Views, select
from fourreal.recipes import canonical_default, temporal_default
from fourreal.stages.trial import Lifted, lifted

_VIEWS = 4  # a step


def plain_lift(clips: Clips, *, effort: float, seed: int, seeds: int) -> Lifted:
    """The baseline on the same clips."""
    begun = time.perf_counter()
    both = _together(clips)
    device = both.images.device
    gaussians = seed_gaussians(clips.freeze, seeds, torch.Generator().manual_seed(seed))
    assert clips.reference is not None
    count = len(clips.reference.cameras) + 1  # the field is zero at the last index, which no frame has
    space = Space(
        look_target(clips.freeze.cameras).to(device), focus_distance(clips.freeze) * gaussians.means.new_tensor(0.5)
    )
    field = NodeConfig().build(gaussians.means, count, count - 1, space=space)
    state = FitState.begin(gaussians, clips.freeze.extent(), seed, {"motion": field})
    state = fit(state, _phases(effort), _objective(both, select(device)))
    return lifted(state, clips, time.perf_counter() - begun)


def _together(clips: Clips) -> Targets:
    """All frames of both clips, each at its time."""
    assert clips.reference is not None
    a, b = clips.freeze, clips.reference
    still = torch.full((len(a.cameras),), float(clips.instant), device=a.images.device)
    cameras = Cameras(
        torch.cat([a.cameras.viewmats, b.cameras.viewmats]),
        torch.cat([a.cameras.Ks, b.cameras.Ks]),
        a.cameras.width,
        a.cameras.height,
        torch.cat([still, b.cameras.moments]),
    )
    return Targets(torch.cat([a.images, b.images]), cameras)


def _phases(effort: float) -> tuple[Phase, ...]:
    """As many views of full size as our recipe shows: warm-up as ours, then Gaussians and field together."""
    coarse, *rest = (*canonical_default(effort), *temporal_default(effort))
    views = sum(p.steps * (p.views + p.frames) for p in rest)
    rates = {k: v for k, v in rest[0].rates.items() if k not in ("warp", "poses")} | {"motion": Rate(3e-3, 1e-4)}
    growth = Growth(max_gaussians=40_000, stop=0.6)
    losses = {"l1": 0.8, "dssim": 0.2, "haze": 0.003}
    both = Phase("plain", max(1, views // _VIEWS), rates, losses, views=_VIEWS, fields=("motion",), growth=growth)
    return coarse, both


def _objective(targets: Targets, render: Rasterizer) -> Objective:
    pyramid: dict[int, Targets] = {}

    def objective(state: FitState, phase: Phase) -> Evaluation:
        level = pyramid.setdefault(phase.shrink, targets.shrunk(phase.shrink))
        index = torch.randperm(len(level.cameras), generator=state.generator)[: phase.views].to(level.images.device)
        cameras, truth = level.cameras[index], level.images[index]
        splats = state.splats()
        if "motion" in phase.fields:
            p = state.params
            moved = field_of(state, "motion").offsets(p["means"], cameras.moments)
            means, quats, log_scales = moved.apply(p["means"], p["quats"], p["log_scales"])
            splats = Splats(means, quats, log_scales.exp(), splats.opacities, splats.colors)
        views = Views(cameras.viewmats, cameras.Ks, cameras.width, cameras.height)
        rendering = render(splats, views, None, absgrad=phase.growth is not None)
        terms = {k: IMAGE_LOSSES[k](rendering.color, truth) for k in phase.losses if k in IMAGE_LOSSES}
        drawn = (rendering.radii > 0).all(-1).any(0)
        terms |= {k: SPLAT_LOSSES[k](splats.opacities, drawn) for k in phase.losses if k in SPLAT_LOSSES}
        loss = torch.stack([phase.losses[k] * v for k, v in terms.items()]).sum()
        return Evaluation(loss, {k: v.detach() for k, v in terms.items()}, rendering)

    return objective
