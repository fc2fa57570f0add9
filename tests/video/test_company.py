"""Drafts of two subjects in which one has taken the other's look are told from those that show both."""

from __future__ import annotations

import pytest
import torch

from fourreal.video.base import DRAFTS_APART
from fourreal.video.embedded.casting import EVALUATION_SEED
from fourreal.video.embedded.company import in_both_places, margins, mixed_last, unmixed
from fourreal.video.embedded.model import EmbeddedVideoModel
from fourreal.video.embedded.network import BaseNetwork
from fourreal.video.embedded.sampling import conditions
from fourreal.video.embedded.tokens import encode_captions, vocabulary_of
from fourreal.worlds import caption_words, reference_cameras, render, sample_worlds
from video.tiny import BASE as TINY


@pytest.mark.parametrize(
    ("caption", "others"),
    [
        (
            "a young girl walking next to an owl on a sunny day",
            (
                "a young girl walking next to a young girl on a sunny day",
                "an owl walking next to an owl on a sunny day",
            ),
        ),
        ("a panda and a red fox beside it", ("a panda and a panda beside it", "a red fox and a red fox beside it")),
        (
            "a girl in red and an owl in moonlight",
            ("a girl in red and a girl in red in moonlight", "an owl and an owl in moonlight"),
        ),
        ("a fox jumping on snow near a fire hydrant", ()),
        ("a panda next to a panda", ()),
        ("", ()),
    ],
)
def test_captions_with_one_subject_in_both_places(caption: str, others: tuple[str, ...]) -> None:
    assert tuple(" ".join(words) for words in in_both_places(tuple(caption.split()))) == others


def test_the_shipped_model_sees_which_of_two_subjects_is_missing() -> None:
    model = EmbeddedVideoModel.load()
    text = model.encode_text("a horse walking next to a penguin on grass")
    given = model._conditions(text, torch.zeros(16, dtype=torch.bool), None)
    rows = [model.encode_text(f"a {who} walking next to a {who} on grass").payload for who in ("horse", "penguin")]
    others = torch.stack(rows)
    found = {}
    for second in ("penguin", "horse"):
        labels = {"subject": "horse", "second": second, "action": "walking", "ground": "grass", "weather": "clear"}
        worlds = sample_worlds([EVALUATION_SEED + 11 + i for i in range(8)], labels=labels)
        clips = 2 * render(worlds, reference_cameras(worlds, 16, 64, 36), geometry=False).rgb - 1
        found[second] = torch.stack([margins(model.base, clip[None], given, others) for clip in clips])
    both, twice = found["penguin"].mean(0), found["horse"].mean(0)
    assert both.min() > 0
    assert twice[0] < both[0] / 2, "two horses are met hardly worse by words that say two horses"
    assert unmixed([both, twice]) == [True, False]


def test_drafts_are_left_out_by_the_clearest_of_them() -> None:
    clear, less, mixed = torch.tensor([8.0, 20.0]), torch.tensor([5.0, 14.0]), torch.tensor([3.0, 21.0])
    assert unmixed([clear, less, mixed]) == [True, True, False]
    assert unmixed([mixed]) == [True]


def test_a_mixed_draft_is_liked_less_than_any_other_and_one_by_halves_a_little_less(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "fourreal.video.embedded.company.margins", lambda base, clip, given, others: clip[0, 0, 0, 0, :2]
    )
    base, words = BaseNetwork(TINY), caption_words()
    clear, mixed = torch.zeros(1, 1, 3, 1, 2), torch.zeros(1, 1, 3, 1, 2)
    clear[0, 0, 0, 0], mixed[0, 0, 0, 0] = torch.tensor([8.0, 20.0]), torch.tensor([3.0, 21.0])

    def liked(caption: str, by_halves: list[bool], known: bool = False) -> list[float]:
        row = encode_captions([caption], vocabulary_of(words), 40)
        shown = torch.full((1, 16), known)
        given = conditions(row, torch.zeros(1, dtype=torch.int64), 16, known=shown)
        return mixed_last([0.5, 0.2], base, words, [mixed, clear], given, by_halves)

    two = "a horse next to a penguin on grass"
    assert liked(two, [False, False]) == pytest.approx([-19.5, 0.2])
    assert liked(two, [True, False]) == pytest.approx([0.0, 0.2]), "by halves both are there"
    assert liked("a horse on grass", [False, False]) == [0.5, 0.2], "one subject is never mixed"
    assert liked(two, [False, False], known=True) == [0.5, 0.2], "a known frame says who is there"


def test_the_model_tells_which_drafts_are_by_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    model, seen = EmbeddedVideoModel.load(), []

    def noted(values: list[float], *rest: object) -> list[float]:
        seen.append(rest[-1])
        return values

    monkeypatch.setattr("fourreal.video.embedded.model.mixed_last", noted)
    model.likeness(model.encode_text("a horse next to a penguin on grass"), [1, DRAFTS_APART + 1], steps=1)
    assert seen == [[True, False]]
