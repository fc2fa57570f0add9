"""Two subjects are drawn side by side, each half of the picture by the words of its own."""

from __future__ import annotations

import pytest
import torch

from fourreal.video.base import DRAFTS_APART, KnownFrames
from fourreal.video.embedded.company import words_of_halves
from fourreal.video.embedded.halves import by_halves
from fourreal.video.embedded.model import EmbeddedVideoModel
from fourreal.video.embedded.network import Conditions
from fourreal.video.embedded.sampling import Predictor, conditions, sample
from fourreal.video.embedded.tokens import vocabulary_of
from fourreal.worlds import caption_words

WORDS = caption_words()


def _ids(text: str) -> torch.Tensor:
    ids = vocabulary_of(WORDS)
    row = [ids[word] for word in text.split()]
    return torch.tensor(row + [0] * (40 - len(row)))


def _said(row: torch.Tensor) -> str:
    return " ".join(WORDS[int(i) - 1] for i in row.tolist() if i)


@pytest.mark.parametrize(
    ("caption", "left", "right"),
    [
        ("a cat walking next to a red car", "a cat walking next to a cat", "a red car walking next to a red car"),
        (
            "a cat on the right and an astronaut in blue on the left",
            "an astronaut in blue on the right and an astronaut in blue on the left",
            "a cat on the right and a cat on the left",
        ),
        (
            "an owl nodding and a fox on the left beside it",
            "an owl nodding and an owl on the left beside it",
            "a fox nodding and a fox on the left beside it",
        ),
    ],
)
def test_each_half_has_words_with_its_subject_in_both_places(caption: str, left: str, right: str) -> None:
    found = words_of_halves(_ids(caption), WORDS)
    assert found is not None
    halves = {_said(found[0, 0]), _said(found[1, 0])}
    assert halves == {left, right}
    second_is_left = "fox on the left" in caption
    assert _said(found[0, 0]) == (right if second_is_left else left)


@pytest.mark.parametrize("caption", ["a cat walking", "a cat next to a cat", "a cat and a dog and a car", ""])
def test_other_captions_are_drawn_whole(caption: str) -> None:
    assert words_of_halves(_ids(caption), WORDS) is None


def _given(words: torch.Tensor) -> Conditions:
    return conditions(words[None], torch.zeros(1, dtype=torch.int64), 2)


@pytest.mark.parametrize("weight", [None, 1.0, 3.0])
def test_a_half_follows_its_own_words_and_guidance_is_of_each(weight: float | None) -> None:
    def denoise(x: torch.Tensor, level: torch.Tensor, c: Conditions) -> torch.Tensor:
        return torch.zeros_like(x) + c.words.float().amax(1).view(-1, 1, 1, 1, 1) / 10 + 0.05

    noisy, halves = torch.randn(1, 2, 3, 4, 40), torch.tensor([[[1]], [[2]]])
    told = None if weight is None else torch.tensor([weight])
    out = by_halves(denoise, noisy, torch.tensor([0.5]), _given(torch.tensor([3])), halves, told)
    scale = 1.0 if weight is None else weight
    torch.testing.assert_close(out[..., :18], torch.full_like(out[..., :18], 0.05 + scale * 0.1))
    torch.testing.assert_close(out[..., 22:], torch.full_like(out[..., 22:], 0.05 + scale * 0.2))
    seam = out[0, 0, 0, 0, 17:23]
    assert (seam.diff() >= 0).all()


def test_words_for_halves_that_agree_draw_as_words_for_the_whole() -> None:
    model = EmbeddedVideoModel.load()
    text = model.encode_text("a cat walking on grass")
    given = model._conditions(text, torch.zeros(16, dtype=torch.bool), None)
    halves = given.words.expand(2, 1, -1)
    drawn = [sample(Predictor(model.base, False, 2.5, None, h), given, None, [1], steps=1) for h in (None, halves)]
    torch.testing.assert_close(*drawn, atol=1e-4, rtol=0)


def test_the_shipped_model_draws_two_subjects_by_halves_unless_a_frame_or_a_camera_decides() -> None:
    model = EmbeddedVideoModel.load()
    two, one = (model.encode_complete(text) for text in ("a knight riding a horse", "a horse on grass"))
    frozen = model.encode_complete("a knight riding a horse", context="freeze")
    halves = model._halves(two, None, None, 5)
    assert halves is not None
    assert {_said(h[0]).split()[1] for h in halves} == {"person", "horse"}
    known = KnownFrames((0,), torch.rand(1, 3, 36, 64))
    assert model._halves(one, None, None, 5) is None
    assert model._halves(frozen, None, None, 5) is None
    assert model._halves(two, known, None, 5) is None
    drafts = [5 + DRAFTS_APART * i for i in range(4)]
    assert [model._halves(two, None, None, seed) is None for seed in drafts] == [False, True, False, True]
    drawn = model.generate(two, seed=3, steps=1, size=(36, 64))  # at later steps each half sees the other
    given = model._conditions(two, torch.zeros(16, dtype=torch.bool), None)
    of_left = sample(model._predictor(2.5, halves[:1].expand(2, -1, -1)), given, None, [3], steps=1)[0]
    apart = (drawn - ((of_left + 1) / 2).clamp(0, 1)).abs().mean((0, 1, 2))
    assert apart[:8].mean() < 0.1 * apart[-8:].mean()


def test_of_two_subjects_in_frozen_time_a_known_frame_says_all(monkeypatch: pytest.MonkeyPatch) -> None:
    model, asked = EmbeddedVideoModel.load(), []

    def noted(predictor: Predictor, given: Conditions, *_: object, **__: object) -> torch.Tensor:
        asked.append((bool(given.words.any()), predictor.guidance))
        return torch.zeros(1, 16, 3, 36, 64)

    monkeypatch.setattr("fourreal.video.embedded.drafted.sample", noted)
    known = KnownFrames((0,), torch.rand(1, 3, 36, 64))
    for prompt in ("a knight riding a horse", "a horse"):
        for context in ("freeze", "dynamic"):
            text = model.encode_complete(prompt, context=context)
            model.generate(text, size=(36, 64), known=known)
            model.likeness(text, [1], known=known)
    assert asked == [(False, 1.0)] * 2 + [(True, 2.5)] * 2 + [(True, 2.0)] * 2 + [(True, 2.5)] * 2
