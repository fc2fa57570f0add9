"""Models of diffusers on a GPU: the same clips as on the CPU, offloading, half precision, compiled networks."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest
import torch

from fourreal.guidance import Known, sds_loss
from fourreal.video import KnownFrames, VideoModel
from fourreal.video.base import VideoModelError
from fourreal.video.latent import causal
from fourreal.video.latent.causal import WAYS, Kernel, Way
from fourreal.video.latent.codec import Codec
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
    recorder = model.codec._recorder  # type: ignore[attr-defined]
    assert bool(recorder._kept) == (mode == "latent")
    assert all(kept.recording for kept in recorder._kept.values())
    replays._seen.clear()
    replays._recorded.clear()
    replays.run = lambda _, function, **inputs: function(**inputs)
    recorder.run = lambda _, function, __, *inputs: function(*inputs)
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


class TestWholeClips:
    """Wan's autoencoder over whole clips: its kernels are the plain formulas, and what is recorded has one owner."""

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("kind", ["wan", "wan-ti2v"])
    def test_it_is_that_of_the_cpu(self, kind: str, way: Way) -> None:
        vae = tiny_latent(kind).codec.vae
        frames = torch.rand(17, 3, 32, 64, generator=torch.Generator().manual_seed(1))
        found = []
        for place in ("cpu", "cuda"):
            codec = Codec.of(copy.deepcopy(vae).to(place), way)
            given = frames.to(place, copy=True).requires_grad_()
            with codec.scoring():
                latents = codec.encode(given)
                (gradient,) = torch.autograd.grad(latents.square().sum(), given)
                found.append([t.detach().cpu() for t in (latents, gradient, codec.decode(latents.detach()))])
        torch.testing.assert_close(found[1], found[0], atol=1e-4 * float(found[0][1].abs().max()), rtol=1e-3)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
    @pytest.mark.parametrize("channels", [3, 12, 96, 384])
    def test_kernels_are_the_formulas(self, channels: int, dtype: torch.dtype) -> None:
        gpu = causal.kernels()
        assert gpu is not None
        near = {"atol": 1e-5, "rtol": 1e-5} if dtype == torch.float32 else {"atol": 1e-2, "rtol": 2e-2}
        generator = torch.Generator("cuda").manual_seed(0)
        bias, gamma = torch.rand(2, channels, device="cuda", generator=generator)
        for frames in (1, 2, 5):
            shape = (2, frames, 3, 5, channels)
            x, grad = (torch.randn(shape, device="cuda", generator=generator).to(dtype) for _ in range(2))
            for way, after, active in itertools.product(WAYS, (False, True), (False, True)):
                kernel = Kernel.of(torch.zeros(8, channels, 3, 3, 3, device="cuda", dtype=dtype), way, after=after)
                plain = kernel.arranged(causal.activated(x, bias, gamma) if active else x)
                quick = gpu.arranged(x, kernel, gamma if active else None, bias if active else None)
                torch.testing.assert_close(quick, plain, **near)
            slopes = [one.activated_back(x, bias, gamma, grad) for one in (gpu, causal)]
            torch.testing.assert_close(*slopes, **near)
            torch.testing.assert_close(gpu.summed(x, grad, bias), (x.float() + grad.float() + bias).to(dtype), **near)

    def test_gradients_out_of_turn(self) -> None:
        """A second clip encoded before the first one's gradient runs beside the recording; both are right."""
        codec = Codec.of(copy.deepcopy(tiny_latent("wan").codec.vae).cuda())
        clips = [torch.rand(17, 3, 32, 32, device="cuda", requires_grad=True) for _ in range(3)]

        def gradient(made: torch.Tensor, clip: torch.Tensor, **more: bool) -> torch.Tensor:
            return torch.autograd.grad(made.square().sum(), clip, **more)[0]

        with codec.scoring():
            apart = [gradient(codec.encode(clip), clip) for clip in clips for _ in range(2)][1::2]
            assert any(kept.recording for kept in codec._recorder._kept.values())
            made = [codec.encode(clip) for clip in clips]
            together = [gradient(one, clip) for one, clip in zip(made, clips, strict=True)]
            torch.testing.assert_close(together, apart, atol=1e-6, rtol=1e-4)
            first = codec.encode(clips[0])
            gradient(first, clips[0], retain_graph=True)
            codec.encode(clips[1])
            with pytest.raises(VideoModelError, match="a second time, after another clip"):
                gradient(first, clips[0])
