"""A first guess of the motion from points followed through the reference clip, before any picture is compared.

Comparing pictures moves a part by a pixel or two until colours fit again; what moves farther finds another place whose
colours fit, and fades or tears there. Followed points know where parts went, and rigidity carries what they do not show
along: the tracks of Shape of Motion (arXiv 2407.13764) and MoSca (arXiv 2405.17421), from corners instead of a network.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.gaussians import Gaussians
from fourreal.core.record import Recorder
from fourreal.deform.losses import diff, neighbourhood, rigidity, rotation_similarity, turns_of
from fourreal.deform.nodes import NodeField, farthest_points
from fourreal.raster.base import Rasterizer, Rendering, Splats, Views

from .clips import Clips

_STEPS = 120
_RATE, _LAST = 2e-2, 0.05  # Adam's, and the share of it that is left at the end
RIGID, DIFF = 5.0, 0.01  # weights beside the distance from followed points
_SOFT = 0.02  # of the picture's height: distances beyond count linearly (Huber), for some points are lost unnoticed
_APART = 4.0  # pixels between a followed point and the nearest Gaussian, at its depth; farther ones lie on an edge
SUPPORT, NEIGHBOURS = 600, 12  # further Gaussians that rigidity ties to them, and to how many others each
_SOLID = 0.3  # opacity and coverage below which nothing is there to follow
LEAST = 4  # points that a guess needs


class Followed(NamedTuple):
    """Points of the instant's picture, followed through the reference clip.

    Attributes:
        xy: [F, M, 2] pixels of the clip's pictures, centres at +0.5.
        seen: [F, M] where they were found; all of them at the instant.
    """

    xy: Float[Tensor, "F M 2"]
    seen: Bool[Tensor, "F M"]


def guess_motion(
    motion: NodeField,
    gaussians: Gaussians,
    clips: Clips,
    followed: Followed,
    render: Rasterizer,
    busy: Bool[Tensor, " N"] | None = None,
) -> int:
    """Move `motion`, at rest, to where it takes points of the scene along `followed`; how many points told it.

    Huber's loss of the distances in the picture, 5 (local rigidity + similarity of rotations) and 0.01 L_diff, over all
    frames at once. Deterministic. With fewer than four points on the scene the motion stays at rest.

    Args:
        motion: nodes, bound to the Gaussians.
        gaussians: of the canonical scene.
        clips: with a reference.
        followed: points of its instant.
        render: the rasterizer.
        busy: Gaussians that may move.
    """
    assert clips.reference is not None
    cameras, device = clips.reference.cameras, gaussians.means.device
    index, wanted, seen = places_of(followed, gaussians, clips, render)
    if len(index) < LEAST:
        return 0
    pool = torch.arange(len(gaussians.means), device=device) if busy is None or not busy.any() else busy.nonzero()[:, 0]
    chosen = torch.cat([index, pool[farthest_points(gaussians.means[pool], SUPPORT)]])
    means = gaussians.means[chosen]
    motion.rebind(means)
    near = neighbourhood(means, min(NEIGHBOURS, len(means) - 1))
    moments, recorder = cameras.moments.to(device), Recorder()

    def missed_by() -> dict[str, Tensor]:
        offsets = motion.offsets(means, moments)
        moved, turns = means + offsets.means, turns_of(offsets)
        missed = huber(cameras.project(moved[:, : len(index)])[0] - wanted, cameras.height)
        tied = rigidity(moved, turns, near, motion.unit) + rotation_similarity(turns, near)
        told = torch.where(seen, missed, 0.0).sum() / seen.sum()
        return {"loss": told + RIGID * tied + DIFF * diff(moved, motion.unit)}

    optimizer = torch.optim.Adam([motion.motions], _RATE)
    for step in range(_STEPS):
        optimizer.param_groups[0]["lr"] = _RATE * _LAST ** (step / _STEPS)
        optimizer.zero_grad(set_to_none=True)
        recorder.run("guess", missed_by, [motion.motions])["loss"].backward()
        optimizer.step()
    motion.rebind(gaussians.means)
    return len(index)


@torch.no_grad()
def places_of(
    followed: Followed, gaussians: Gaussians, clips: Clips, render: Rasterizer
) -> tuple[Int64[Tensor, " K"], Float[Tensor, "F K 2"], Bool[Tensor, "F K"]]:
    """Gaussians that carry followed points, the pixels where each frame should show them, and whether it was seen."""
    assert clips.reference is not None
    camera, means = clips.reference.cameras[[clips.instant]], gaussians.means
    xy, seen = followed.xy.to(means), followed.seen.to(means.device)
    index, good = carriers(gaussians, camera, xy[clips.instant], drawn(gaussians, camera, render))
    # Gaussians need not lie on the very point: they follow its way.
    wanted = xy - xy[clips.instant] + camera.project(means[index])[0]
    return index[good], wanted[:, good], seen[:, good]


def huber(apart: Float[Tensor, "*N 2"], height: int) -> Float[Tensor, "*N"]:
    """Huber's loss of distances given in pixels, in heights of the picture."""
    far = apart.norm(dim=-1) / height
    return torch.where(far < _SOFT, far.square() / (2 * _SOFT), far - _SOFT / 2)


@torch.no_grad()
def drawn(gaussians: Gaussians, camera: Cameras, render: Rasterizer) -> Rendering:
    """What one camera sees of the scene."""
    return render(Splats.of(gaussians), Views(camera.viewmats, camera.Ks, camera.width, camera.height), None)


@torch.no_grad()
def carriers(
    gaussians: Gaussians, camera: Cameras, xy: Float[Tensor, "M 2"], rendering: Rendering
) -> tuple[Int64[Tensor, " M"], Bool[Tensor, " M"]]:
    """The Gaussian nearest to the surface under each pixel of one camera's picture, and whether it is near enough."""
    x = xy[:, 0].long().clamp(0, camera.width - 1)
    y = xy[:, 1].long().clamp(0, camera.height - 1)
    cover = rendering.alpha[0, 0, y, x]
    depth = rendering.depth[0, 0, y, x] / cover.clamp_min(1e-6)
    points = camera.unproject(xy[None], depth[None])[0]
    solid = (gaussians.opacities > _SOLID).nonzero()[:, 0]
    if len(solid) == 0 or len(xy) == 0:
        return solid.new_zeros(len(xy)), torch.zeros(len(xy), dtype=torch.bool, device=xy.device)
    gap, nearest = torch.cdist(points, gaussians.means[solid]).min(1)
    return solid[nearest], (cover > _SOLID) & (gap * camera.Ks[0, 0, 0] < _APART * depth)
