"""The parts of a score by themselves: halves of an autoencoder, a network, single convolutions."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from _teachers_build import Built
from torch import Tensor

from fourreal.guidance import Known, sds_loss
from fourreal.video import KnownFrames
from fourreal.video.latent import causal
from fourreal.video.latent.causal import WAYS, Kernel, Step
from fourreal.video.latent.clips import Clips
from fourreal.video.latent.model import LatentVideoModel
from fourreal.video.teach import Gradient, teacher

FRAMES = 17
# Counted with torch.utils.flop_counter on Wan 2.1's autoencoder: operations a pixel of 17 frames, which the number of
# pixels hardly changes; a gradient through the encoder costs as much as its value.
WORK = {"encode": 8.72e7, "encode, gradient": 17.45e7, "decode": 14.64e7, "decode two": 29.28e7}
Timed = tuple[float, float]


def timed(step: Callable[[], Any], args: argparse.Namespace) -> Timed:
    """(median milliseconds, peak gigabytes from the first call on) of a step after warming up."""
    gpu = args.device.startswith("cuda")
    if gpu:
        torch.cuda.reset_peak_memory_stats()
    for _ in range(args.warmup):
        step()
    if gpu:
        torch.cuda.synchronize()
    times = []
    for _ in range(args.repeat):
        begun = time.perf_counter()
        step()
        if gpu:
            torch.cuda.synchronize()
        times.append(1000 * (time.perf_counter() - begun))
    peak = torch.cuda.max_memory_allocated() / 1e9 if gpu else 0.0
    return sorted(times)[len(times) // 2], peak


def halves(model: LatentVideoModel, args: argparse.Namespace) -> dict[str, Callable[[], Timed]]:
    """What an autoencoder is asked for by scores."""
    frames = torch.rand(FRAMES, 3, *model.spec.picture_size, device=model.device)
    wanting = frames.clone().requires_grad_()
    with torch.no_grad():
        z = model.encode(frames)
    two = torch.stack([z, z + 0.1])

    def plain(function: Callable[[Tensor], Tensor], x: Tensor) -> Callable[[], Timed]:
        return lambda: timed(torch.no_grad()(lambda: function(x)), args)

    def gradient() -> None:
        wanting.grad = None
        made = model.encode(wanting)
        made.backward(torch.ones_like(made))

    return {
        "encode": plain(model.encode, frames),
        "encode, gradient": lambda: timed(gradient, args),
        "decode": plain(model.decode, z),
        "decode two": plain(model.decode, two),
    }


def network_alone(model: LatentVideoModel, built: Built, args: argparse.Namespace) -> Timed:
    """One guided evaluation, without and with text, its condition prepared."""
    spec = model.spec
    z = torch.randn(1, spec.channels, spec.encoded_frames, *spec.score_size, device=model.device)
    known = KnownFrames((0,), torch.rand(1, 3, *spec.picture_size, device=model.device))
    placed = model._placed(known, spec.picture_size) if "first_frame" in spec.features else None
    with torch.no_grad():
        condition = model.family.condition(placed, None, spec.picture_size)

    def step() -> None:
        with torch.no_grad(), model._scoring():
            model.family.velocity(z, 500.0, built.text.payload, condition, model.guidance)

    return timed(step, args)


def whole_step(model: LatentVideoModel, built: Built, gradient: Gradient, args: argparse.Namespace) -> Timed:
    """One guided step as the fit takes it: a rendered clip with a known first frame, loss and gradient."""
    functions = teacher(model, built.text, gradient=gradient)
    frames = torch.rand(FRAMES, 3, *functions.size, device=model.device, requires_grad=True)
    known = Known((0,), frames[:1].detach())
    generator = torch.Generator().manual_seed(0)

    def step() -> None:
        frames.grad = None
        loss = sds_loss(
            frames, functions.encode, functions.denoise, sigma=1.0, generator=generator, known=known,
            decode=functions.decode,
        )  # fmt: skip
        loss.backward()

    return timed(step, args)


def convolutions(vae: Any, size: tuple[int, int]) -> Counter[tuple[tuple[int, ...], tuple[int, ...]]]:
    """How often each causal convolution (shape of what comes, of its weights) runs: encoding one clip, decoding two."""
    found: Counter[tuple[tuple[int, ...], tuple[int, ...]]] = Counter()
    forward = Step.forward

    def seen(self: Step, x: Tensor) -> Tensor:
        found[tuple(x.shape), tuple(self.weight.shape)] += 1
        return forward(self, x)

    clips = Clips.of(vae.to("meta"), "conv3d")
    assert clips is not None
    Step.forward = seen  # type: ignore[method-assign]
    try:
        with torch.no_grad():
            z = clips.encode(torch.empty(1, 3, FRAMES, *size, device="meta", dtype=vae.dtype))
            clips.decode(z.expand(2, -1, -1, -1, -1))
    finally:
        Step.forward = forward  # type: ignore[method-assign]
    return found


def layer_rows(vae: Any, size: tuple[int, int], args: argparse.Namespace) -> list[str]:
    """Each convolution in each way, in milliseconds: with what comes before it (norm, activation, arranging), alone in
    parentheses, and teraflops a second of that; last, in the order of axes that diffusers has.
    """
    rows = []
    for (shape, weights), times in sorted(convolutions(vae, size).items(), key=lambda item: -_work(*item[0]) * item[1]):
        x = torch.randn(shape, device=args.device, dtype=vae.dtype)
        weight = torch.randn(weights, device=args.device, dtype=vae.dtype) / 100
        gamma, bias = torch.ones(shape[-1], device=args.device), torch.zeros(shape[-1], device=args.device)
        said = []
        for way in WAYS:
            kernel, step = Kernel.of(weight, way), Step(weight, way, gamma, bias)
            quick = causal.fused(x)
            given = quick.arranged(x, kernel, None, None) if quick else kernel.arranged(x)
            alone = _each(lambda kernel=kernel, given=given: kernel(given), args)
            both = _each(lambda step=step, x=x: step.forward(x), args)
            said.append(f"{way} {both:.2f} ({alone:.2f}, {_work(shape, weights) / alone / 1e9:.0f})")
        planar = F.pad(x.permute(0, 4, 1, 2, 3), (0, 0, 0, 0, 2, 0)).contiguous()

        def usual(planar: Tensor = planar, weight: Tensor = weight) -> Tensor:
            with causal.best_convolutions():
                return F.conv3d(planar, weight, padding=(0, 1, 1))

        alone = _each(usual, args)
        said.append(f"planar ({alone:.2f}, {_work(shape, weights) / alone / 1e9:.0f})")
        rows.append(f"{times} x {list(shape)} to {weights[0]}: " + "; ".join(said))
        print(rows[-1], flush=True)
    return rows


def _each(function: Callable[[], Tensor], args: argparse.Namespace) -> float:
    """Milliseconds of one call among several, so that launching is hidden as in a recording."""

    def some() -> None:
        for _ in range(8):
            function()

    return timed(some, args)[0] / 8


def _work(shape: tuple[int, ...], weights: tuple[int, ...]) -> float:
    """Operations of a convolution."""
    pixels = shape[0] * shape[1] * shape[2] * shape[3]
    return 2.0 * pixels * weights[0] * weights[1] * weights[2] * weights[3] * weights[4]
