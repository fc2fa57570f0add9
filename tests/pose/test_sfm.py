"""Structure from motion gives the same cameras for the same pictures, however its threads take turns."""

from __future__ import annotations

from collections.abc import Callable

import torch

from fourreal.core.cameras import Cameras
from fourreal.core.video import Video
from fourreal.pose._sfm import Attempt, matched


def test_poses_repeat_bit_for_bit_on_two_threads(world_clip: Callable[..., tuple[Video, Cameras]]) -> None:
    """Numbers given to pictures in the order in which threads finish them would change the order of the mapping."""
    video, truth = world_clip(4, 60.0, 8)
    seen = []
    for _ in range(3):
        with matched(video.frames, Attempt("fast", upscale=1, overlap=3), float(truth.Ks[0, 0, 0]), threads=2) as found:
            seen.append(found.models(float(truth.Ks[0, 0, 0])))
    assert [len(models) for models in seen] == [1, 1, 1]
    first = seen[0][0]
    assert len(first.frames) >= 6
    for (model,) in seen[1:]:
        assert model.frames == first.frames
        assert torch.equal(model.viewmats, first.viewmats)
        assert torch.equal(model.points, first.points)
