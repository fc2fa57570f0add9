"""An endless stream of labelled training clips, rendered on the fly into a pool that is renewed all the time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from fourreal.worlds import Shots, Worlds, captions, clip_times, place_cameras, render, render_fast
from fourreal.worlds.facing import Facing, facing

from .casting import EVALUATION_SEED, Casting
from .framing import framed
from .tokens import encode_captions

_VARIANTS = 16


class Clips(NamedTuple):
    """Clips with all that is known of them.

    frames: [B, F, 3, H, W]. words: [B, L]. context: [B] (0 dynamic, 1 freeze-time). camera: [B, F, 3] azimuth,
    elevation and log distance relative to frame 0. seeds: [B] of the worlds.
    """

    frames: UInt8[Tensor, "B F 3 H W"]
    words: Int64[Tensor, "B L"]
    context: Int64[Tensor, " B"]
    camera: Float[Tensor, "B F 3"]
    seeds: Int64[Tensor, " B"]

    def at(self, index: Tensor | slice) -> Clips:
        """Some of them."""
        return Clips(*(value[index] for value in self))


@dataclass(frozen=True)
class StreamConfig:
    """What is streamed.

    Attributes:
        frames, height, width: size of the clips.
        words: word ids a caption is cut or filled to.
        pool: clips held at once.
        reuse: how often a clip is drawn, on average, before another takes its place.
        chunk: clips rendered at once.
        omit: probability of leaving a detail out of a caption.
        samples: per pixel side.
        casting: what is drawn more often.
        crop_of: (height, width) of the whole frame if the clips are random crops of it; corners lie on multiples of 4.
    """

    frames: int = 16
    height: int = 36
    width: int = 64
    words: int = 40
    pool: int = 8192
    reuse: float = 4.0
    chunk: int = 1024
    omit: float = 0.25
    samples: int = 2
    casting: Casting = field(default_factory=Casting)
    crop_of: tuple[int, int] | None = None


def draw_path(
    count: int, frames: int, generator: torch.Generator, device: torch.device
) -> tuple[Float[Tensor, "B F 3"], Float[Tensor, "B F"], Int64[Tensor, " B"]]:
    """Camera paths about the reference view, moments 0..1 and contexts of random clips.

    45 % run time before a still camera, 5 % before a moving one, 50 % stand still in time before a moving camera.
    """

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=device)

    kind, sign = rand(count, 1), torch.where(rand(count, 1) < 0.5, -1.0, 1.0)
    frozen = (kind < 0.5).long()
    moving = kind < 0.55
    share = torch.linspace(0, 1, frames, device=device)
    ease = torch.where(rand(count, 1) < 0.2, share * share * (3 - 2 * share), share)
    sweep = torch.deg2rad(sign * (10 + 130 * rand(count, 1)))
    rise = torch.deg2rad((rand(count, 1) < 0.5) * 40 * (rand(count, 1) - 0.5))
    dolly = (rand(count, 1) < 0.3) * 0.7 * (rand(count, 1) - 0.5)
    moves = torch.stack([moving * m * ease for m in (sweep, rise, dolly)], -1)
    anywhere = (rand(count, 1) < torch.where(moving, 0.6, 0.3)) * (rand(count, 1) * 2 - 1) * math.pi
    start = torch.cat((anywhere, (rand(count, 1) < 0.3) * 0.3 * rand(count, 1), torch.zeros_like(sign)), -1)
    times = torch.where(frozen > 0, rand(count, 1), clip_times(count, frames, device))
    return start[:, None] + moves, times.contiguous(), frozen[:, 0]


def shoot(worlds: Worlds, path: Tensor, times: Tensor, height: int, width: int) -> tuple[Shots, Tensor]:
    """Cameras on `path`, subjects framed where it begins; and the path as filmed: elevations limited, from frame 0."""
    base = worlds.view.elevation[:, None]
    elevation = (base + path[..., 1]).clamp(math.radians(3), math.radians(75)) - base
    path = torch.stack((path[..., 0], elevation, path[..., 2]), -1)
    filled = framed(worlds, path[:, 0], width / height)
    return place_cameras(filled, path, times, width, height), path - path[:, :1]


def _seen(worlds: Worlds, shots: Shots, camera: Tensor, context: Tensor) -> list[Facing]:
    """How subjects are seen, for captions: of running time before a still camera, else it does not stay so."""
    still = (context == 0) & (camera.abs().amax((1, 2)) == 0)
    return [words if stays else Facing() for words, stays in zip(facing(worlds, shots), still.tolist(), strict=True)]


class ClipStream:
    """A pool of clips on `device`; `draw` takes a batch and renews part of the pool."""

    def __init__(
        self,
        config: StreamConfig,
        vocabulary: Mapping[str, int],
        device: torch.device,
        *,
        first_seed: int = 0,
        stride: int = 1,
    ) -> None:
        self.config, self.device = config, device
        self._vocabulary = vocabulary
        self._next, self._stride = first_seed, stride
        self._generator = torch.Generator(device).manual_seed(first_seed)
        self._debt, self._place = 0.0, 0
        chunk = min(config.chunk, config.pool)
        parts = [self.render(self._seeds(chunk)) for _ in range(max(config.pool // chunk, 1))]
        self.pool = Clips(*(torch.cat(column) for column in zip(*parts, strict=True)))

    @property
    def position(self) -> int:
        """The next seed: what a later stream may start from."""
        return self._next

    def _seeds(self, count: int) -> Tensor:
        seeds = self._next + self._stride * torch.arange(count)
        self._next += self._stride * count
        return seeds % EVALUATION_SEED

    def render(self, seeds: Tensor) -> Clips:
        """Clips of the worlds of `seeds`, filmed at random."""
        c = self.config
        worlds = c.casting.worlds(seeds, self.device, self._generator)
        path, times, context = draw_path(len(seeds), c.frames, self._generator, self.device)
        shots, camera = shoot(worlds, path, times, *(c.crop_of or (c.height, c.width)))
        if c.crop_of is not None:
            shots = self._cropped(shots)
        if self.device.type == "cuda":
            rgb, _ = render_fast(worlds, shots, ss=c.samples, batch=64)
        else:
            rgb = render(worlds, shots, ss=c.samples, geometry=False).rgb
        sentences = captions(
            worlds, variant=int(seeds[0]) % _VARIANTS, omit=c.omit, seen=_seen(worlds, shots, camera, context)
        )
        words = encode_captions(sentences, self._vocabulary, c.words).to(self.device)
        return Clips((rgb * 255).round().byte(), words, context, camera, worlds.seeds)

    def _cropped(self, shots: Shots) -> Shots:
        c, moved = self.config, shots.Ks.clone()
        for axis, (whole, part) in enumerate(((shots.width, c.width), (shots.height, c.height))):
            room = (whole - part) // 4 + 1
            corner = torch.randint(room, (len(moved), 1), generator=self._generator, device=self.device)
            moved[..., axis, 2] -= 4 * corner
        return replace(shots, Ks=moved, width=c.width, height=c.height)

    def draw(self, batch: int) -> Clips:
        """A random batch; then as much of the pool is rendered anew as the config asks for."""
        index = torch.randint(len(self.pool.words), (batch,), generator=self._generator, device=self.device)
        drawn = self.pool.at(index)
        self._debt += batch / self.config.reuse
        chunk = min(self.config.chunk, self.config.pool)
        while self._debt >= chunk:
            self._debt -= chunk
            fresh = self.render(self._seeds(chunk))
            where = (self._place + torch.arange(chunk, device=self.device)) % len(self.pool.words)
            for old, new in zip(self.pool, fresh, strict=True):
                old[where] = new
            self._place = int(self._place + chunk) % len(self.pool.words)
        return drawn
