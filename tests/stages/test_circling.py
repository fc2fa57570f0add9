"""Of who turns that frame is frozen whose far side, drawn small, is the one that the reference clip shows."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from fit.block import BODY, SPOT, UP, scene
from fourreal.core.gaussians import Gaussians
from fourreal.core.geometry import quat_exp, quat_to_matrix
from fourreal.core.video import Video
from fourreal.export.notes import making_of
from fourreal.fit import spin
from fourreal.pose.base import ELEVATION, FOCAL_PRIOR, pinhole
from fourreal.pose.orbit import orbit_viewmats
from fourreal.raster.base import Splats, Views
from fourreal.raster.numba_cpu import render
from fourreal.stages import circling
from fourreal.stages.circling import missed
from fourreal.video.extend import Walk

WIDTH, HEIGHT, ROUND = 64, 36, 24
OF_WALKS = torch.tensor([0.4, -0.4, -0.4])  # the block's world has its cameras 2.5 away, and y downwards
SPEED, FRAMES, INSTANT = 45.0, 8, 3  # degrees a frame


def walk() -> Walk:
    values = torch.zeros(ROUND, 3)
    values[:, 0] = (torch.arange(ROUND) - 8) * (2 * math.pi / ROUND)
    return Walk(values, 8, True)


def seen(gaussians: Gaussians, which: list[int]) -> Tensor:
    viewmats = orbit_viewmats(walk().values.double()[which], ELEVATION).float()
    Ks = pinhole(FOCAL_PRIOR * WIDTH, WIDTH, HEIGHT, len(which)).float()
    with torch.no_grad():
        return render(Splats.of(gaussians), Views(viewmats, Ks, WIDTH, HEIGHT), None).color.clamp(0, 1)


def block(degrees: float = 0.0) -> Gaussians:
    """Turned; round Gaussians need not be turned themselves."""
    whole, means = scene(), scene().means
    means[:BODY] = (means[:BODY] - SPOT) @ quat_to_matrix(quat_exp(math.radians(degrees) * UP)).T + SPOT
    return replace(whole, means=means * OF_WALKS, log_scales=whole.log_scales + math.log(float(OF_WALKS[0])))


def two_faced() -> Gaussians:
    """As it is from the front, but orange behind, too."""
    whole = block()
    colors = whole.colors.clone()
    colors[:BODY] = colors[:BODY][whole.means[:BODY, 2].argmax()]
    return replace(whole, colors=colors)


def test_a_frozen_subject_with_another_far_side_meets_the_clip_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(circling, "_STEPS", 60)
    monkeypatch.setattr(circling, "_WIDTH", WIDTH)
    for name, few in {"_SHIFTS": (), "_WIDE": (0.98,), "_ABOUT": (0.0,), "_NEARER": (0.0,)}.items():
        monkeypatch.setattr(spin, name, few)  # it turns on the spot, which is known: half of the time
    clip = torch.cat([seen(block(SPEED * (i - INSTANT)), [walk().start]) for i in range(FRAMES)])
    circle = list(range(ROUND))
    true = missed(Video(seen(block(), circle), 8.0), clip, walk(), INSTANT)
    wrong = missed(Video(seen(two_faced(), circle), 8.0), clip, walk(), INSTANT)
    assert true < 0.7
    assert wrong > true + 0.05


def test_the_report_says_what_each_frozen_frame_leaves() -> None:
    tried = [{"frame": 10, "missed": 0.827, "kept": False}, {"frame": 5, "missed": 0.812, "kept": True}]
    notes = {"prompt": "a cat", "frozen_frame": 5, "frame_chosen_by": "circle", "frames_tried": tried}
    words = [line for _, line in making_of(notes)]
    assert "frame 5 of the reference clip is frozen, chosen for the circle round it, since its subject turns" in words
    assert any("10 (83%), 5 (81%)" in line for line in words)
