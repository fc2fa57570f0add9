"""Followed points give the motion a first guess: parts go where their points went, hidden sides turn along."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.gaussians import Gaussians
from fourreal.core.geometry import quat_exp, quat_to_matrix
from fourreal.deform import NodeConfig, Space
from fourreal.deform.nodes import NodeField
from fourreal.fit.clips import Clips
from fourreal.fit.guess import Followed, guess_motion
from fourreal.fit.static import Targets
from fourreal.raster.numba_cpu import render

FRAMES, INSTANT, HEIGHT, WIDTH = 5, 1, 36, 64


def ball(count: int = 400) -> Gaussians:
    """A solid ball of radius 0.5 about the origin, points spread evenly over its surface."""
    share = (torch.arange(count) + 0.5) / count
    polar, around = torch.acos(1 - 2 * share), math.pi * (1 + math.sqrt(5)) * torch.arange(count)
    places = torch.stack([polar.sin() * around.cos(), polar.cos(), polar.sin() * around.sin()], -1)
    quats = torch.tensor([1.0, 0, 0, 0]).expand(count, 4).clone()
    return Gaussians(0.5 * places, quats, torch.full((count, 3), -3.0), torch.full((count,), 4.0), places * 0 + 0.5)


def clips() -> Clips:
    viewmat = torch.eye(4)
    viewmat[2, 3] = 3.0  # three in front of the camera
    K = torch.tensor([[64.0, 0, 32], [0, 64, 18], [0, 0, 1]])
    cameras = Cameras(
        viewmat.expand(FRAMES, 4, 4).clone(), K.expand(FRAMES, 3, 3).clone(), WIDTH, HEIGHT, torch.arange(FRAMES * 1.0)
    )
    images = torch.zeros(FRAMES, 3, HEIGHT, WIDTH)
    return Clips(Targets(images, cameras), Targets(images, cameras), 0, INSTANT)


def turned(means: Tensor) -> Tensor:
    """[F, N, 3] the ball turning by 4 degrees a frame about the vertical and going to the right, from the instant."""
    steps = torch.arange(FRAMES) - INSTANT
    turns = quat_to_matrix(quat_exp(torch.deg2rad(4.0 * steps)[:, None] * torch.tensor([0.0, 1.0, 0.0])))
    return means @ turns.transpose(1, 2) + steps[:, None, None] * torch.tensor([0.1, 0.0, 0.0])


def pixels(points: Tensor) -> Tensor:
    local = points + torch.tensor([0.0, 0.0, 3.0])
    return 64 * local[..., :2] / local[..., 2:] + torch.tensor([32.0, 18.0])


def field(gaussians: Gaussians) -> NodeField:
    space = Space(torch.zeros(3), torch.tensor(1.0))
    return NodeConfig(nodes=48).build(gaussians.means, FRAMES, INSTANT, space=space)


def seen_from_the_front(gaussians: Gaussians) -> Followed:
    front = gaussians.means[:, 2] < -0.2
    xy = pixels(turned(gaussians.means[front]))
    return Followed(xy, torch.ones(xy.shape[:2], dtype=torch.bool))


def test_the_hidden_side_turns_with_the_one_that_is_seen() -> None:
    gaussians, motion = ball(), field(ball())
    told = guess_motion(motion, gaussians, clips(), seen_from_the_front(gaussians), render)
    assert told > 50
    truth = turned(gaussians.means)
    with torch.no_grad():
        moved = gaussians.means + motion.offsets(gaussians.means, torch.arange(FRAMES * 1.0)).means
    assert torch.equal(moved[INSTANT], gaussians.means)
    back = gaussians.means[:, 2] > 0.2
    for frame in (0, FRAMES - 1):
        went = (truth[frame] - gaussians.means).norm(dim=1)
        missed = (moved[frame] - truth[frame]).norm(dim=1)
        assert float(missed[~back].mean()) < 0.4 * float(went[~back].mean())
        assert float(missed[back].mean()) < 0.6 * float(went[back].mean())


def test_points_that_were_lost_and_found_elsewhere_do_not_tear() -> None:
    """One in ten jumps by 25 pixels at the last moment: the ball stays as it is without them."""
    gaussians, ends = ball(), []
    for spoiled in (False, True):
        motion, followed = field(gaussians), seen_from_the_front(gaussians)
        followed.xy[-1, :: 10 if spoiled else len(followed.xy[0]) + 1, 0] += 25.0 * spoiled
        guess_motion(motion, gaussians, clips(), followed, render)
        with torch.no_grad():
            ends.append(motion.offsets(gaussians.means, FRAMES - 1.0).means)
    assert float(ends[0].norm(dim=1).mean()) > 0.2
    assert float((ends[1] - ends[0]).norm(dim=1).max()) < 0.08


@pytest.mark.parametrize("where", [(2.0, 2.0), (62.0, 3.0)])
def test_points_off_the_scene_say_nothing(where: tuple[float, float]) -> None:
    gaussians, motion = ball(), field(ball())
    xy = torch.tensor(where).expand(FRAMES, 30, 2) + 4 * torch.arange(FRAMES)[:, None, None]
    followed = Followed(xy, torch.ones(FRAMES, 30, dtype=torch.bool))
    assert guess_motion(motion, gaussians, clips(), followed, render) == 0
    assert not motion.motions.any()


def test_no_points_at_all() -> None:
    gaussians, motion = ball(), field(ball())
    nothing = Followed(torch.zeros(FRAMES, 0, 2), torch.zeros(FRAMES, 0, dtype=torch.bool))
    assert guess_motion(motion, gaussians, clips(), nothing, render) == 0
    assert torch.isfinite(motion.motions).all()
