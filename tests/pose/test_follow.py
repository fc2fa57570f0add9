"""Points of one frame are followed to both ends of a clip."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from fourreal.pose.tracks import find_again, follow_from


def sliding(count: int = 5) -> torch.Tensor:
    """A clip of blots that move by two pixels to the right and one down a frame."""
    noise = torch.rand(1, 3, 30, 40, generator=torch.Generator().manual_seed(0))
    wide = F.interpolate(noise, scale_factor=6, mode="bicubic").clamp(0, 1)[0]
    return torch.stack([wide[:, 40 - i : 148 - i, 40 - 2 * i : 200 - 2 * i] for i in range(count)])


def test_points_go_the_way_of_the_picture_before_and_after() -> None:
    frames = sliding()
    xy, seen = follow_from(frames, 2)
    assert xy.shape == (5, seen.shape[1], 2)
    assert bool(seen[2].all())
    for frame in (0, 1, 3, 4):
        assert int(seen[frame].sum()) > 20
        went = (xy[frame] - xy[2])[seen[frame]] - (frame - 2) * torch.tensor([2.0, 1.0])
        assert float(went.norm(dim=1).median()) < 0.1


def test_from_an_end_there_is_one_way() -> None:
    xy, seen = follow_from(sliding(), 0)
    assert bool(seen[0].all())
    assert int(seen[4].sum()) > 20
    assert float((xy[4] - xy[0])[seen[4]].mean(0)[0]) > 6


def test_one_frame_and_a_blank_clip() -> None:
    assert follow_from(sliding(1), 0)[0].shape == (1, 0, 2)
    assert follow_from(torch.full((4, 3, 54, 96), 0.5), 1)[1].shape == (4, 0)


def test_points_of_one_picture_are_found_again_in_another_of_any_size() -> None:
    frames = sliding()
    for scale in (1, 3):  # the second is wider than points are followed at
        first, last = (F.interpolate(frames[[i]], scale_factor=scale, mode="bicubic").clamp(0, 1)[0] for i in (0, 3))
        xy, found = find_again(first, last)
        assert xy.shape == found.shape
        assert len(xy) > 20
        assert float((found - xy - 3 * scale * torch.tensor([2.0, 1.0])).norm(dim=1).median()) < 0.2 * scale


def test_what_another_picture_does_not_show_is_not_found() -> None:
    assert find_again(sliding()[0], torch.full((3, 108, 160), 0.5))[0].shape == (0, 2)
    assert find_again(torch.full((3, 108, 160), 0.5), sliding()[0])[1].shape == (0, 2)
