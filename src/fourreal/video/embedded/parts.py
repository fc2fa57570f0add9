"""The trainings: base network, guidance distilled into it, critic, upsampler; each a network, a stream and a loss."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from fourreal.worlds.words import caption_words

from .casting import Casting
from .critic import CriticConfig, CriticNetwork, critic_loss
from .network import BaseConfig, BaseNetwork
from .objective import training_loss
from .pairs import PairStream
from .stream import ClipStream, StreamConfig
from .tokens import vocabulary_of
from .upsampler import SCALE, UpsamplerConfig, UpsamplerNetwork
from .upsampling import upsampling_loss

# Crops of 144x256 that the upsampler is trained on; it is convolutional, so whole frames need not be seen.
_CROP = (72, 128)


@dataclass(frozen=True, eq=False)
class Part:
    """A training: the network that learns, its loss for one batch, and the stream of clips behind it."""

    network: nn.Module
    loss: Callable[[torch.Generator], Tensor]
    stream: ClipStream | PairStream


@dataclass(frozen=True)
class Placement:
    """Where and how much: device, process number and count, clips a step, size of the pool, what is drawn more."""

    device: torch.device
    rank: int = 0
    world: int = 1
    batch: int = 256
    pool: int = 8192
    first_seed: int = 0
    casting: Casting = field(default_factory=Casting)


def _compiled(network: nn.Module, device: torch.device) -> nn.Module:
    """On a GPU each kind of block is compiled once, in place; a whole graph would take minutes."""
    if device.type == "cuda":
        for module in network.modules():
            if type(module).__name__ in {"Block", "ResBlock", "FrameMix"}:
                module.compile()
    return network


def _stream(config: StreamConfig, words: tuple[str, ...], place: Placement) -> ClipStream:
    config = replace(
        config,
        pool=place.pool,
        chunk=min(config.chunk, place.pool),
        casting=place.casting,
    )
    return ClipStream(
        config, vocabulary_of(words), place.device, first_seed=place.first_seed + place.rank, stride=place.world
    )


def base_part(
    config: BaseConfig, place: Placement, teacher: BaseNetwork | None = None, weaker: BaseNetwork | None = None
) -> Part:
    """The base network; with a `teacher` (a trained base network) it learns guidance, starting from a copy of it.

    A `weaker` network, trained less, makes that guidance stronger: see `objective.guided`.
    """
    words = caption_words()
    stream = _stream(StreamConfig(config.frames, config.height, config.width, config.words), words, place)
    network = BaseNetwork(config) if teacher is None else copy.deepcopy(teacher).requires_grad_(True)
    network.text.still.requires_grad_(False)
    network = _compiled(network.to(place.device), place.device)
    for guide in (teacher, weaker):
        if guide is not None:
            _compiled(guide.to(place.device).requires_grad_(False), place.device)

    def loss(generator: torch.Generator) -> Tensor:
        return training_loss(network, stream.draw(place.batch), generator, teacher, weaker)  # type: ignore[arg-type]

    return Part(network, loss, stream)


def critic_part(base: BaseNetwork, distilled: bool, place: Placement) -> Part:
    """A critic of what the base network draws; the network stays as it is."""
    c, words = base.config, caption_words()
    config = CriticConfig(c.dim, tuple(sorted({min(n, c.depth) for n in CriticConfig.after})))
    size = StreamConfig(c.frames, c.height, c.width, c.words, reuse=2.0)
    _compiled(base.to(place.device).requires_grad_(False), place.device)
    stream = _stream(size, words, replace(place, pool=min(place.pool, size.chunk)))
    pairs = PairStream(stream, (base, distilled), place.pool)
    critic = CriticNetwork(config).to(place.device)

    def loss(generator: torch.Generator) -> Tensor:
        return critic_loss(critic, base, pairs.draw(place.batch), generator)

    return Part(critic, loss, pairs)


def upsampler_part(config: UpsamplerConfig, place: Placement) -> Part:
    """The upsampler, on crops of full-size clips."""
    size = StreamConfig(config.frames, *_CROP, pool=place.pool, chunk=256, crop_of=(SCALE * 36, SCALE * 64))
    stream = _stream(size, caption_words(), place)
    network = _compiled(UpsamplerNetwork(config).to(place.device), place.device)

    def loss(generator: torch.Generator) -> Tensor:
        return upsampling_loss(network, stream.draw(place.batch), generator)  # type: ignore[arg-type]

    return Part(network, loss, stream)
