from __future__ import annotations

import functools

import torch

from fourreal.core.video import Video
from fourreal.pose import ALIKE, camera_moves, most_alike
from fourreal.worlds import orbit_cameras, reference_cameras, render, sample_worlds, spoil


@functools.cache
def clips(seed: int, moment: float, warp: float = 0.0) -> tuple[Video, Video]:
    """A reference clip, and a freeze-time clip of one of its moments that begins at its view, spoiled."""
    world = sample_worlds([seed], "cpu")
    still = render(world, reference_cameras(world, 8), ss=1, geometry=False).rgb[0]
    orbit = render(world, orbit_cameras(world, 6, degrees=40, moment=moment), ss=1, geometry=False).rgb
    return Video(still), Video(spoil(orbit, torch.tensor([seed]), warp=warp, drift=warp).rgb[0])


def test_the_most_alike_pair_is_the_view_and_the_moment_that_both_clips_share():
    reference, freeze = clips(2, 5 / 8, warp=0.7)
    found = most_alike(reference, freeze)
    assert (found.reference, found.freeze) == (5, 0)
    assert found.similarity > ALIKE
    backwards = most_alike(reference, freeze.select([5, 4, 3, 2, 1, 0]))
    assert (backwards.reference, backwards.freeze) == (5, 5)


def test_colours_and_sizes_do_not_matter():
    reference, freeze = clips(1, 0.5)
    tinted = freeze.frames * torch.tensor([0.7, 0.8, 0.9])[:, None, None] + 0.05
    small = torch.nn.functional.interpolate(tinted, (108, 192), mode="area")
    found = most_alike(reference, Video(small))
    assert (found.reference, found.freeze) == (4, 0)
    assert found.similarity > 0.95


def test_other_scenes_and_other_views_are_not_alike():
    reference, freeze = clips(1, 0.5)
    other, _ = clips(2, 5 / 8, warp=0.7)
    assert most_alike(other, freeze).similarity < 0.5
    assert most_alike(reference, freeze.select([3, 4, 5])).similarity < ALIKE


def test_whether_the_camera_moves():
    reference, freeze = clips(2, 5 / 8, warp=0.7)
    assert not camera_moves(reference)
    assert camera_moves(freeze)
    assert not camera_moves(Video(torch.full((4, 3, 32, 32), 0.5)))
    assert not camera_moves(Video(reference.frames[:1]))
