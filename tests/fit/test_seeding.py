"""Plane-swept seeds lie on the surfaces that the images show."""

from __future__ import annotations

import pytest
import torch

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FieldError
from fourreal.core.paths import arc
from fourreal.fit.seeding import seed_gaussians
from fourreal.fit.static import Targets, render_cameras
from fourreal.fit.stereo import Stereo, depth_maps, focus_distance
from fourreal.metrics import psnr
from fourreal.raster.numba_cpu import render


def textured_wall(count: int = 7, width: int = 96, height: int = 64) -> Targets:
    """Views from an arc of a noisy wall in the plane z = 0, cast exactly: every pixel's ray meets the plane."""
    viewmat = torch.eye(4)
    viewmat[2, 3] = 4.0
    K = torch.tensor([[100.0, 0, width / 2], [0, 100.0, height / 2], [0, 0, 1]])
    start = Cameras(viewmat[None], K[None], width, height)
    cameras = arc(start, torch.zeros(3), count, degrees=30.0)
    v, u = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    rays = torch.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], torch.ones_like(u)], -1)
    frames = []
    for c2w in cameras.c2w:
        directions = rays @ c2w[:3, :3].T
        hit = c2w[:3, 3] - directions * (c2w[2, 3] / directions[..., 2])[..., None]
        x, y = hit[..., 0], hit[..., 1]
        waves = [(5 * x + 3 * y.sin()).sin() * (4 * y + k).cos() + (9 * x * y + k).sin() for k in range(3)]
        frames.append(torch.stack(waves) / 4 + 0.5)
    return Targets(torch.stack(frames), cameras)


def test_seeds_lie_on_the_wall() -> None:
    targets = textured_wall()
    seeds = seed_gaussians(targets, 1400, torch.Generator().manual_seed(0))
    shown = seeds.logit_opacities == 0
    assert 1300 < int(shown.sum()) < 1600, "as many as asked for, and some for what one view alone shows"
    off = seeds.means[shown, 2].abs()
    assert float((off < 0.1).float().mean()) > 0.9, "nine in ten within a fortieth of the distance"


def test_no_part_of_a_picture_stays_without_seeds() -> None:
    targets = textured_wall(3)
    stereo = depth_maps(targets)
    nothing_sure = Stereo(stereo.depth, torch.zeros_like(stereo.votes))
    seeds = seed_gaussians(targets, 300, torch.Generator().manual_seed(0), nothing_sure)
    image = render_cameras(seeds, targets.cameras, render)
    grey = targets.images.mean((2, 3), keepdim=True).expand_as(image)
    assert float(psnr(image, targets.images).min()) > float(psnr(grey, targets.images).min()) - 3


def test_views_that_disagree_are_told_from_those_that_agree() -> None:
    targets = textured_wall()
    broken = targets.images.clone()
    broken[3, :, 20:44, 32:64] = targets.images[3, :, 20:44, 32:64].flip(-1)
    votes = depth_maps(Targets(broken, targets.cameras)).votes[3]
    assert float(votes[24:40, 36:60].float().mean()) < 0.5 * float(votes[:16].float().mean())


def test_smooth_sky_is_far_away() -> None:
    """A picture without any texture matches at every depth; a sky is the likelier guess than fog before the lens."""
    targets = textured_wall()
    sky = targets.images.clone()
    sky[:, :, :24] = torch.tensor([0.4, 0.6, 0.9])[:, None, None]
    depth = depth_maps(Targets(sky, targets.cameras)).depth
    assert float(depth[3, :12].median()) > 10 * float(depth[3, 40:].median())


def test_one_view_has_no_depth() -> None:
    targets = textured_wall()
    with pytest.raises(FieldError, match="two views"):
        depth_maps(Targets(targets.images[:1], targets.cameras[0]))


def test_seeds_already_resemble_the_images() -> None:
    targets = textured_wall()
    seeds = seed_gaussians(targets, 6000, torch.Generator().manual_seed(0))
    image = render_cameras(seeds, targets.cameras[3], render)
    grey = targets.images[3:4].mean((2, 3), keepdim=True).expand_as(image)
    assert float(psnr(image, targets.images[3:4])) > float(psnr(grey, targets.images[3:4])) + 3


def test_the_same_generator_gives_the_same_seeds() -> None:
    targets = textured_wall(3)
    first, second = (seed_gaussians(targets, 300, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first.means, second.means)


def test_focus_is_where_the_cameras_look_or_their_spread() -> None:
    targets = textured_wall()
    assert abs(focus_distance(targets) - 4.0) < 0.05
    alone = Targets(targets.images[:1], targets.cameras[0])
    assert focus_distance(alone) > 0
