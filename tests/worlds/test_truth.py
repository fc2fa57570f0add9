"""Depth, masks, shadows, tracks and time are consistent with each other."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fourreal.worlds import (
    FACTORS,
    actions_of,
    bend,
    contact_sheet,
    core_cameras,
    orbit_cameras,
    project,
    reference_cameras,
    render,
    sample_worlds,
    spoil,
    thaw,
    tracks,
    visible,
    write_sheet,
)  # fmt: skip

SIZE = (96, 54)
PLAIN = {"second": "none", "prop": "none", "hat": "none", "weather": "clear", "sky": "day", "ground": "stone"}


def _lift(shots, depth):
    """World points [B, F, H, W, 3] at pixel centres."""
    y, x = torch.meshgrid(torch.arange(shots.height) + 0.5, torch.arange(shots.width) + 0.5, indexing="ij")
    K = shots.Ks[:, :, None, None]
    z = depth[:, :, 0]
    local = torch.stack(((x - K[..., 0, 2]) / K[..., 0, 0] * z, (y - K[..., 1, 2]) / K[..., 1, 1] * z, z), -1)
    R, t = shots.viewmats[..., :3, :3], shots.viewmats[..., :3, 3]
    return ((local - t[:, :, None, None])[..., None, :] @ R[:, :, None, None])[..., 0, :]


def test_shapes_and_ranges():
    worlds = sample_worlds([1, 2])
    truth = render(worlds, reference_cameras(worlds, 3, *SIZE))
    assert truth.rgb.shape == (2, 3, 3, 54, 96)
    assert truth.depth.shape == truth.mask.shape == (2, 3, 1, 54, 96)
    assert float(truth.rgb.min()) >= 0
    assert float(truth.rgb.max()) <= 1
    assert float(truth.rgb.std()) > 0.05
    assert bool((truth.depth > 0).all())
    assert bool((truth.slots[truth.depth[:, :, 0].isinf()] == -2).all())


def test_one_frame_is_the_same_alone_and_in_a_batch():
    worlds = sample_worlds([4, 9])
    shots = reference_cameras(worlds, 3, *SIZE)
    both = render(worlds, shots)
    alone = render(
        worlds[1:], replace(shots, viewmats=shots.viewmats[1:, 2:], Ks=shots.Ks[1:, 2:], times=shots.times[1:, 2:])
    )
    assert float((both.rgb[1, 2] - alone.rgb[0, 0]).abs().max()) < 1e-4
    assert torch.equal(both.slots[1, 2], alone.slots[0, 0])


def test_points_seen_twice_agree_in_depth_and_colour():
    worlds = sample_worlds([11], labels=PLAIN)
    shots = orbit_cameras(worlds, 2, *SIZE, degrees=8.0)
    truth = render(worlds, shots, ss=4)
    points = _lift(shots, truth.depth)[:, :1].flatten(2, 3)
    seen = torch.isfinite(points).all(-1)[0, 0]
    other = replace(shots, viewmats=shots.viewmats[:, 1:], Ks=shots.Ks[:, 1:], times=shots.times[:, 1:])
    pixel, z = project(points[:, :, seen], other)
    grid = pixel / torch.tensor(SIZE) * 2 - 1
    depth = torch.nn.functional.grid_sample(truth.depth[:, 1], grid, mode="nearest", align_corners=False)[0, 0, 0]
    color = torch.nn.functional.grid_sample(truth.rgb[:, 1], grid, align_corners=False)[0, :, 0].T
    near = truth.depth[0, 0].flatten()[seen] < 7  # further off, a pixel spans much depth
    framed = (grid.abs() < 0.98).all(-1)[0, 0] & near
    agree = framed & ((depth - z[0, 0]).abs() < 0.02 * z[0, 0])
    assert float(agree.sum() / framed.sum()) > 0.85
    off = (color - truth.rgb[0, 0].flatten(1).T[seen]).abs().mean(-1)[agree]
    assert float(off.median()) < 0.02


def test_ground_depth_is_the_plane():
    worlds = sample_worlds([11], labels=PLAIN)
    shots = reference_cameras(worlds, 1, *SIZE)
    truth = render(worlds, shots)
    height = _lift(shots, truth.depth)[0, 0, ..., 1][truth.slots[0, 0] == -1]
    assert len(height) > 500
    assert float(height.abs().max()) < 1e-3


def test_tracks_lie_on_the_surface_and_visibility_is_depth():
    worlds = sample_worlds([3, 14], labels={**PLAIN, "subject": ["fox", "robot"], "action": "walking"})
    shots = reference_cameras(worlds, 4, 256, 144)
    points = tracks(worlds, shots.times, 200)
    truth = render(worlds, shots, ss=1)
    pixel, z = project(points.positions, shots)
    free = visible(worlds, points, shots)
    assert 0.2 < float(free.float().mean()) < 0.7
    grid = (pixel / torch.tensor([256, 144]) * 2 - 1).flatten(0, 1)[:, None]
    around = torch.cat((truth.depth, -truth.depth), 2).flatten(0, 1).clamp(-50, 50)
    around = torch.nn.functional.max_pool2d(around, 3, 1, 1)
    far, near = torch.nn.functional.grid_sample(around, grid, mode="nearest", align_corners=False)[:, :, 0].unbind(1)
    seen, z = free.flatten(0, 1), z.flatten(0, 1)
    assert float(((z < far + 0.01) & (z > -near - 0.01))[seen].float().mean()) > 0.98
    assert float((z > -near - 0.01)[~seen].float().mean()) > 0.98
    moved = (points.positions[:, 1:] - points.positions[:, :1]).norm(dim=-1).amax(1)
    assert bool((moved.amax(-1) > 0.1).all())


def test_frozen_time_freezes_and_running_time_runs():
    worlds = sample_worlds([5], labels={**PLAIN, "subject": "panda", "action": "dancing"})
    still = reference_cameras(worlds, 3, *SIZE)
    frozen = replace(still, times=torch.full_like(still.times, 0.3))
    a, b = render(worlds, frozen).rgb, render(worlds, still).rgb
    assert torch.equal(a[:, 0], a[:, 2])
    assert float((b[:, 0] - b[:, 1]).abs().mean()) > 2e-3
    walk = orbit_cameras(worlds, 3, *SIZE)
    assert torch.equal(tracks(worlds, walk.times, 20).positions[:, 0], tracks(worlds, walk.times, 20).positions[:, 2])
    assert float((walk.viewmats[:, 0] - walk.viewmats[:, 2]).abs().max()) > 0.2


def test_shadows_are_cast():
    worlds = sample_worlds([5], labels={**PLAIN, "subject": "elephant", "action": "standing"})
    shots = reference_cameras(worlds, 1, *SIZE)
    bare = replace(worlds, slots=replace(worlds.slots, size=worlds.slots.size * 1e-3))
    full, empty = render(worlds, shots), render(bare, shots)
    ground = (full.slots == -1) & (empty.slots == -1)
    darker = (empty.rgb - full.rgb).mean(2)[ground]
    assert float((darker > 0.08).float().mean()) > 0.03
    assert float((darker < -0.05).float().mean()) < 0.01


def test_every_subject_is_well_framed():
    names = FACTORS["subject"]
    worlds = sample_worlds(
        range(len(names)),
        labels={"subject": list(names), "action": [actions_of(n)[0] for n in names], "second": "none", "prop": "none"},
    )
    truth = render(worlds, reference_cameras(worlds, 1, 64, 36), ss=1)
    mask = truth.mask[:, 0, 0] > 0.5
    rows, cols = mask.any(2).sum(1) / 36, mask.any(1).sum(1) / 64
    for i, name in enumerate(names):
        assert rows[i] >= 0.45 or cols[i] >= 0.45, (name, float(rows[i]), float(cols[i]))
        assert rows[i] <= 0.9, name
        assert not mask[i, 0].any(), name
        assert 0.03 < float(mask[i].float().mean()) < 0.6, name


def test_second_subject_and_hat_are_there():
    worlds = sample_worlds(
        [8],
        labels={
            "subject": "cat",
            "second": "duck",
            "second_action": "standing",
            "action": "standing",
            "hat": "top hat",
        },
    )
    slots = render(worlds, reference_cameras(worlds, 1, *SIZE)).slots[0, 0]
    owners = worlds.slots.owner[0][slots[slots >= 0]]
    assert int((owners == 1).sum()) > 60
    assert int((owners == 2).sum()) > 60


def test_spoil_of_strength_zero_changes_nothing_and_grows():
    worlds = sample_worlds([2, 3])
    rgb = render(worlds, reference_cameras(worlds, 3, *SIZE), geometry=False).rgb
    assert torch.equal(spoil(rgb, worlds.seeds).rgb, rgb)
    for kind in ("warp", "drift"):
        damage = [float((spoil(rgb, worlds.seeds, **{kind: s}).rgb - rgb).abs().mean()) for s in (0.1, 0.4, 1.0)]
        assert 0 < damage[0] < damage[1] < damage[2]
    bad = spoil(rgb, worlds.seeds, warp=0.5)
    assert torch.equal(bad.rgb, bend(rgb, bad.flow))
    assert torch.equal(bad.rgb, spoil(rgb, worlds.seeds, warp=0.5).rgb)
    assert 0.5 < float(bad.flow[:, 1:].abs().max()) < 4
    with pytest.raises(ValueError, match="nearest valid strength is 1"):
        spoil(rgb, worlds.seeds, warp=1.5)


def test_thaw_moves_the_subject_only_if_asked():
    worlds = sample_worlds([5], labels={**PLAIN, "subject": "panda", "action": "dancing"})
    walk = orbit_cameras(worlds, 4, *SIZE)
    assert thaw(walk, 0.0) is walk
    spread = [float(tracks(worlds, thaw(walk, s).times, 50).positions.std(1).mean()) for s in (0.0, 0.05, 0.2)]
    assert spread[0] < 1e-6 < spread[1] < spread[2]


def test_core_cameras_and_sheet(tmp_path):
    worlds = sample_worlds([1])
    shots = orbit_cameras(worlds, 5, *SIZE, moment=0.5)
    cameras = core_cameras(shots, 0)
    assert len(cameras) == 5
    assert float(cameras.moments[0]) == 8.0
    page = contact_sheet(worlds, width=32, height=18, moments=2, angles=1)
    assert page.width > 96
    write_sheet(tmp_path / "sheet.png", 1, 1, 32, 18)
    assert (tmp_path / "sheet.png").stat().st_size > 1000
