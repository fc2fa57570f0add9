"""The shipped model on a GPU: what is recorded there is what its kernels give when they are launched one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fourreal.video.base import CameraPath, KnownFrames
from fourreal.video.embedded.model import EmbeddedVideoModel

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def models() -> tuple[EmbeddedVideoModel, EmbeddedVideoModel]:
    model = EmbeddedVideoModel.load(device="cuda")
    return model, replace(model, replays=None)


def test_recorded_predictions_follow_their_inputs(models: tuple[EmbeddedVideoModel, EmbeddedVideoModel]) -> None:
    """Noise, level, words, context, known frames and camera all change from call to call."""
    camera = CameraPath(torch.linspace(0, 1, 16)[:, None] * torch.tensor([1.0, 0.0, 0.0]))
    generator = torch.Generator().manual_seed(0)
    first = torch.rand(1, 3, 36, 64, generator=generator)
    asked = [
        ("a red fox", None, None),
        ("a panda dancing", None, camera),
        ("a panda", KnownFrames((0,), first), camera),
    ]
    for turn in range(2):
        for sigma, (sentence, frame, path) in zip((0.3, 1.0, 3.0), asked, strict=True):
            x = torch.rand(16, 3, 36, 64, generator=generator).cuda()
            context = "freeze" if path is not None else "dynamic"
            given = {"known": frame, "camera": path, "guidance": 1.5 + turn}
            a, b = (m.denoise(x, sigma, m.encode_text(sentence, context=context), **given) for m in models)
            torch.testing.assert_close(a, b, atol=2e-3, rtol=0)
    assert models[0].replays is not None
    recorded = models[0].replays._recorded
    assert len(recorded) == 1
    assert all(recorded.values())


@pytest.mark.parametrize("prompt", ["a red fox jumping over snow", "a knight riding a horse"])  # whole, and by halves
def test_a_seed_gives_the_same_clip_again(models: tuple[EmbeddedVideoModel, EmbeddedVideoModel], prompt: str) -> None:
    """The first time kernels are launched, the second recorded, the third replayed."""
    model, launched = models
    clips = [m.generate(m.encode_text(prompt), seed=3) for m in (launched, model, model)]
    for clip in clips[1:]:
        torch.testing.assert_close(clip, clips[0], atol=5e-3, rtol=0)
