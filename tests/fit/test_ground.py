"""The plane a scene stands on: found among clutter, told from walls, and good for what has no texture."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.geometry import look_at, quat_to_matrix
from fourreal.fit.ground import Places, Plane, Rays, ground_plane, level_ground
from fourreal.fit.seeding import seed_gaussians
from fourreal.fit.static import Targets, views_of
from fourreal.fit.stereo import Stereo, depth_maps
from fourreal.raster.base import Splats
from fourreal.raster.numba_cpu import render

UP = torch.tensor([0.0, 0.0, 1.0])
HEIGHT, WIDTH, FOCAL = 48, 80, 70.0


def ring(count: int = 9, degrees: float = 60.0, up: float = 1.0, distance: float = 4.0) -> Cameras:
    """Cameras on an arc about the origin, all at one height above the plane z = 0."""
    turn = torch.deg2rad(torch.linspace(-degrees / 2, degrees / 2, count))
    eyes = torch.stack([distance * turn.cos(), distance * turn.sin(), torch.full_like(turn, up)], -1)
    w2c = torch.stack([look_at(e, torch.zeros(3), UP) for e in eyes])
    K = torch.tensor([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1.0]])
    return Cameras(w2c, K.expand(count, 3, 3).contiguous(), WIDTH, HEIGHT)


def rays_of(cameras: Cameras) -> Rays:
    return Rays.through(cameras.viewmats, cameras.Ks, cameras.height, cameras.width)


def field_with_a_snow_patch(cameras: Cameras) -> tuple[Targets, Tensor]:
    """Ground with texture within 3 units of the middle and none beyond, under a plain sky; and its true disparity."""
    rays = rays_of(cameras)
    disparity = Plane(UP, 0.0).disparity(rays)
    hit = rays.origins[:, None, None] + rays.directions / disparity.clamp_min(1e-6)[..., None]
    x, y = hit[..., 0], hit[..., 1]
    waves = torch.stack([(6 * x + k).sin() * (5 * y + 2 * x).cos() + (7 * x * y + k).sin() for k in range(3)], 1)
    near = ((x.square() + y.square()).sqrt() < 3.0)[:, None]
    white, blue = torch.full_like(waves, 0.9), torch.tensor([0.3, 0.5, 0.9])[:, None, None].expand_as(waves)
    images = torch.where(near, waves / 4 + 0.5, white)
    return Targets(torch.where((disparity > 0)[:, None], images, blue).contiguous(), cameras), disparity


def seen(points: Tensor, cameras: Cameras) -> tuple[Tensor, Tensor]:
    """Disparity maps in which scattered points are sure and all else is not."""
    disparity = torch.zeros(len(cameras), HEIGHT, WIDTH)
    for v in range(len(cameras)):
        local = points @ cameras.viewmats[v, :3, :3].T + cameras.viewmats[v, :3, 3]
        pixel = (local @ cameras.Ks[v].T)[:, :2] / local[:, 2:]
        inside = (local[:, 2] > 0.1) & (pixel >= 0).all(1) & (pixel < pixel.new_tensor([WIDTH, HEIGHT])).all(1)
        x, y = pixel[inside].long().unbind(1)
        disparity[v, y, x] = 1 / local[inside, 2]
    return disparity, disparity > 0


def places_of(points: Tensor, cameras: Cameras) -> Places:
    disparity, sure = seen(points, cameras)
    return Places.of(rays_of(cameras), disparity, sure, 0.01, torch.Generator().manual_seed(0))


def found(points: Tensor, cameras: Cameras) -> Plane | None:
    return ground_plane(places_of(points, cameras), UP, torch.Generator().manual_seed(0))


def under(points: Tensor, cameras: Cameras) -> Plane | None:
    """The level ground under what is about the origin."""
    return level_ground(places_of(points, cameras), UP, torch.zeros(3), 1.2)


def scattered(count: int, low: tuple[float, float, float], high: tuple[float, float, float]) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.tensor(low) + torch.rand(count, 3, generator=generator) * (torch.tensor(high) - torch.tensor(low))


def test_the_ground_is_found_under_clutter() -> None:
    ground, clutter = scattered(1500, (-2, -2, 0), (2, 2, 0)), scattered(1500, (-0.7, -0.7, 0), (0.7, 0.7, 1.5))
    plane = found(torch.cat((ground, clutter)), ring())
    assert plane is not None
    assert float(plane.normal @ UP) > math.cos(math.radians(2))
    assert abs(plane.offset) < 0.05


@pytest.mark.parametrize(
    "points",
    [
        scattered(2000, (-1, -1, 0), (1, 1, 1.5)),  # a cloud without a floor
        scattered(2000, (-1, -1, 0), (-1, 1, 1.5)),  # a wall
        torch.cat((scattered(600, (-2, -2, 0), (2, 2, 0)), scattered(1400, (-1, -1, -1), (1, 1, -0.3)))),  # glass
        scattered(8, (-2, -2, 0), (2, 2, 0)),
    ],
    ids=["cloud", "wall", "much lies below", "hardly anything"],
)
def test_what_is_no_ground_is_not_taken_for_one(points: Tensor) -> None:
    assert found(points, ring()) is None


def test_what_stands_on_a_smooth_road_says_where_it_is() -> None:
    car = scattered(2000, (-0.7, -0.7, 0), (0.7, 0.7, 0.8))
    wheels = scattered(150, (-0.7, -0.7, 0), (0.7, 0.7, 0.01))
    road = torch.cat((car, wheels))
    assert found(road, ring()) is None, "too little of the ground is seen for a plane of its own"
    plane = under(road, ring())
    assert plane is not None
    assert torch.equal(plane.normal, UP)
    assert abs(plane.offset) < 0.08
    far = torch.cat((road, scattered(2000, (-2, 1.5, -0.8), (2, 2, -0.7))))
    ditch = under(far, ring())
    assert ditch is not None, "what lies lower farther away is not asked"
    assert abs(ditch.offset) < 0.08


def test_what_touches_the_road_with_a_round_foot_says_so_too() -> None:
    generator = torch.Generator().manual_seed(1)
    ball = torch.nn.functional.normalize(torch.randn(2000, 3, generator=generator), dim=1)
    plane = under(ball * torch.tensor([0.4, 0.4, 0.6]) + torch.tensor([0.0, 0.0, 0.6]), ring())
    assert plane is not None, "hardly four points of a hundred are near the ground"
    assert abs(plane.offset) < 0.08


def test_what_has_much_below_it_stands_on_nothing() -> None:
    sheet, below = scattered(600, (-0.7, -0.7, 0), (0.7, 0.7, 0)), scattered(400, (-0.5, -0.5, -1), (0.5, 0.5, 0))
    plane = under(torch.cat((sheet, below)), ring())
    assert plane is None or plane.offset < -0.5
    assert under(scattered(8, (-0.7, -0.7, 0), (0.7, 0.7, 0)), ring()) is None


def test_ground_without_texture_lies_on_the_plane_and_sky_far_away() -> None:
    targets, disparity = field_with_a_snow_patch(ring())
    maps = depth_maps(targets)
    assert maps.ground is not None
    ground = (disparity > 0.05) & (disparity < 0.16)  # behind the texture, below the horizon
    off = (1 / maps.depth - disparity).abs()
    assert float(off[ground].median()) < 0.02
    sky = 1 / maps.depth[:, :4]
    assert float((sky < 0.05).float().mean()) > 0.9


def test_a_camera_that_sees_a_little_more_than_the_clip_finds_no_hole() -> None:
    targets, _ = field_with_a_snow_patch(ring())
    seeds = seed_gaussians(targets, 2000, torch.Generator().manual_seed(0))
    wider = targets.cameras[[0, 4, 8]]
    wider = Cameras(wider.viewmats, wider.Ks * torch.tensor([[0.75], [0.75], [1.0]]) + _middle(0.25), WIDTH, HEIGHT)
    out = render(Splats(seeds.means, seeds.quats, seeds.scales, seeds.opacities, seeds.colors), views_of(wider), None)
    margin = torch.ones(HEIGHT, WIDTH, dtype=torch.bool)
    margin[6:-6, 10:-10] = False
    assert float(out.alpha.reshape(3, HEIGHT, WIDTH)[:, margin].quantile(0.05)) > 0.6


def _middle(share: float) -> Tensor:
    """What keeps the principal point in the middle of a picture whose focal length shrinks by `share`."""
    out = torch.zeros(3, 3)
    out[0, 2], out[1, 2] = share * WIDTH / 2, share * HEIGHT / 2
    return out


def test_seeds_on_the_ground_lie_flat_and_others_are_round() -> None:
    targets, disparity = field_with_a_snow_patch(ring())
    votes = torch.full((len(targets.cameras), HEIGHT, WIDTH), 5)
    depth = 1 / disparity.clamp_min(0.01)
    flat = seed_gaussians(
        targets, 500, torch.Generator().manual_seed(0), Stereo(depth, votes, Plane(UP, 0.0), farthest=100.0)
    )
    near = flat.means[:, 2].abs() < 1e-3
    assert float(near.float().mean()) > 0.3
    tall = _height(flat.quats, flat.scales)[near]
    assert bool((tall < 0.25 * flat.scales[near].amax(1)).all())
    round_ones = seed_gaussians(targets, 500, torch.Generator().manual_seed(0), Stereo(depth, votes))
    assert torch.equal(round_ones.log_scales[:, 0], round_ones.log_scales[:, 2])


def _height(quats: Tensor, scales: Tensor) -> Tensor:
    """[N] standard deviation of each Gaussian along the vertical."""
    return (quat_to_matrix(quats)[:, 2] * scales).norm(dim=1)
