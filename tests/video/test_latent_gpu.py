"""Models of diffusers on a GPU: the same clips as on the CPU, offloading, half precision, compiled networks."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from fourreal.guidance import Known, sds_loss
from fourreal.video import KnownFrames, VideoModel
from fourreal.video.latent.load import load_latent_model
from fourreal.video.teach import Gradient, Teacher, teacher

from .tiny_latent import PIPELINES, tiny_folder, tiny_latent, tiny_settings

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def _same_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Convolutions in full single precision, as on a CPU; TF32 moves the pixels of a random network by up to 0.1."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def on_gpu(kind: str, **more: Any) -> VideoModel:
    return load_latent_model(str(tiny_folder(kind)), "cuda", tiny_settings(kind, **more))


def clip_of(model: VideoModel) -> torch.Tensor:
    first = torch.rand(1, 3, *model.spec.size, generator=torch.Generator().manual_seed(2))
    known = KnownFrames((0,), first) if "first_frame" in model.spec.features else None
    return model.generate(model.encode_text("a fox"), known=known, seed=4)


@pytest.mark.parametrize("kind", PIPELINES)
def test_seeds_mean_the_same(kind: str) -> None:
    there = clip_of(on_gpu(kind, dtype="float32", vae_dtype="float32"))
    torch.testing.assert_close(there, clip_of(tiny_latent(kind)), atol=5e-3, rtol=0)


@pytest.mark.parametrize("offload", ["model", "group"])
@pytest.mark.parametrize("mode", ["pixel", "latent"])
def test_offloaded_networks_draw_and_teach(offload: str, mode: Gradient) -> None:
    model = on_gpu("wan-vace", offload=offload, dtype="float32")
    torch.testing.assert_close(clip_of(model), clip_of(tiny_latent("wan-vace")), atol=5e-3, rtol=0)
    functions = teacher(model, model.encode_text("a fox"), gradient=mode)
    frames = torch.rand(17, 3, 32, 32, device="cuda", requires_grad=True)
    for seed in range(2):
        loss = sds_loss(
            frames, functions.encode, functions.denoise, sigma=1.0, generator=torch.Generator().manual_seed(seed),
            known=Known((0,), frames[:1].detach()), decode=functions.decode,
        )  # fmt: skip
        (gradient,) = torch.autograd.grad(loss, frames)
        assert torch.isfinite(gradient).all()
        assert gradient[1:].any()
        assert not gradient[0].any()


@pytest.mark.parametrize("kind", PIPELINES)
def test_half_precision(kind: str) -> None:
    clip = clip_of(on_gpu(kind))
    assert torch.isfinite(clip).all()
    assert float((clip - clip_of(tiny_latent(kind))).abs().mean()) < 0.1


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # of torch's own compiler
@pytest.mark.filterwarnings("ignore:TensorFloat32 tensor cores:UserWarning")  # the test compares full float32
def test_compiled() -> None:
    there = clip_of(on_gpu("wan-vace", dtype="float32", compile=True))
    torch.testing.assert_close(there, clip_of(tiny_latent("wan-vace")), atol=5e-3, rtol=0)


@pytest.mark.parametrize("mode", ["pixel", "latent"])
@pytest.mark.parametrize("kind", ["wan", "wan-vace", "ltx"])
def test_recorded_scores_are_those_of_launched_kernels(kind: str, mode: Gradient) -> None:
    """Other frames, noise and noise levels go through the same recordings; what is returned stays as it was."""
    model = on_gpu(kind, dtype="float32", vae_dtype="float32")
    text = model.encode_text("a fox")
    functions = teacher(model, text, gradient=mode)
    replays = model.codec.replays  # type: ignore[attr-defined]
    recorded = [_gradient(functions, seed) for seed in range(5)]
    assert replays._recorded
    assert all(replays._recorded.values())
    replays._seen.clear()
    replays._recorded.clear()
    replays.run = lambda _, function, **inputs: function(**inputs)
    for seed, found in enumerate(recorded):
        torch.testing.assert_close(found, _gradient(functions, seed), atol=1e-4 * float(found.abs().max()), rtol=1e-3)


def _gradient(functions: Teacher, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    frames = torch.rand(17, 3, *functions.size, generator=generator).cuda().requires_grad_()
    loss = sds_loss(
        frames, functions.encode, functions.denoise, sigma=0.5 + seed, generator=generator,
        known=Known((0,), frames[:1].detach()), decode=functions.decode,
    )  # fmt: skip
    return torch.autograd.grad(loss, frames)[0]
