"""Letterboxes and seams are cut off; skies, floors and backdrops are not."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from fourreal.core.video import Video
from fourreal.pose import prepare_clips
from fourreal.pose.bars import Trim, bars, trimmed


def picture(height: int = 48, width: int = 80, frames: int = 5, seed: int = 0) -> torch.Tensor:
    """Mid-grey texture that changes from frame to frame."""
    return 0.3 + 0.4 * torch.rand(frames, 3, height, width, generator=torch.Generator().manual_seed(seed))


@given(st.integers(0, 4), st.integers(0, 4), st.floats(0, 0.1))
def test_a_seam_of_up_to_four_pixels_is_cut_off(left: int, bottom: int, noise: float) -> None:
    clip = picture()
    clip[..., :left] = 1
    clip[..., 48 - bottom :, left:] = 0
    noisy = (clip + 0.1 * noise * torch.randn(clip.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)
    assert bars(Video(noisy)) == Trim(left, 0, 0, bottom)


def test_a_letterbox_is_cut_off_and_what_is_left_is_the_picture() -> None:
    inner = picture(32)
    boxed = torch.zeros(5, 3, 48, 80)
    boxed[:, :, 8:40] = inner
    found, _, notes = trimmed(Video(boxed), None, alike=False)
    torch.testing.assert_close(found.frames, inner)
    assert "8 at the top, 8 at the bottom" in notes[0]


def test_what_belongs_to_the_scene_is_left() -> None:
    sky = picture()
    sky[:, :, :10] = torch.tensor([0.6, 0.8, 1.0])[:, None, None]  # plain, and the horizon is level
    backdrop = torch.ones(5, 3, 48, 80)
    backdrop[:, :, 15:35, 30:50] = picture(20, 20)
    still = torch.full((5, 3, 48, 80), 0.2)
    changing = picture()
    changing[:, :, :3] = torch.linspace(0, 1, 5)[:, None, None, None]  # a lamp goes on
    for clip in (picture(), sky, backdrop, still, changing):
        assert not any(bars(Video(clip)))


def test_clips_of_one_shape_are_cut_alike_at_their_own_sizes() -> None:
    """A seam in one of them was there when both were made; cut from one alone, one camera would not fit both."""
    freeze, reference = picture(48, 80), picture(96, 160, seed=1)
    reference[..., -3:] = 0
    one, other, notes = trimmed(Video(freeze), Video(reference), alike=True)
    assert one.frames.shape[-2:] == (48, 78)
    assert other is not None
    assert other.frames.shape[-2:] == (96, 156)
    assert len(notes) == 2
    apart, _, notes = trimmed(Video(freeze), Video(reference), alike=False)
    assert apart.frames.shape[-2:] == (48, 80)
    assert len(notes) == 1


def test_the_user_is_told_and_given_cameras_keep_their_pictures_whole() -> None:
    clip = picture()
    clip[..., :2] = 1
    ready = prepare_clips(Video(clip), None)
    assert ready.freeze.width == 78
    assert "2 at the left" in ready.notes[0]
    whole = prepare_clips(Video(clip), None, trim=False)
    assert whole.freeze.width == 80
    assert not whole.notes
