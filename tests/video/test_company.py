"""Drafts of two subjects in which one has taken the other's look are told from those that show both."""

from __future__ import annotations

import pytest
import torch

from fourreal.video.base import DRAFTS_APART, KnownFrames
from fourreal.video.embedded.company import in_both_places, margins, unmixed
from fourreal.video.embedded.critic import likeness
from fourreal.video.embedded.model import EmbeddedVideoModel
from fourreal.video.embedded.sampling import sample
from fourreal.video.embedded.stream import EVALUATION_SEED
from fourreal.worlds import reference_cameras, render, sample_worlds


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
    found = []
    for second in ("penguin", "horse"):
        labels = {"subject": "horse", "second": second, "action": "walking", "ground": "grass", "weather": "clear"}
        worlds = sample_worlds([EVALUATION_SEED + 11], labels=labels)
        clip = render(worlds, reference_cameras(worlds, 16, 64, 36), geometry=False).rgb
        found.append(margins(model.base, 2 * clip - 1, given, others))
    both, twice = found
    assert both.min() > 0
    assert twice[0] < 0, "two horses are met better by words that say two horses"
    assert unmixed(found) == [True, False]


def test_drafts_are_left_out_by_the_clearest_of_them() -> None:
    clear, less, mixed = torch.tensor([8.0, 20.0]), torch.tensor([5.0, 14.0]), torch.tensor([3.0, 21.0])
    assert unmixed([clear, less, mixed]) == [True, True, False]
    assert unmixed([mixed]) == [True]


def test_a_mixed_draft_is_liked_less_than_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    model, seen = EmbeddedVideoModel.load(), []

    def told(found: list[torch.Tensor]) -> list[bool]:
        seen.append(len(found))
        return [i != wrong for i in range(len(found))]

    monkeypatch.setattr("fourreal.video.embedded.company.unmixed", told)
    text, wrong = model.encode_text("a horse next to a penguin on grass"), -1
    whole = [DRAFTS_APART + 1, 3 * DRAFTS_APART + 1]
    plain = model.likeness(text, whole, steps=1)
    wrong = plain.index(max(plain))
    again = model.likeness(text, whole, steps=1)
    assert again.index(max(again)) == 1 - wrong
    wrong = 0
    halves, other = model.likeness(text, [1, whole[0]], steps=1)
    given = model._conditions(text, torch.zeros(16, dtype=torch.bool), None)
    clip = sample(model._predictor(2.5, model._halves(text, None, None, 1)), given, None, [1], steps=1)
    assert halves == pytest.approx(float(likeness(model.critic, model.base, clip, given)) + 1), "both are there"
    assert other == pytest.approx(plain[0])
    assert seen == [2, 2, 2]
    seen.clear()
    model.likeness(model.encode_text("a horse on grass"), [1, 2], steps=1)
    frozen, frame = model.encode_text("a horse next to a penguin", context="freeze"), torch.rand(1, 3, 36, 64)
    model.likeness(frozen, [1, 2], steps=1, known=KnownFrames((0,), frame))
    assert not seen, "one subject is never mixed, and a known frame says who is there"
