"""Words for how a still camera sees subjects are true of its pictures."""

from __future__ import annotations

import math

import pytest
import torch

from fourreal.worlds import Worlds, caption_words, captions, place_cameras, render, sample_worlds, split_words
from fourreal.worlds.cameras import clip_times
from fourreal.worlds.facing import BACK, FRONT, LEFT, RIGHT, SIDES, Facing, facing
from fourreal.worlds.render import Shots


def _shots(
    worlds: Worlds, frames: int = 2, azimuth: torch.Tensor | None = None, size: tuple[int, int] = (64, 36)
) -> Shots:
    path = torch.zeros(len(worlds), frames, 3)
    if azimuth is not None:
        path[..., 0] = azimuth[:, None]
    return place_cameras(worlds, path, clip_times(len(worlds), frames, torch.device("cpu")), *size)


def test_what_goes_goes_where_it_faces() -> None:
    """Pictures know: a subject that walks to the right has been told to face right."""
    worlds = sample_worlds(range(40), labels={"subject": "bear", "action": "walking", "second": "none", "hat": "none"})
    azimuth = torch.linspace(0, 2 * math.pi, 41)[:40]
    shots = _shots(worlds, azimuth=azimuth)
    mask = render(worlds, shots).mask[:, :, 0]
    across = (mask.sum(2) * torch.arange(64)).sum(-1) / mask.sum((2, 3)).clamp(min=1e-6)
    moved = (across[:, 1] - across[:, 0]).tolist()
    found = [words.way for words in facing(worlds, shots)]
    right = [m > 0 for m, way in zip(moved, found, strict=True) if way == RIGHT and abs(m) > 0.5]
    left = [m < 0 for m, way in zip(moved, found, strict=True) if way == LEFT and abs(m) > 0.5]
    assert len(right) > 4
    assert len(left) > 4
    assert sum(right) > 0.9 * len(right)
    assert sum(left) > 0.9 * len(left)


def test_a_camera_that_goes_round_sees_every_way_in_turn() -> None:
    worlds = sample_worlds([5] * 72, labels={"action": "standing", "second": "none"})
    found = [words.way for words in facing(worlds, _shots(worlds, azimuth=torch.arange(72) * math.pi / 36))]
    counts = {way: found.count(way) for way in (FRONT, LEFT, RIGHT, BACK)}
    assert counts == {FRONT: pytest.approx(12, abs=1), LEFT: pytest.approx(21, abs=1),
                      RIGHT: pytest.approx(21, abs=1), BACK: pytest.approx(18, abs=1)}  # fmt: skip
    turns = sum(a != b for a, b in zip(found, found[1:] + found[:1], strict=True))
    assert turns == 4


def test_what_turns_faces_no_way() -> None:
    worlds = sample_worlds(range(12), labels={"action": "spinning", "second": "none"})
    assert {words.way for words in facing(worlds, _shots(worlds, frames=8))} == {""}


def test_two_subjects_stand_where_their_colours_are_seen() -> None:
    labels = {"subject": "robot", "color": "red", "second": "robot", "second_color": "blue", "action": "standing",
              "second_action": "standing", "sky": "day", "weather": "clear", "hat": "none"}  # fmt: skip
    worlds = sample_worlds(range(16), labels=labels)
    shots = _shots(worlds)
    seen = render(worlds, shots)
    red, blue = ((seen.rgb[:, 0, a] - seen.rgb[:, 0, b]).clamp(min=0) * seen.mask[:, 0, 0] for a, b in ((0, 2), (2, 0)))
    place = [(c.sum(1) * torch.arange(64)).sum(-1) / c.sum((1, 2)).clamp(min=1e-6) for c in (red, blue)]
    found = facing(worlds, shots)
    said = [(words.first, words.second, float(b - a)) for words, a, b in zip(found, *place, strict=True) if words.first]
    assert len(said) > 8
    assert all((first, second) == (SIDES if apart > 0 else SIDES[::-1]) for first, second, apart in said)
    alone = sample_worlds(range(8), labels={"second": "none"})
    assert {words[1:] for words in facing(alone, _shots(alone))} == {("", "")}


def test_captions_say_at_times_how_subjects_are_seen() -> None:
    worlds = sample_worlds(range(300))
    seen = [Facing(LEFT, *SIDES) if two else Facing(BACK) for two in (worlds.labels["second"] > 0).tolist()]
    plain, told = captions(worlds), captions(worlds, seen=seen)
    assert captions(worlds, seen=[Facing()] * len(worlds)) == plain
    assert {w for text in told for w in split_words(text)} <= set(caption_words())
    share = sum(way in text.lower() for text in told for way in (LEFT, BACK)) / len(told)
    assert 0.5 < share < 0.7
    pairs = [text for text, words in zip(told, seen, strict=True) if words.first]
    assert 0.3 < sum(SIDES[0] in text for text in pairs) / len(pairs) < 0.7
    without = [text for text, words in zip(told, seen, strict=True) if not words.first]
    assert not any(side in text for text in without for side in SIDES)


def test_the_side_stands_behind_the_subject_that_it_is_of() -> None:
    worlds = sample_worlds(range(60), labels={"subject": "cat", "second": "dragon", "hat": "none"})
    for text in captions(worlds, omit=1.0, seen=[Facing("", *SIDES)] * 60):
        words = text.lower()
        if SIDES[0] in words:
            assert words.index(SIDES[0]) < words.index("dragon")
        if SIDES[1] in words:
            assert words.index(SIDES[1]) > words.index("dragon")
