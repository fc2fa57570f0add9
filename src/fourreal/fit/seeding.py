"""First Gaussians from posed images alone: a plane sweep gives sample pixels a depth (Collins 1996, CVPR).

For cameras that come with structure-from-motion points those are the better start; this one needs only images.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from fourreal.core.errors import FieldError
from fourreal.core.gaussians import Gaussians
from fourreal.core.geometry import knn
from fourreal.core.paths import look_target

from .static import Targets

_COARSE, _FINE = 96, 7  # depth candidates of the first sweep and of each refinement
_NEIGHBOURS = 5  # other views a pixel is compared with; the better half counts, so that occlusion does not
_NEAR, _FAR = 0.4, 200.0  # swept range, in distances from the cameras to where they look
_VOTERS, _VOTES = 12, 2  # of its nearest seeds, how many must be close and from another view
_FAR_SIZE = 0.9  # seeds at the far end of the sweep need no neighbours
_FAR_BONUS = 0.001  # a far plane this much worse than the best still wins: textureless sky matches at every depth


@torch.no_grad()
def seed_gaussians(targets: Targets, count: int, generator: torch.Generator) -> Gaussians:
    """At most `count` Gaussians at pixels of `targets`, at swept depths, as large as their share of it.

    Returns float32 Gaussians on the device of `targets`: round, opacity 0.5, coloured like their pixel.
    """
    views, pixels = len(targets.cameras), targets.images.shape[2] * targets.images.shape[3]
    per_view = max(1, min(count // views, pixels))
    features = _patches(targets.images)
    focus = focus_distance(targets)
    means, sizes, colors = [], [], []
    for view in range(views):
        picked = torch.randperm(pixels, generator=generator)[:per_view].to(targets.images.device)
        depth = _sweep(targets, features, view, picked, focus)
        means.append(_unproject(targets, view, picked, depth[:, None])[:, 0])
        spacing = (pixels / per_view) ** 0.5 / targets.cameras.Ks[view, 0, 0]
        sizes.append(0.6 * spacing * depth)
        colors.append(targets.images[view].flatten(1)[:, picked].T)
    size, color, mean = torch.cat(sizes), torch.cat(colors), torch.cat(means)
    kept = _agreed(mean, size, per_view) | (size >= _FAR_SIZE * size.max())
    size, color, mean = size[kept], color[kept], mean[kept]
    quats = torch.zeros(len(mean), 4, device=mean.device)
    quats[:, 0] = 1
    log_scales = size.log()[:, None].expand(-1, 3).contiguous()
    return Gaussians(mean, quats, log_scales, torch.zeros_like(size), color)


def _agreed(means: Tensor, sizes: Tensor, per_view: int) -> Tensor:
    """[N] whether enough seeds of other views lie nearby: surfaces are found from several sides, mismatches are not.

    `means` [N, 3] are ordered by view, `per_view` each.
    """
    count = min(_VOTERS, len(means) - 1)
    if count < 1:
        return torch.ones(len(means), dtype=torch.bool, device=means.device)
    distance, index = (x.to(means.device) for x in knn(means.cpu(), count))
    view = torch.arange(len(means), device=means.device) // per_view
    near = (distance < 3 * sizes[:, None]) & (view[index] != view[:, None])
    return near.sum(1) >= _VOTES


def focus_distance(targets: Targets) -> float:
    """Median distance of the cameras from what they look at; their spread if they look at no common point."""
    try:
        target = look_target(targets.cameras).to(targets.cameras.viewmats)
    except FieldError:
        return targets.extent()
    return float((targets.cameras.positions - target).norm(dim=1).median())


def _patches(images: Tensor) -> Tensor:
    """[V, 27, H, W]: each pixel's 3x3 neighbourhood, so that edges count and not colour alone."""
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
    return F.unfold(padded, 3).unflatten(2, images.shape[2:])


def _sweep(targets: Targets, features: Tensor, view: int, picked: Tensor, focus: float) -> Tensor:
    """[P] depth of the pixels `picked` (flat indices) of `view`."""
    near, far = 1 / (_NEAR * focus), 1 / (_FAR * focus)
    steps = torch.linspace(far, near, _COARSE, device=picked.device)
    disparity = steps.expand(len(picked), -1)
    cost = _cost(targets, features, view, picked, disparity)
    best = cost.argmin(1)
    is_far = cost[:, 0] <= cost.gather(1, best[:, None])[:, 0] + _FAR_BONUS
    best[is_far] = 0
    found = steps[best]
    width = float(steps[1] - steps[0])
    for _ in range(2):
        width /= (_FINE - 1) / 2
        around = torch.arange(_FINE, device=picked.device) - _FINE // 2
        disparity = (found[:, None] + around * width).clamp(far, near)
        cost = _cost(targets, features, view, picked, disparity)
        refined = disparity.gather(1, cost.argmin(1)[:, None])[:, 0]
        found = torch.where(is_far, found, refined)
    return 1 / found


def _cost(targets: Targets, features: Tensor, view: int, picked: Tensor, disparity: Tensor) -> Tensor:
    """[P, D] mean absolute patch difference to the better half of the neighbouring views."""
    cameras = targets.cameras
    points = _unproject(targets, view, picked, 1 / disparity)  # [P, D, 3]
    own = features[view].flatten(1)[:, picked]  # [27, P]
    costs = []
    for other in _neighbours(targets, view):
        world_to_camera, K = cameras.viewmats[other], cameras.Ks[other]
        local = points @ world_to_camera[:3, :3].T + world_to_camera[:3, 3]
        z = local[..., 2].clamp(min=1e-6)
        u = (local[..., 0] / z * K[0, 0] + K[0, 2]) / cameras.width * 2 - 1
        v = (local[..., 1] / z * K[1, 1] + K[1, 2]) / cameras.height * 2 - 1
        grid = torch.stack([u, v], -1)[None]
        sampled = F.grid_sample(features[other][None], grid, align_corners=False, padding_mode="border")[0]
        cost = (sampled - own[:, :, None]).abs().mean(0)
        outside = (u.abs() > 1) | (v.abs() > 1) | (local[..., 2] <= 1e-6)
        costs.append(torch.where(outside, 0.3, cost))  # unseen: as bad as a clear mismatch
    ordered = torch.stack(costs).sort(0).values
    return ordered[: max(1, len(costs) // 2 + 1)].mean(0)


def _neighbours(targets: Targets, view: int) -> list[int]:
    """The views nearest to `view`, by position and direction."""
    cameras = targets.cameras
    distance = (cameras.positions - cameras.positions[view]).norm(dim=1) / targets.extent()
    turn = 1 - cameras.viewmats[:, 2, :3] @ cameras.viewmats[view, 2, :3]
    order = (distance + turn).argsort().tolist()
    return [i for i in order if i != view][:_NEIGHBOURS]


def _unproject(targets: Targets, view: int, picked: Tensor, depth: Float[Tensor, "P D"]) -> Float[Tensor, "P D 3"]:
    """World points of pixel centres at camera-space depths."""
    cameras = targets.cameras
    K, world_to_camera = cameras.Ks[view], cameras.viewmats[view]
    x = (picked % cameras.width + 0.5 - K[0, 2]) / K[0, 0]
    y = (picked // cameras.width + 0.5 - K[1, 2]) / K[1, 1]
    rays = torch.stack([x, y, torch.ones_like(x)], -1)
    local = rays[:, None] * depth[..., None]
    return (local - world_to_camera[:3, 3]) @ world_to_camera[:3, :3]
