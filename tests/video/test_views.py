"""Prompts say how subjects are seen, and what they leave open is completed."""

from __future__ import annotations

import pytest

from fourreal.video.base import PromptError
from fourreal.video.embedded.understand import understand
from fourreal.video.embedded.word_table import WordTable
from fourreal.worlds import FACTORS

TABLE = WordTable.load()


def _said(prompt: str) -> str:
    return " ".join(understand(prompt, TABLE).words)


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("a fox faces left", "a fox facing left"),
        ("a robot waving, facing the camera", "a robot waving seen from the front"),
        ("an owl nodding in the moonlight from behind", "an owl nodding in the moonlight seen from behind"),
        ("from the front, a panda dancing", "seen from the front a panda dancing"),
        ("a fox runs from left to right over snow", "a fox running facing right on snow"),
        ("a cat facing left and a dog facing right", "a cat facing left and a dog"),
        ("a cat on the left and a dog on the right", "a cat on the left and a dog on the right"),
        ("on the left a cat and on the right a dog dancing", "a cat on the left and a dog on the right dancing"),
        ("a cat to the left of a dog", "a cat on the left next to a dog"),
        ("a cat wearing a top hat on the left and a dog", "a cat wearing a top hat on the left and a dog"),
        ("a cat that is dancing on the left next to a dog", "a cat on the left that is dancing next to a dog"),
        ("a fox on the left", "a fox"),
        ("a cat on the left and a dog on the left", "a cat and a dog"),
        ("a cat on the left and a dog and a horse", "a cat and a dog and a horse"),
        ("a fox in front of a house", "a fox near a small house"),
        ("a cat looking around", "a cat looking around"),
    ],
)
def test_prompts_say_how_subjects_are_seen(prompt: str, said: str) -> None:
    assert _said(prompt) == said


def test_what_captions_cannot_say_of_a_view_is_reported() -> None:
    assert understand("a fox on the left", TABLE).ignored == ("on the left",)
    assert understand("a cat facing left and a dog facing right", TABLE).ignored == ("facing right",)
    assert understand("a robot facing us", TABLE).mapped == (("facing us", "seen from the front"),)
    with pytest.raises(PromptError):
        understand("from behind", TABLE)


@pytest.mark.parametrize(
    ("prompt", "way"),
    [
        ("an owl nodding at night", "seen from the front"),
        ("an owl nodding at night from behind", ""),
        ("a fox walking at night", ""),
        ("my kitten just won't stop spinning", ""),
        ("my cat playing the guitar at night", "seen from the front"),
        ("my cat playing the piano at night", ""),  # it would be seen over the piano
        ("a fox watching television at night", ""),
        ("the beach at night", ""),
    ],
)
def test_what_stays_in_its_place_shows_its_face(prompt: str, way: str) -> None:
    found = understand(prompt, TABLE, complete=True)
    assert found.way == way
    assert (f"view not said: {way}" in found.line()) == bool(way)
    assert " ".join(found.words).endswith(way)


def test_two_subjects_stand_on_two_sides() -> None:
    found = understand("a knight riding a horse at night", TABLE, complete=True)
    assert set(found.places.split(", ")) == {"on the left", "on the right"}
    assert f"places not said: {found.places}" in found.line()
    assert found.words == understand("a knight riding a horse at night", TABLE, complete=True).words
    first = {understand(f"a {who} walking next to a cow", TABLE, complete=True).places for who in FACTORS["subject"]}
    assert {"on the left, on the right", "on the right, on the left"} <= first
    one = understand("a cat and a dog on the left dancing at night", TABLE, complete=True)
    assert one.places == "on the right"
    assert " ".join(one.words) == "a cat on the right and a dog on the left dancing at night seen from the front"
    both = understand("a cat on the left and a dog on the right", TABLE, complete=True)
    assert both.places == ""


def test_a_view_is_of_pictures_before_a_still_camera_alone() -> None:
    prompt = "a cat on the left facing us and a dog at night"
    found = understand(prompt, TABLE, complete=True, view=False)
    assert " ".join(found.words) == "a cat walking and a dog at night"
    assert found.ignored == ("on the left", "facing us")
    assert found.way == found.places == ""


def test_long_prompts_get_no_view() -> None:
    words = "a cat dancing next to a dog " + "and a panda bear near a street lamp beside a fire hydrant " * 3
    found = understand(words, TABLE, complete=True)
    assert len(found.words) <= 40
    assert found.ignored == understand(words, TABLE).ignored


def test_who_turns_is_known() -> None:
    for prompt in (
        "my kitten just won't stop spinning around",
        "a ballerina twirling",
        "a panda next to a whirling robot",
    ):
        assert understand(prompt, TABLE).turns, prompt
        assert understand(prompt, TABLE, complete=True).turns, prompt
    for prompt in ("a kitten jumping on a rug", "a panda dancing on grass at sunset", "a red car"):
        assert not understand(prompt, TABLE, complete=True).turns, prompt
