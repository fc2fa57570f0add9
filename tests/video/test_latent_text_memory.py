"""A prompt's keys and values, made once for all scores: the network says what it says when it reads the words."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from fourreal.video import KnownFrames
from fourreal.video.latent.load import load_latent_model
from fourreal.video.latent.model import LatentVideoModel
from fourreal.video.latent.wan_text import TextMemory

from .tiny_latent import scratch, tiny_folder, tiny_settings

pytestmark = pytest.mark.usefixtures("one_thread")

LEVELS = (0.5, 2.0, 30.0)


def opened(kind: str, **more: Any) -> LatentVideoModel:
    return load_latent_model(str(tiny_folder(kind)), "cpu", tiny_settings(kind, **more), cache=scratch())


def said(model: LatentVideoModel) -> list[torch.Tensor]:
    spec, generator = model.spec, torch.Generator().manual_seed(1)
    x = torch.randn(spec.encoded_frames, spec.channels, *spec.score_size, generator=generator)
    first = torch.rand(1, 3, *spec.picture_size, generator=generator)
    known = KnownFrames((0,), first) if "first_frame" in spec.features else None
    texts = [model.encode_text("a fox", context=context) for context in ("dynamic", "freeze")]
    return [model.denoise(x, sigma, text, known=known) for text in texts for sigma in LEVELS]


@pytest.mark.parametrize("guidance", [5.0, 1.0])
@pytest.mark.parametrize("kind", ["wan", "wan-vace", "wan-experts", "wan-ti2v"])
def test_scores_are_those_of_a_network_that_reads(kind: str, guidance: float, monkeypatch: pytest.MonkeyPatch) -> None:
    model = opened(kind, guidance=guidance)
    remembered = said(model)
    assert model.family._texts._made  # type: ignore[attr-defined]
    assert not torch.equal(remembered[0], remembered[len(LEVELS)]), "prompts must be kept apart"
    monkeypatch.setattr(TextMemory, "prepared", lambda *_: None)
    for one, other in zip(remembered, said(model), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-6)


def test_the_words_are_read_once() -> None:
    model = opened("wan")
    network = model.family.pipe.transformer  # type: ignore[attr-defined]
    read: list[int] = []
    network.blocks[0].attn2.to_k.register_forward_hook(lambda *_: read.append(1))
    said(model)
    assert len(read) == 2, "once for each of two prompts"
    model.generate(model.encode_text("a fox"), steps=1)
    assert len(read) == 3, "drawing reads them itself"


def test_networks_that_see_a_picture_are_told_the_words() -> None:
    """Wan 2.1's image to video: pictures and words share keys and values, and pictures change."""
    model = opened("wan-clip")
    made = said(model)
    assert not model.family._texts._made  # type: ignore[attr-defined]
    assert not torch.equal(made[0], made[len(LEVELS)])


def test_only_a_few_prompts_are_kept() -> None:
    model = opened("wan")
    spec = model.spec
    x = torch.zeros(spec.encoded_frames, spec.channels, *spec.score_size)
    texts = [model.encode_text(f"a fox and {animal}") for animal in ("a bear", "a cat", "a dog", "an owl", "a cow")]
    made = [model.denoise(x, 1.0, text) for text in texts]
    assert len(model.family._texts._made) == 4  # type: ignore[attr-defined]
    assert len({float(one.sum()) for one in made}) == 5, "the fifth is read each time"


def test_two_models_may_share_a_network() -> None:
    model = opened("wan")
    network = model.family.pipe.transformer  # type: ignore[attr-defined]
    words = torch.randn(2, 7, 32, generator=torch.Generator().manual_seed(0))
    one, other = TextMemory(), TextMemory()
    with torch.no_grad():
        assert one.prepared(network, words, "a") is not None
        made = other.prepared(network, words, "a")
    assert made is not None
    with other.given(network, made):
        assert network.blocks[0].attn2.processor.given is made[0]
    assert network.blocks[0].attn2.processor.given is None
