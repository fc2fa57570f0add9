"""Score distillation through models of latents: what reaches the frames, and only the frames."""

from __future__ import annotations

import copy
import re
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from fourreal.core.replay import Replays
from fourreal.guidance import N_REF, Known, augment, level_of, sds_loss
from fourreal.video import TextCondition, UnsupportedConditionError
from fourreal.video.hosted import HostedVideoModel, Route
from fourreal.video.latent.condition import Condition
from fourreal.video.latent.model import LatentVideoModel
from fourreal.video.latent.settings import Facts
from fourreal.video.teach import Gradient, Teacher, teacher

from .tiny_latent import tiny_latent

KINDS = ("wan-vace", "wan-experts", "wan-ti2v", "ltx", "sana-wm")
MODES: tuple[Gradient, ...] = ("pixel", "latent")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def frames_for(model: LatentVideoModel, seed: int = 1) -> Tensor:
    rough = torch.rand(17, 3, 4, 4, generator=seeded(seed))
    size = model.spec.picture_size
    return torch.nn.functional.interpolate(rough, size, mode="bilinear", align_corners=False).clamp(0, 1)


def first_of(frames: Tensor) -> Known:
    return Known((0,), frames[:1].detach())


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest) -> LatentVideoModel:
    return tiny_latent(request.param)


def text_of(model: LatentVideoModel) -> TextCondition:
    return model.encode_text("a fox jumping on grass")


def loss_of(functions: Teacher, frames: Tensor, known: Known | None, sigma: float = 1.0) -> Tensor:
    return sds_loss(
        frames, functions.encode, functions.denoise, sigma=sigma, generator=seeded(), known=known,
        decode=functions.decode,
    )  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
def test_gradients_reach_unknown_frames_alone(model: LatentVideoModel, mode: Gradient) -> None:
    """Finite, not zero, none on the known frame, and none on any parameter of any network."""
    frames = frames_for(model).requires_grad_()
    functions = teacher(model, text_of(model), gradient=mode)
    loss_of(functions, frames, first_of(frames)).backward()
    assert frames.grad is not None
    assert torch.isfinite(frames.grad).all()
    assert not frames.grad[0].any()
    assert frames.grad[1:].flatten(1).any(1).all()
    networks = [p for p in model.family.pipe.components.values() if isinstance(p, torch.nn.Module)]  # type: ignore[attr-defined]
    parameters = [p for network in networks for p in network.parameters()]
    assert parameters
    assert all(p.grad is None and not p.requires_grad for p in parameters)


def test_the_latent_gradient_is_the_encoders_vector_jacobian_product(model: LatentVideoModel) -> None:
    """2 N_REF / n (z - x0) J, with the network nowhere in J."""
    frames = frames_for(model).requires_grad_()
    functions = teacher(model, text_of(model), gradient="latent")
    known = first_of(frames)
    (found,) = torch.autograd.grad(loss_of(functions, frames, known, 0.7), frames)
    held = torch.cat([known.frames, frames[1:]])
    z = model.encode(held)
    noise = torch.randn(z.shape, generator=seeded())
    told = None if "first_frame" not in model.spec.features else known
    x0 = functions.denoise(z.detach() + 0.7 * noise, 0.7, told)
    (expected,) = torch.autograd.grad(z, frames, 2 * N_REF / z.numel() * (z - x0).detach())
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("mode", MODES)
def test_the_pixel_way_builds_no_graph_through_the_autoencoder(mode: Gradient, monkeypatch) -> None:
    model = tiny_latent("wan-vace")
    graphs: list[bool] = []
    encode = type(model.codec).encode

    def watched(self: Any, frames: Tensor) -> Tensor:
        made = encode(self, frames)
        graphs.append(made.requires_grad)
        return made

    monkeypatch.setattr(type(model.codec), "encode", watched)
    frames = frames_for(model).requires_grad_()
    loss_of(teacher(model, text_of(model), gradient=mode), frames, first_of(frames)).backward()
    assert any(graphs) == (mode == "latent")


def test_pixels_are_pulled_by_what_the_decoder_makes_of_the_residual() -> None:
    """x - target = decode(z) - decode(x0): the autoencoder's own loss is in both, so it cancels."""
    model = tiny_latent("ltx")
    frames = frames_for(model).requires_grad_()
    functions = teacher(model, text_of(model))
    (found,) = torch.autograd.grad(loss_of(functions, frames, None), frames)
    with torch.no_grad():
        z = model.encode(frames)
        x0 = functions.denoise(z + torch.randn(z.shape, generator=seeded()), 1.0, None)
        residual = 2 * (model.decode(z) - model.decode(x0))
    torch.testing.assert_close(found, 2 * 2 * N_REF / frames.numel() * residual)


@pytest.mark.parametrize("sigma", [0.05, 1.0, 20.0])
def test_clean_velocity_and_noise_are_one_prediction(model: LatentVideoModel, sigma: float) -> None:
    """z_t = (1 - t) z + t eps, v = eps - z: x0 = z_t - t v and eps = z_t + (1 - t) v, as the network says v."""
    text, t = text_of(model), level_of(sigma)
    frames = frames_for(model)
    functions = teacher(model, text)
    known = first_of(frames)
    z = model.encode(frames)
    eps = torch.randn(z.shape, generator=seeded())
    x0 = functions.denoise(z + sigma * eps, sigma, known)
    mixed = (1 - t) * z + t * eps
    v = (mixed - x0) / t
    predicted_eps = mixed + (1 - t) * v
    torch.testing.assert_close((z - x0), t * (v - (eps - z)), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close((z - x0), sigma * (predicted_eps - eps), atol=1e-3, rtol=1e-3)


class Lossless:
    """An autoencoder without loss and of Wan's shape: pixels of 4 frames, 8x8 a cell, become channels."""

    stride, cell, channels, replays = 4, 8, 4 * 3 * 64, Replays()

    def encode(self, frames: Tensor) -> Tensor:
        groups = torch.cat([frames[:1].expand(3, -1, -1, -1), frames]).unflatten(0, (-1, 4)).flatten(1, 2)
        return torch.nn.functional.pixel_unshuffle(2 * groups - 1, 8).permute(1, 0, 2, 3)[None]

    def decode(self, latents: Tensor) -> Tensor:
        groups = torch.nn.functional.pixel_shuffle(latents.transpose(1, 2), 8)
        return ((groups + 1) / 2).unflatten(2, (4, 3)).flatten(1, 2)[:, 3:]

    def scoring(self, *, record: bool) -> AbstractContextManager[None]:
        return nullcontext()


class Knowing:
    """The exact network for data that is one clip, z*: v = (z_t - z*) / t."""

    def __init__(self, truth: Tensor, facts: Facts) -> None:
        self.truth, self.facts, self.pipe = truth, facts, None

    def condition(self, *about: Any) -> Condition:
        return Condition()

    def velocity(self, z: Tensor, timestep: float, text: Any, condition: Condition, guidance: float) -> Tensor:
        return (z - self.truth) / (timestep / 1000)

    def timesteps(self, scheduler: Any, steps: int, z: Tensor) -> None:
        scheduler.set_timesteps(steps)


@pytest.mark.parametrize("mode", MODES)
def test_a_perfect_teacher_drives_frames_to_its_clip(mode: Gradient) -> None:
    """Whatever the noise, and through either half of the autoencoder."""
    tiny, codec = tiny_latent("wan"), Lossless()
    truth = frames_for(tiny, 7)
    model = copy.copy(tiny)
    model.__dict__.update(codec=codec, family=Knowing(codec.encode(truth), tiny.facts))
    model.__dict__.pop("_spec", None)
    functions = teacher(model, text_of(tiny), gradient=mode)
    frames = frames_for(tiny, 1)
    before = float((frames - truth).abs().mean())
    frames.requires_grad_()
    optimiser = torch.optim.Adam([frames], 0.05)
    for step in range(80):
        optimiser.zero_grad()
        loss_of(functions, frames, None, (0.2, 1.0, 5.0)[step % 3]).backward()
        optimiser.step()
    assert float((frames.detach() - truth).abs().mean()) < 0.05 * before


def test_augmented_clips_of_full_size_are_taken() -> None:
    """What the fit does: render larger, shift or crop, score."""
    model = tiny_latent("wan-vace")
    functions = teacher(model, text_of(model))
    frames = torch.rand(17, 3, 80, 80, generator=seeded(), requires_grad=True)
    for seed in range(3):
        seen, known, _ = augment(frames, first_of(frames), functions.size, seeded(seed))
        (found,) = torch.autograd.grad(loss_of(functions, seen, known), frames)
        assert torch.isfinite(found).all()
        assert found[1:].any()
        assert not found[0].any()


def test_frames_a_model_cannot_be_told_are_held_all_the_same() -> None:
    """A text-to-video teacher takes no known frame: nothing is told, and still no gradient reaches it."""
    model = tiny_latent("wan")
    functions = teacher(model, text_of(model))
    frames = frames_for(model).requires_grad_()
    (found,) = torch.autograd.grad(loss_of(functions, frames, first_of(frames)), frames)
    assert not found[0].any()
    assert found[1:].any()


def test_a_hosted_model_is_no_teacher() -> None:
    model = HostedVideoModel((Route("some/model", "fal-ai", "text-to-video"),))
    with pytest.raises(UnsupportedConditionError, match=r"some/model cannot be a teacher .*--teacher"):
        teacher(model, model.encode_text("a fox"))


def test_two_experts_share_the_noise_levels() -> None:
    """Wan 2.2: from the boundary on the expert for high noise, below it the other; also while scoring."""
    model = tiny_latent("wan-experts")
    pipe = model.family.pipe  # type: ignore[attr-defined]
    expert = model.family.expert  # type: ignore[attr-defined]
    assert pipe.config.boundary_ratio == 0.9
    assert expert(1000.0) is expert(900.0) is pipe.transformer
    assert expert(899.9) is expert(20.0) is pipe.transformer_2
    asked: list[str] = []
    hooks = [
        network.register_forward_hook(lambda *_, name=name: asked.append(name))
        for name, network in (("high", pipe.transformer), ("low", pipe.transformer_2))
    ]
    frames = frames_for(model)
    functions = teacher(model, text_of(model))
    z = model.encode(frames)
    for level in (0.95, 0.5):
        functions.denoise(z, level / (1 - level), first_of(frames))
    for hook in hooks:
        hook.remove()
    assert asked == ["high", "low"]


def test_the_example_of_the_documentation() -> None:
    page = Path(__file__).parents[2] / "docs" / "models.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    model = tiny_latent("wan-vace")
    frames = frames_for(model).requires_grad_()
    names: dict[str, Any] = {"model": model, "text": text_of(model), "frames": frames, "generator": seeded()}
    exec(code, names)
    names["loss"].backward()
    assert frames.grad is not None
    assert frames.grad[1:].any()
