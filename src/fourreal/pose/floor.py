"""How high a camera that circles a subject looks down on it: as high as lets the ground pass as it does.

Points followed through a drawn clip hardly tell: ground without texture has none, and those on outlines slide. But the
whole ground moves as one plane, and shading too faint for points adds up over all its pixels.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.video import Video
from fourreal.io.frames import resize_frames

from .base import ELEVATION, pinhole
from .orbit import orbit_viewmats

_WIDTH = 64  # pixels
_ELEVATIONS = (4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0, 22.0, 26.0, 30.0)  # degrees
_HEIGHTS = tuple(0.06 * 1.25**k for k in range(10))  # of the subject's middle above the ground, in distances
_ALIKE = 1.05  # of those that cost at most so much more than the best, the one nearest to the usual
_TELLING = 0.9  # the best must cost so much less than the worst, or the clip does not tell
_APART = 3  # frames between which the ground is compared
_CAP = 0.06  # a pixel's difference counts at most so much, whatever stands before the ground
_FARTHEST = 8.0  # distances
_SEEN = 0.3  # of the pixels at least must show the ground


def floor_elevation(video: Video, path: Float[Tensor, "F 3"], focal: float) -> float | None:
    """Degrees above the horizon at which a path begins, or None if the clip does not tell.

    Of true walks of worlds around their subjects it finds those at 8 to 18 degrees to within two or three
    (`docs/poses.md`).

    Args:
        video: the clip, of a subject on level ground.
        path: azimuth and elevation in radians and log distance of its cameras about the subject; the elevation asked
            for is where these are zero.
        focal: in pixels of the clip.
    """
    if len(video) <= _APART:
        return None
    height = max(1, round(video.height * _WIDTH / video.width))
    images = resize_frames(video.frames, height, _WIDTH)
    Ks = pinhole(focal / video.width * _WIDTH, _WIDTH, height, len(images)).float()
    cost = {}
    for elevation in _ELEVATIONS:
        cameras = Cameras(orbit_viewmats(path.double(), elevation).float(), Ks, _WIDTH, height)
        cost[elevation] = min(_contradiction(images, cameras, above) for above in _HEIGHTS)
    least, most = min(cost.values()), max(cost.values())
    if not math.isfinite(least) or (math.isfinite(most) and least > _TELLING * most):
        return None
    alike = [elevation for elevation, value in cost.items() if value <= _ALIKE * least]
    return min(alike, key=lambda elevation: abs(elevation - ELEVATION))


def _contradiction(images: Float[Tensor, "F 3 H W"], cameras: Cameras, above: float) -> float:
    """Mean difference between frames where both look at a plane so far below the origin; inf if few pixels do."""
    here = torch.arange(len(images) - _APART)
    there = here + _APART
    total, count = 0.0, 0
    for one, other in ((here, there), (there, here)):
        difference, shown = _across_plane(images, cameras, one, other, above)
        total += float((difference * shown).sum())
        count += int(shown.sum())
    pixels = 2 * len(here) * images.shape[-1] * images.shape[-2]
    return total / count if count > _SEEN * pixels else math.inf


def _across_plane(images: Tensor, cameras: Cameras, one: Tensor, other: Tensor, above: float) -> tuple[Tensor, Tensor]:
    """[P, H W] capped difference of each `one` to what its `other` shows of the plane y = -above, and where both do."""
    height, width = images.shape[-2:]
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    pixels = torch.stack((x, y, torch.ones_like(x)), -1).flatten(0, 1) @ torch.linalg.inv(cameras.Ks[0]).T
    rays = pixels @ cameras.viewmats[one, :3, :3]
    eyes = cameras.positions[one][:, None]
    depth = (-above - eyes[..., 1]) / rays[..., 1]
    seen = cameras.viewmats[other][:, None, :3, 3] + (eyes + rays * depth[..., None]) @ cameras.viewmats[
        other, :3, :3
    ].transpose(1, 2)
    at = seen @ cameras.Ks[0].T
    at = at[..., :2] / at[..., 2:].clamp_min(1e-3) / at.new_tensor([width / 2, height / 2]) - 1
    shown = (rays[..., 1] < 0) & (depth > 0) & (depth < _FARTHEST) & (seen[..., 2] > 0) & (at.abs() < 1).all(-1)
    found = F.grid_sample(images[other], at[:, None], align_corners=False)[:, :, 0]
    return (found - images[one].flatten(2)).abs().mean(1).clamp(max=_CAP), shown
