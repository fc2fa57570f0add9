"""Augmentations: windows on frames, linear, alike for known frames, never too small."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FieldError
from fourreal.guidance import Augmentation, Known, augment, draw_augmentation

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 9), st.integers(1, 9)).filter(
    lambda s: s[0] >= s[2] and s[1] >= s[3]
)


@settings(max_examples=80, deadline=None)
@given(SIZES, st.integers(0, 10_000))
def test_draws_stay_within_limits(size: tuple[int, int, int, int], seed: int) -> None:
    height, width, low, narrow = size
    drawn = draw_augmentation((height, width), (low, narrow), torch.Generator().manual_seed(seed))
    assert drawn.height >= low
    assert drawn.width >= narrow
    frames = torch.rand(2, 3, height, width)
    assert drawn.apply(frames).shape == (2, 3, drawn.height, drawn.width)
    if (drawn.height, drawn.width) == (height, width):
        assert abs(drawn.top) <= -(-height // low) - 1
        assert abs(drawn.left) <= -(-width // narrow) - 1
    else:
        assert (drawn.height, drawn.width) == (height // 2, width // 2)
        assert 0 <= drawn.top <= height - drawn.height
        assert 0 <= drawn.left <= width - drawn.width


def test_both_kinds_are_equally_likely_and_every_window_is_drawn() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = [draw_augmentation((8, 16), (4, 8), generator) for _ in range(600)]
    crops = [d for d in drawn if d.height == 4]
    assert 240 < len(crops) < 360
    assert {d.top for d in crops} == set(range(5))
    assert {d.left for d in crops} == set(range(9))
    assert {(d.top, d.left) for d in drawn if d.height == 8} == {(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)}


@pytest.mark.parametrize(
    "window", [Augmentation(-2, 1, 6, 7), Augmentation(3, -3, 6, 7), Augmentation(1, 2, 3, 3), Augmentation(0, 0, 6, 7)]
)
def test_the_gradient_is_the_adjoint(window: Augmentation) -> None:
    frames = torch.randn(2, 3, 6, 7, dtype=torch.float64, requires_grad=True)
    other = torch.randn(2, 3, window.height, window.width, dtype=torch.float64)
    (back,) = torch.autograd.grad(window.apply(frames), frames, other)
    forward = float((window.apply(frames) * other).sum().detach())
    assert forward == pytest.approx(float((frames * back).sum().detach()))


def test_by_hand() -> None:
    frames = torch.arange(12.0).reshape(1, 1, 3, 4).expand(2, 3, 3, 4)
    assert torch.equal(Augmentation(0, 0, 3, 4).apply(frames), frames)
    assert Augmentation(1, -1, 3, 4).apply(frames)[0, 0].tolist() == [[4, 4, 5, 6], [8, 8, 9, 10], [8, 8, 9, 10]]
    assert Augmentation(1, 2, 1, 2).apply(frames)[1, 2].tolist() == [[6, 7]]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_known_frames_stay_in_place(seed: int) -> None:
    frames = torch.rand(4, 3, 10, 12)
    told = Known((0, 2), frames[[0, 2]])
    seen, known, _ = augment(frames, told, (4, 5), torch.Generator().manual_seed(seed))
    assert known is not None
    assert known.indices == (0, 2)
    assert torch.equal(seen[[0, 2]], known.frames)
    assert augment(frames, None, (4, 5), torch.Generator().manual_seed(seed))[1] is None


def test_impossible_requests() -> None:
    with pytest.raises(FieldError, match="5x5 are smaller than the 6x4"):
        draw_augmentation((5, 5), (6, 4), torch.Generator())
    with pytest.raises(FieldError, match="does not touch"):
        Augmentation(9, 0, 3, 3).apply(torch.zeros(1, 3, 5, 5))


def test_cameras_of_a_window_see_points_where_the_window_has_them() -> None:
    cameras = Cameras(torch.eye(4)[None], torch.tensor([[[50.0, 0, 32], [0, 50, 18], [0, 0, 1]]]), 64, 36)
    point = torch.tensor([[[0.3, -0.2, 2.0]]])
    window = Augmentation(top=-2, left=16, height=18, width=32)
    seen = window.seen(cameras)
    assert (seen.height, seen.width) == (18, 32)
    torch.testing.assert_close(seen.project(point)[0], cameras.project(point)[0] - torch.tensor([16.0, -2.0]))
