"""Walks longer than a clip: every frame is drawn once, from frames that exist, along the path that was asked for."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from fourreal.video.base import UnsupportedConditionError, VideoModelSpec
from fourreal.video.extend import Reach, Walk, check_walk, draw_link, orbit_walk, plan, reach_of, text_walk
from fourreal.video.oracle import OracleVideoModel

USUAL = Reach(16, 8)
LATENT = Reach(17, 9)  # a model that encodes frames by fours
IMAGE = Reach(16, 1)  # a model that takes a first frame only


@pytest.mark.parametrize("reach", [USUAL, LATENT, IMAGE, Reach(10, 5)])
@pytest.mark.parametrize("degrees", [20.0, 90.0, 180.0, 275.0, 360.0])
def test_every_frame_is_drawn_once_from_frames_that_exist(reach: Reach, degrees: float) -> None:
    walk = orbit_walk(degrees, reach)
    count, there = len(walk), {walk.start}
    for link in plan(walk, reach):
        assert len(link.frames) == reach.clip
        places = [f % count for f in link.frames]
        fresh = [p for i, p in enumerate(places) if i not in link.known]
        assert {places[i] for i in link.known} <= there
        assert not there & set(fresh)
        there |= set(fresh)
    assert there == set(range(count))


@pytest.mark.parametrize("degrees", [90.0, 180.0, 300.0])
def test_a_walk_covers_what_was_asked_for_on_both_sides(degrees: float) -> None:
    walk = orbit_walk(degrees, USUAL, step=6.0)
    azimuth = torch.rad2deg(walk.values[:, 0])
    assert walk.degrees == pytest.approx(degrees, abs=1e-3)
    assert float(azimuth[1:].sub(azimuth[:-1]).max()) <= 6.0 + 1e-3
    assert float(azimuth[walk.start]) == 0
    if len(walk) > 16:
        assert abs(float(azimuth[-1] + azimuth[0])) < 0.3 * degrees


def test_a_closed_walk_meets_itself() -> None:
    walk = orbit_walk(360.0, USUAL, step=6.0)
    last = plan(walk, USUAL)[-1]
    assert {0, 15} <= set(last.known)
    path = walk.at(last.frames)[:, 0]
    steps = path[1:] - path[:-1]
    torch.testing.assert_close(steps, torch.full_like(steps, 2 * math.pi / len(walk)), rtol=1e-3, atol=1e-4)


def test_walks_to_the_left_are_drawn_backwards() -> None:
    leftward = [link for link in plan(orbit_walk(180.0, USUAL), USUAL) if link.frames[0] > link.frames[-1]]
    assert leftward
    assert all(link.known == tuple(range(8)) for link in leftward)


def test_words_make_walks_too() -> None:
    walk = text_walk("orbit 120 left, rise 10", USUAL, step=6.0)
    assert walk.start == 0
    assert len(walk) % 8 == 0
    torch.testing.assert_close(walk.values[-1], torch.tensor([-math.radians(120), math.radians(10), 0.0]))
    assert len(text_walk("orbit 30 right", USUAL)) == 16


@pytest.mark.parametrize("degrees", [0.0, -90.0, 361.0, math.nan])
def test_impossible_coverage_is_refused(degrees: float) -> None:
    with pytest.raises(UnsupportedConditionError, match=r"--coverage must lie in 20..360 degrees"):
        orbit_walk(degrees, USUAL)


def test_what_a_model_cannot_do_is_said() -> None:
    spec = VideoModelSpec("a model", frozenset({"text"}), 16, (36, 64), (36, 64), 3, 8.0, "none")
    with pytest.raises(UnsupportedConditionError, match=r"does not take a first frame.*--context dynamic"):
        check_walk(Walk(torch.zeros(16, 3)), spec)
    first = replace(spec, features=frozenset({"text", "first_frame", "prefix"}))
    check_walk(orbit_walk(180.0, USUAL), first)
    with pytest.raises(UnsupportedConditionError, match=r"both ends.*lower --coverage"):
        check_walk(orbit_walk(360.0, USUAL), first)
    assert reach_of(first) == USUAL
    assert reach_of(replace(first, features=frozenset({"first_frame"}))) == IMAGE
    assert reach_of(replace(first, frames=17, stride=4)) == LATENT


def test_the_whole_round_of_a_known_world_fits_together() -> None:
    """Drawn clip by clip by a model that knows its world, a walk equals the world filmed along it."""
    model = OracleVideoModel(3, size=(18, 32), score_size=(18, 32), frames=8)
    reach = reach_of(model.spec)
    walk = orbit_walk(170.0, reach, step=10.0)
    text = model.encode_text("anything", context="freeze")
    whole = OracleVideoModel(3, size=(18, 32), score_size=(18, 32), frames=len(walk))
    from fourreal.video.base import CameraPath

    truth = whole.generate(whole.encode_text("anything", context="freeze"), camera=CameraPath(walk.values))
    pictures = {walk.start: truth[walk.start]}
    for link in plan(walk, reach):
        made = draw_link(model, text, walk, link, pictures)
        assert not set(made) & set(pictures)
        pictures |= made
    drawn = torch.stack([pictures[i] for i in range(len(walk))])
    torch.testing.assert_close(drawn, truth, atol=1e-3, rtol=0)
