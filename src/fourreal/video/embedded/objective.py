"""What the base network learns: noise levels, masks of known frames, the loss, and guidance by distillation."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .network import Conditions
from .stream import Clips

TEXT_DROP, CAMERA_DROP = 0.1, 0.2
# What a clip shows (which way a subject faces, what it stands on) is decided where hardly anything but noise is seen:
# ten nats are learnt above 0.93, by the loss there. Half of the levels are drawn about it.
_EARLY, _EARLY_MEAN = 0.5, 2.6
_LEAST_LEVEL = 0.05
_STRESS, _SPREAD = 3.0, (0.25, 0.16)  # how much more the middle weighs; how far it reaches, of height and width
_EIGHT = 8

Denoiser = Callable[[Tensor, Tensor, Conditions], Tensor]


def noised(clean: Tensor, noise: Tensor, level: Tensor, known: Tensor) -> Tensor:
    """(1 - level) clean + level noise; known frames stay clean."""
    share = level.view(-1, 1, 1, 1, 1) * (~known)[:, :, None, None, None]
    return clean + share * (noise - clean)


def draw_known(context: Tensor, frames: int, generator: torch.Generator) -> Bool[Tensor, "B F"]:
    """Which frames are given, in the shares below; frozen clips are conditioned more often, as they will be used.

    The four strategies of Snap Video (arXiv 2402.14797) are none, random single frames, every k-th frame and a prefix
    of any length; to them come exactly the first frame, the first eight, one frame anywhere, and both ends.
    """
    device, count = context.device, len(context)

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=device)

    place = torch.arange(frames, device=device)
    one = (rand(count, 1) * frames).long()
    stride, prefix = 2 + (rand(count, 1) * 4).long(), 1 + (rand(count, 1) * (frames - 1)).long()
    ends = 1 + (rand(count, 1) * (frames // 2 - 1)).long()
    options = torch.stack(
        (
            torch.zeros(count, frames, dtype=torch.bool, device=device),
            (place == 0).expand(count, -1),
            (place < _EIGHT).expand(count, -1),
            rand(count, frames) < 1 / frames,
            place % stride == 0,
            place < prefix,
            place == one,
            (place < ends) | (place >= frames - ends),
        ),
        1,
    )
    free = torch.tensor([0.55, 0.18, 0.07, 0.04, 0.04, 0.04, 0.05, 0.03], device=device)
    frozen = torch.tensor([0.2, 0.35, 0.22, 0.04, 0.04, 0.04, 0.05, 0.06], device=device)
    edges = torch.where((context == 1)[:, None], frozen, free).cumsum(1)
    choice = (rand(count, 1) > edges).sum(1).clamp(max=options.shape[1] - 1)
    return options[torch.arange(count, device=device), choice]


def conditions_of(clips: Clips, generator: torch.Generator) -> Conditions:
    """Conditions as training draws them: text and cameras left out at times, some frames given."""
    device, count = clips.frames.device, len(clips.words)

    def rand() -> Tensor:
        return torch.rand(count, generator=generator, device=device)

    words = torch.where((rand() < TEXT_DROP)[:, None], 0, clips.words)
    # A running clip before a moving camera must say so: without a path, time running means a still camera.
    moves = clips.camera.abs().amax((1, 2)) > 0
    has_camera = (rand() >= CAMERA_DROP) | (moves & (clips.context == 0))
    known = draw_known(clips.context, clips.frames.shape[1], generator)
    return Conditions(words, clips.context, known, clips.camera, has_camera, torch.ones(count, device=device))


def draw_levels(
    count: int, generator: torch.Generator, device: torch.device, early: float = 0.0
) -> Float[Tensor, " B"]:
    """Noise levels: logit-normal, towards the noisy side, with a tenth drawn evenly so that none is rare.

    A share `early` of the others lies far on the noisy side. Video needs it more than pictures do: frames repeat each
    other, and so what they show survives far more noise (arXiv 2301.11093 says it of large pictures).
    """
    mean = torch.where(torch.rand(count, generator=generator, device=device) < early, _EARLY_MEAN, 0.8)
    normal = torch.sigmoid(torch.randn(count, generator=generator, device=device) + mean)
    even = torch.rand(count, generator=generator, device=device)
    pick = torch.rand(count, generator=generator, device=device) < 0.1
    return torch.where(pick, even, normal)


def stress(height: int, width: int, device: torch.device) -> Float[Tensor, "H W"]:
    """Weights of pixels, 1 on average: subjects stand in the middle, and are the smaller part of a picture.

    The weights are the same for all clips, so that what the loss is least for stays the mean of what may be.
    """
    y = torch.linspace(-0.5, 0.5, height, device=device)[:, None] / _SPREAD[0]
    x = torch.linspace(-0.5, 0.5, width, device=device) / _SPREAD[1]
    weight = 1 + _STRESS * torch.exp(-(x.square() + y.square()) / 2)
    return weight / weight.mean()


def velocity_loss(predicted: Tensor, target: Tensor, level: Tensor, known: Tensor) -> Float[Tensor, ""]:
    """Mean squared error of the velocity (noisy - clean) / level over the frames that are not given; see `stress`."""
    weight = (~known)[:, :, None, None, None] / level.clamp(min=_LEAST_LEVEL).square().view(-1, 1, 1, 1, 1)
    height, width = predicted.shape[-2:]
    weight = weight * stress(height, width, predicted.device)
    pixels = predicted[0, 0].numel()
    return ((predicted.float() - target).square() * weight).sum() / ((~known).sum() * pixels)


def training_loss(
    network: Denoiser,
    clips: Clips,
    generator: torch.Generator,
    teacher: Denoiser | None = None,
    weaker: Denoiser | None = None,
) -> Float[Tensor, ""]:
    """The loss on a batch.

    With a `teacher` the network learns, instead of the clean clip, the teacher's guided prediction for a random
    weight of guidance, so that one evaluation does what took two (guidance distillation, arXiv 2210.03142), or three
    where a `weaker` network guides it as well.
    """
    clean = clips.frames.float() / 127.5 - 1
    given = conditions_of(clips, generator)
    level = draw_levels(len(clean), generator, clean.device, _EARLY)
    noise = torch.randn(clean.shape, generator=generator, device=clean.device)
    noisy = noised(clean, noise, level, given.known)
    target = clean
    if teacher is not None:
        weight = 1 + 5 * torch.rand(len(clean), generator=generator, device=clean.device)
        with torch.no_grad():
            target = guided(teacher, noisy, level, given, weight, weaker)
        given = given._replace(guidance=weight)
    return velocity_loss(network(noisy, level, given), target, level, given.known)


def guided(
    denoise: Denoiser,
    noisy: Tensor,
    level: Tensor,
    given: Conditions,
    weight: Tensor,
    weaker: Denoiser | None = None,
) -> Tensor:
    """Classifier-free guidance (arXiv 2207.12598) on clean predictions: free + weight (told - free).

    A `weaker` network, the same after less training, errs in the same way but farther: (weight - 1) / 2 times the step
    from its prediction to the better one is added (autoguidance, arXiv 2406.02507), which makes shapes out of lumps.
    """
    # Both in one batch: of a single clip a GPU is as fast with two.
    both = Conditions(*(torch.cat(pair) for pair in zip(given, given.without_text(), strict=True)))
    told, free = denoise(noisy.repeat(2, 1, 1, 1, 1), level.repeat(2), both).float().chunk(2)
    each = weight.view(-1, 1, 1, 1, 1)
    out = free + each * (told - free)
    return out if weaker is None else out + (each - 1) / 2 * (told - weaker(noisy, level, given).float())
