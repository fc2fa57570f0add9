"""What the clips have shown of a scene, on walls of which it is known."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FileFormatError
from fourreal.core.geometry import look_at
from fourreal.deform import NodeConfig
from fourreal.fit.coverage import FARTHEST, Coverage, _ways, coverage, unseen_share, weights
from fourreal.raster import Splats, Views, select

RENDER = select(torch.device("cpu"))


def around(*degrees: float, height: float = 0.6, distance: float = 4.0) -> Cameras:
    """Cameras about the origin, 48 x 32; 0 is on +z, positive to the right."""
    angle = torch.deg2rad(torch.tensor(degrees))
    eyes = torch.stack([distance * angle.sin(), torch.full_like(angle, height), distance * angle.cos()], 1)
    views = look_at(eyes, torch.zeros(len(degrees), 3), torch.tensor([0.0, 1.0, 0.0]))
    K = torch.tensor([[60.0, 0, 24], [0, 60.0, 16], [0, 0, 1]])
    return Cameras(views, K.repeat(len(degrees), 1, 1), 48, 32)


def wall(z: float, half: float, spacing: float = 0.15) -> torch.Tensor:
    """Points of a square wall at depth z."""
    line = torch.arange(-half, half + 1e-6, spacing)
    x, y = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x.flatten(), y.flatten(), torch.full((x.numel(),), z)], 1)


def solid(points: torch.Tensor, size: float = 0.12) -> Splats:
    count = len(points)
    quats = torch.tensor([[1.0, 0, 0, 0]]).repeat(count, 1)
    return Splats(points, quats, torch.full((count, 3), size), torch.full((count,), 0.99), torch.ones(count, 3))


def test_weights_add_up_to_the_picture_and_what_is_hidden_has_none() -> None:
    front, back = wall(0, 1.5), wall(-1.5, 0.3)
    splats, cameras = solid(torch.cat([front, back])), around(-10.0, 0.0, 10.0, height=0.0)
    found = weights(splats, cameras, RENDER, None, torch.arange(3.0))
    alpha = RENDER(splats, Views(cameras.viewmats, cameras.Ks, cameras.width, cameras.height)).alpha
    torch.testing.assert_close(found.sum(1), alpha.sum((1, 2, 3)), rtol=1e-4, atol=1e-2)
    hidden = found[:, len(front) :]
    assert float(hidden.max()) < 0.1
    result = coverage(splats, cameras, RENDER, reference=cameras[[0, 0]])
    assert not result.freeze_views[len(front) :].any()
    middle = int((front.norm(dim=1)).argmin())
    assert result.freeze_views[middle] == 3
    assert result.reference_frames[middle] == 2
    assert result.freeze_weight[middle] > result.reference_weight[middle] > 0
    assert result.share[middle] == 1
    assert result.unseen == pytest.approx(float((result.freeze_views == 0).float().mean()))


def test_what_motion_uncovers_counts_as_seen_in_the_reference_clip() -> None:
    front, back = wall(0, 0.6, 0.1), wall(-2.0, 0.1)
    points = torch.cat([front, back])
    motion = NodeConfig(nodes=2, neighbours=1).build(points, 2, 0)
    nearest = motion.nodes[:, 2].argmax()
    with torch.no_grad():
        motion.motions[1, nearest, 0] = 2.0 / motion.unit
    camera = around(0.0, height=0.0)
    times = Cameras(camera.viewmats.repeat(2, 1, 1), camera.Ks.repeat(2, 1, 1), 48, 32, torch.tensor([0.0, 1.0]))
    result = coverage(solid(points, 0.08), camera[[0, 0]], RENDER, reference=times, motion=motion)
    assert not result.freeze_views[len(front) :].any()
    assert (result.reference_frames[len(front) :] == 1).all()


def test_the_other_side_and_the_void_are_unseen() -> None:
    splats, clip = solid(wall(0, 3.0)), around(-20.0, 0.0, 20.0)
    seen = weights(splats, clip, RENDER, None, torch.arange(3.0)) > 0.1
    front, behind, away = unseen_share(splats, around(5.0, 180.0, 83.0), clip, seen, RENDER).tolist()
    assert front < 0.03
    assert behind > 0.9
    assert away > 0.5


def test_the_reach_ends_where_the_wall_does() -> None:
    clip = around(*range(-20, 21, 10), height=0.0)
    wide = coverage(solid(wall(-1.0, 4.0, 0.2), 0.15), clip, RENDER)
    narrow = coverage(solid(wall(-1.0, 1.9, 0.2), 0.15), clip, RENDER)
    assert narrow.degrees < wide.degrees < FARTHEST
    assert abs(wide.reach["left"] - wide.reach["right"]) <= 5
    assert "to the left" in wide.words()


def test_the_ways_go_where_their_names_say() -> None:
    clip = around(-20.0, 0.0, 30.0)
    ways = {k: v.positions for k, v in _ways(clip).items()}
    begin = clip.positions
    assert torch.allclose(ways["right"][0], begin[2], atol=1e-4)
    assert ways["right"][2, 0] > begin[2, 0]
    assert torch.allclose(ways["left"][0], begin[0], atol=1e-4)
    assert ways["left"][2, 0] < begin[0, 0]
    assert ways["up"][2, 1] > begin[1, 1] > ways["down"][2, 1]
    still = _ways(around(0.0, 0.0))
    assert len(still["up"]) == 19


def test_it_is_kept_in_a_file(tmp_path: Path) -> None:
    result = coverage(solid(wall(0, 1.0)), around(-10.0, 10.0), RENDER)
    result.save(tmp_path / "coverage.safetensors")
    again = Coverage.load(tmp_path / "coverage.safetensors")
    assert torch.equal(again.freeze_views, result.freeze_views)
    assert torch.equal(again.freeze_weight, result.freeze_weight)
    assert again.reach == result.reach
    assert torch.equal(again.share, result.share)
    with pytest.raises(FileFormatError, match="does not exist"):
        Coverage.load(tmp_path / "none")
