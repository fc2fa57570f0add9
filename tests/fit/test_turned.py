"""Of a subject that turns, the side that no frozen camera saw gets Gaussians where it is, and of its colours."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from fit.block import FRAMES, INSTANT, SIZE, SPOT, UP, half, pictures, scene, seen_from, turning
from fourreal.core.geometry import quat_exp, quat_to_matrix
from fourreal.fit.turned import going_round, shown_by_turning, shows_more
from fourreal.raster.numba_cpu import render


def test_the_far_side_is_filled_where_it_is_and_in_its_colours() -> None:
    clips, spin = turning(30.0)
    begun, body = half()
    found = shown_by_turning(begun, clips, spin, body, render)
    new = found.means[len(begun) :] - SPOT
    assert all(torch.equal(v[: len(begun)], begun.tensors()[k]) for k, v in found.tensors().items())
    assert len(new) > 50
    assert (new[:, 2] > 0).float().mean() > 0.75, "behind what is there already"
    assert (new.abs() < SIZE / 2 + 0.22).all(1).float().mean() > 0.95, "hardly farther than few pixels tell"
    behind, before = (found.colors[len(begun) :][side].mean(0) for side in (new[:, 2] > 0.08, new[:, 2] < -0.08))
    assert behind[2] > behind[0] + 0.3, "blue"
    assert before[0] > before[2] + 0.1, "what looks up has the colours of its side, not of the other"
    # Seen from behind it covers more of the body than before.
    camera = seen_from(180.0)
    truth = pictures(scene(), camera).images
    missed = [float((pictures(g, camera).images - truth).abs().mean()) for g in (begun, found)]
    assert missed[1] < 0.6 * missed[0]


def test_a_turn_that_shows_no_new_side_adds_nothing() -> None:
    clips, spin = turning(5.0)
    begun, body = half()
    assert shown_by_turning(begun, clips, spin, body, render) is begun


def test_a_walk_all_the_way_round_leaves_nothing_for_turning_to_show() -> None:
    clips, spin = turning(24.0)
    assert shows_more(clips, spin).sum() > FRAMES // 3, "the walk is of 120 degrees"
    closed = pictures(scene(), seen_from(*(20.0 * i for i in range(18))))
    assert not shows_more(replace(clips, freeze=closed), spin).any()


def test_cameras_go_round_as_the_subject_turns_and_wanders() -> None:
    clips, spin = turning(30.0)
    assert clips.reference is not None
    camera = clips.reference.cameras
    moved = going_round(camera, spin)
    points = SPOT + (torch.rand(20, 3) - 0.5)
    for frame in (0, INSTANT, 9):
        turn = quat_to_matrix(quat_exp(spin.angles[frame] * UP))
        carried = (points - SPOT) @ turn.T + SPOT + spin.places[frame]
        there, _ = camera[[frame]].project(carried)
        here, _ = moved[[frame]].project(points)
        assert torch.allclose(here, there, atol=1e-2)
    assert math.isclose(float((moved.viewmats[INSTANT] - camera.viewmats[INSTANT]).abs().max()), 0.0, abs_tol=1e-6)
