"""A block of two colours on the ground that turns about itself, filmed with exact cameras."""

from __future__ import annotations

from dataclasses import replace

import torch

from fourreal.core.cameras import Cameras
from fourreal.core.gaussians import Gaussians
from fourreal.core.geometry import look_at, quat_exp, quat_multiply, quat_to_matrix
from fourreal.deform.room import Room
from fourreal.fit.clips import Clips
from fourreal.fit.spin import Spin
from fourreal.fit.static import Targets
from fourreal.raster.base import Splats, Views
from fourreal.raster.numba_cpu import render

UP, SPOT = torch.tensor([0.0, -1.0, 0.0]), torch.tensor([0.1, 0.0, 0.0])
FRAMES, INSTANT, HEIGHT, WIDTH, BODY = 12, 5, 54, 96, 900
SIZE = torch.tensor([0.8, 0.4, 0.3])


def scene() -> Gaussians:
    """A block, orange where the frozen cameras stand and blue behind, on the ground."""
    g = torch.Generator().manual_seed(4)
    body = (torch.rand(BODY, 3, generator=g) - 0.5) * SIZE
    colors = torch.where(body[:, 2:] < 0, torch.tensor([0.9, 0.5, 0.1]), torch.tensor([0.1, 0.2, 0.9]))
    ground = torch.rand(900, 3, generator=g) * torch.tensor([8.0, 0.0, 8.0]) + torch.tensor([-4.0, 0.3, -4.0])
    means = torch.cat([body + SPOT, ground])
    sizes = torch.cat([torch.full((BODY, 3), 0.04), torch.full((900, 3), 0.2)]).log()
    quats = torch.tensor([1.0, 0, 0, 0]).repeat(len(means), 1)
    colors = torch.cat([colors, torch.tensor([0.3, 0.6, 0.3]).expand(900, 3)])
    return Gaussians(means, quats, sizes, torch.full((len(means),), 4.0), colors)


def seen_from(*degrees: float) -> Cameras:
    """Cameras round the body, 2.5 away; 0 is before its orange side."""
    angles = torch.deg2rad(torch.tensor(degrees))
    places = torch.stack([2.5 * angles.sin(), torch.full_like(angles, -0.7), -2.5 * angles.cos()], 1)
    K = torch.tensor([[90.0, 0, 48], [0, 90.0, 27], [0, 0, 1]]).expand(len(angles), 3, 3)
    viewmats = look_at(places, torch.zeros(3), UP)
    return Cameras(viewmats, K.clone(), WIDTH, HEIGHT, torch.arange(float(len(angles))))


def pictures(gaussians: Gaussians, cameras: Cameras) -> Targets:
    with torch.no_grad():
        return Targets(
            render(Splats.of(gaussians), Views(cameras.viewmats, cameras.Ks, WIDTH, HEIGHT), None).color, cameras
        )


def turning(speed: float) -> tuple[Clips, Spin]:
    """The body turns by `speed` degrees a frame and wanders, before a camera at rest; the walk is of 120 degrees."""
    angles = torch.deg2rad(speed * (torch.arange(FRAMES) - INSTANT))
    places = torch.zeros(FRAMES, 3)
    places[:, 0] = 0.02 * (torch.arange(FRAMES) - INSTANT)
    whole, camera = scene(), seen_from(0.0)
    frames = []
    for angle, place in zip(angles, places, strict=True):
        turn = quat_exp(angle * UP)
        means, quats = whole.means.clone(), whole.quats.clone()
        means[:BODY] = (means[:BODY] - SPOT) @ quat_to_matrix(turn).T + SPOT + place
        quats[:BODY] = quat_multiply(turn.expand(BODY, 4), quats[:BODY])
        frames.append(pictures(replace(whole, means=means, quats=quats), camera).images[0])
    rest = Cameras(
        camera.viewmats.repeat(FRAMES, 1, 1), camera.Ks.repeat(FRAMES, 1, 1), WIDTH, HEIGHT, torch.arange(float(FRAMES))
    )
    walk = pictures(whole, seen_from(*(10.0 * i - 60 for i in range(13))))
    room = Room(SPOT, UP, torch.tensor(0.6), torch.tensor(-0.25))
    return Clips(walk, Targets(torch.stack(frames), rest), 6, INSTANT), Spin(angles, places, room, 0.5)


def half() -> tuple[Gaussians, torch.Tensor]:
    """What the walk saw of it: the orange half, and which Gaussians are the body."""
    whole = scene()
    kept = (torch.arange(len(whole)) >= BODY) | (whole.means[:, 2] < 0)
    return Gaussians(**{k: v[kept] for k, v in whole.tensors().items()}), (torch.arange(len(whole)) < BODY)[kept]
