"""Motion carried from frame to frame: a subject that leaps is followed after all followed points are lost."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.gaussians import Gaussians
from fourreal.deform import NodeConfig, Space
from fourreal.deform.nodes import NodeField
from fourreal.fit.carried import carry_motion
from fourreal.fit.clips import Clips
from fourreal.fit.guess import Followed, guess_motion
from fourreal.fit.static import Targets
from fourreal.pose.tracks import find_again
from fourreal.raster import select
from fourreal.raster.base import Splats, Views
from fourreal.raster.numba_cpu import render

FRAMES, INSTANT, WIDTH, HEIGHT = 7, 2, 128, 72
SUBJECT = 500  # Gaussians of the subject; the others are a wall behind it
LEAP = torch.tensor([0.22, -0.12, 0.0])  # a frame: seven pixels to the side and four up
NOTHING = Followed(torch.zeros(FRAMES, 0, 2), torch.zeros(FRAMES, 0, dtype=torch.bool))


def scene() -> Gaussians:
    """A speckled slab before a speckled wall."""
    draw = torch.Generator().manual_seed(0)

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=draw)

    slab = (rand(SUBJECT, 3) - 0.5) * torch.tensor([1.1, 0.8, 0.2])
    wall = (rand(900, 3) - 0.5) * torch.tensor([7.0, 4.5, 0.0]) + torch.tensor([0.0, 0.0, 1.5])
    means = torch.cat([slab, wall])
    quats = torch.tensor([1.0, 0, 0, 0]).expand(len(means), 4).clone()
    sizes = torch.cat([torch.full((SUBJECT, 3), -2.9), torch.full((900, 3), -2.2)])
    colors = torch.cat([rand(SUBJECT, 3) * torch.tensor([1.0, 0.4, 0.2]), 0.5 + 0.2 * rand(900, 3)])
    return Gaussians(means, quats, sizes, torch.full((len(means),), 3.0), colors)


def places(frame: int) -> Tensor:
    """Where the Gaussians are at a frame."""
    means = scene().means.clone()
    means[:SUBJECT] += (frame - INSTANT) * LEAP
    return means


@pytest.fixture(scope="module")
def clips() -> Clips:
    viewmat = torch.eye(4)
    viewmat[2, 3] = 4.0
    K = torch.tensor([[130.0, 0, WIDTH / 2], [0, 130, HEIGHT / 2], [0, 0, 1]])
    cameras = Cameras(
        viewmat.expand(FRAMES, 4, 4).clone(), K.expand(FRAMES, 3, 3).clone(), WIDTH, HEIGHT, torch.arange(FRAMES * 1.0)
    )
    views, base = Views(cameras.viewmats[:1], cameras.Ks[:1], WIDTH, HEIGHT), Splats.of(scene())
    images = torch.stack([render(base._replace(means=places(f)), views, None).color[0] for f in range(FRAMES)])
    return Clips(Targets(images, cameras), Targets(images, cameras), 0, INSTANT)


def field() -> NodeField:
    gaussians = scene()
    return NodeConfig(nodes=48).build(
        gaussians.means, FRAMES, INSTANT, space=Space(torch.zeros(3), torch.tensor(1.0)), busy=busy()
    )


def busy() -> Tensor:
    return torch.arange(len(scene().means)) < SUBJECT


def moved(motion: NodeField, frame: int) -> Tensor:
    """The way of every Gaussian since the instant."""
    with torch.no_grad():
        return motion.offsets(scene().means.to(motion.nodes), float(frame)).means.cpu()


def test_who_leaps_is_followed_to_both_ends_without_a_followed_point(clips: Clips) -> None:
    motion = field()
    carry_motion(motion, scene(), clips, NOTHING, find_again, render, busy())
    for frame in (0, 4, FRAMES - 1):
        way = (frame - INSTANT) * LEAP
        missed = (moved(motion, frame)[:SUBJECT, :2] - way[:2]).norm(dim=1)
        assert float(missed.mean()) < 0.1 * float(way.norm())
    assert not moved(motion, INSTANT).any()
    assert float(moved(motion, FRAMES - 1)[SUBJECT:].abs().max()) < 1e-6, "the wall stands still"


@pytest.mark.gpu
def test_a_gpu_carries_it_as_far(clips: Clips) -> None:
    """What is recorded there is replayed for other frames and other points."""
    cuda = torch.device("cuda")
    motion = field().to(cuda)
    carry_motion(motion, scene().to(cuda), clips.to(cuda), NOTHING, find_again, select(cuda), busy().to(cuda))
    for frame in (0, FRAMES - 1):
        way = (frame - INSTANT) * LEAP
        missed = (moved(motion, frame)[:SUBJECT, :2] - way[:2]).norm(dim=1)
        assert float(missed.mean()) < 0.1 * float(way.norm())


def test_points_that_are_lost_at_once_leave_the_ends_where_they_are(clips: Clips) -> None:
    """What the carrying is for: points followed through one frame alone say nothing of the others."""
    motion, followed = field(), Followed(*one_frame_on(clips))
    guess_motion(motion, scene(), clips, followed, render, busy())
    way = (FRAMES - 1 - INSTANT) * LEAP
    alone = float((moved(motion, FRAMES - 1)[:SUBJECT] - way)[:, :2].norm(dim=1).mean())
    carry_motion(motion, scene(), clips, followed, find_again, render, busy())
    carried = float((moved(motion, FRAMES - 1)[:SUBJECT] - way)[:, :2].norm(dim=1).mean())
    assert alone > 0.5 * float(way.norm())
    assert carried < 0.1 * float(way.norm())


def one_frame_on(clips: Clips) -> tuple[Tensor, Tensor]:
    assert clips.reference is not None
    xy, found = find_again(clips.reference.images[INSTANT], clips.reference.images[INSTANT + 1])
    points = torch.zeros(FRAMES, len(xy), 2)
    points[INSTANT], points[INSTANT + 1] = xy, found
    seen = torch.zeros(FRAMES, len(xy), dtype=torch.bool)
    seen[INSTANT : INSTANT + 2] = True
    return points, seen


def test_frames_that_show_nothing_known_stay_as_the_one_before(clips: Clips) -> None:
    assert clips.reference is not None
    images = clips.reference.images.clone()
    images[INSTANT + 2 :] = 0.5
    blank = Clips(Targets(images, clips.reference.cameras), Targets(images, clips.reference.cameras), 0, INSTANT)
    motion = field()
    carry_motion(motion, scene(), blank, NOTHING, find_again, render, busy())
    assert moved(motion, INSTANT + 1)[:SUBJECT].any()
    assert torch.equal(moved(motion, FRAMES - 1), moved(motion, INSTANT + 1))


def test_the_same_clips_are_carried_the_same_way(clips: Clips) -> None:
    ends = []
    for _ in range(2):
        motion = field()
        carry_motion(motion, scene(), clips, NOTHING, find_again, render)
        ends.append(motion.motions.detach().clone())
    assert torch.equal(*ends)
    assert ends[0].any(), "without a word of who may move, all may"


def test_two_gaussians_that_may_move_are_too_few(clips: Clips) -> None:
    motion, few = field(), torch.arange(len(scene().means)) < 2
    carry_motion(motion, scene(), clips, NOTHING, find_again, render, few)
    assert not motion.motions.any()
