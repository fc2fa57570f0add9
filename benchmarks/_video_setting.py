"""What the sections of `video_model.py` share: the networks, worlds they have never seen, sampling and tables."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from fourreal.core.replay import Replays
from fourreal.metrics import psnr
from fourreal.stages.drafts import drafts_for
from fourreal.stages.videos import VideosConfig
from fourreal.video.base import DRAFTS_APART
from fourreal.video.embedded.casting import EVALUATION_SEED
from fourreal.video.embedded.company import drawn_whole, mixed_last, of_two, words_of_halves
from fourreal.video.embedded.critic import CriticNetwork, likeness
from fourreal.video.embedded.network import CONTEXTS, BaseNetwork, Conditions
from fourreal.video.embedded.sampling import Predictor, conditions, sample
from fourreal.video.embedded.stream import draw_path, shoot
from fourreal.video.embedded.tokens import encode_captions, vocabulary_of
from fourreal.video.embedded.upsampler import UpsamplerNetwork
from fourreal.video.embedded.weights import (
    BASE,
    CRITIC,
    UPSAMPLER,
    History,
    load_base,
    load_critic,
    load_upsampler,
)
from fourreal.worlds import Shots, Worlds, captions, render, render_fast, sample_worlds
from fourreal.worlds.cameras import clip_times

# Each use of worlds has its own range of seeds, all beyond those of training; the last begins 2^30 further on.
_USES = (
    "draw",
    "distribution",
    "beside it",
    "held out",
    "freeze",
    "score",
    "sds",
    "extend",
    "upsample",
    "sheet",
    "drafts",
)
_FIRST_SEED = {name: EVALUATION_SEED + (i << 24) for i, name in enumerate(_USES)}
_FIRST_SEED["classifier"] = EVALUATION_SEED + (1 << 30)
DRAFTS = VideosConfig.drafts  # as runs draw
_BULK = 64  # clips of the base's size that a GPU renders at once
_BEST = 60.0  # dB: frames that agree even better (an empty sky) would else rule a mean


@dataclass(frozen=True)
class Options:
    """What the command line says; see `video_model.py --help`."""

    weights: Path
    beside: Path | None
    device: torch.device
    count: int | None
    batch: int
    steps: int
    guidance: float
    frozen_guidance: float
    score_guidance: float
    compiled: bool
    pictures: Path | None
    classifier: Path | None
    classifier_clips: int
    classifier_epochs: int
    classifier_width: int
    static_fit: int
    fit_effort: float
    sds: tuple[str, ...]
    sds_steps: int

    def many(self, usual: int) -> int:
        """`usual`, or fewer if the command line says so."""
        return usual if self.count is None else min(self.count, usual)


@dataclass(frozen=True, eq=False)
class Setting:
    """The networks in question, and the options.

    Attributes:
        base, upsampler: the networks on the device; a folder may hold no upsampler.
        vocabulary: words of the base, in the order of their ids.
        history: how the base was trained.
        load_seconds: from files to the device.
        options: of the command line.
        critic: of the base network, if the folder holds one.
        replays: recordings of the base on a GPU.
    """

    base: BaseNetwork
    upsampler: UpsamplerNetwork | None
    vocabulary: tuple[str, ...]
    history: History
    load_seconds: float
    options: Options
    critic: CriticNetwork | None = None
    replays: Replays = field(default_factory=Replays)

    @staticmethod
    def load(folder: Path, options: Options) -> Setting:
        """The networks of a folder."""
        begun = time.perf_counter()
        base, vocabulary, history = load_base(folder / BASE)
        upsampler = load_upsampler(folder / UPSAMPLER)[0] if (folder / UPSAMPLER).exists() else None
        critic = load_critic(folder / CRITIC, folder / BASE).to(options.device) if (folder / CRITIC).exists() else None
        base = base.to(options.device)
        upsampler = None if upsampler is None else upsampler.to(options.device)
        sync(options.device)
        return Setting(base, upsampler, vocabulary, history, time.perf_counter() - begun, options, critic)

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.options.device

    @property
    def frames(self) -> int:
        """Frames of a clip."""
        return self.base.config.frames

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the base's clips."""
        return self.base.config.height, self.base.config.width

    def worlds(self, use: str, count: int, first: int = 0, labels: dict[str, str] | None = None) -> Worlds:
        """Worlds of the range of `use`, from its `first` on."""
        return sample_worlds(_FIRST_SEED[use] + first + torch.arange(count), self.device, labels=labels)

    def generator(self, use: str, first: int = 0) -> torch.Generator:
        """Random numbers on the device, other ones for each use."""
        return torch.Generator(self.device).manual_seed(_FIRST_SEED[use] + first)

    def given(
        self,
        sentences: Sequence[str],
        context: str,
        *,
        known: Tensor | None = None,
        camera: Tensor | None = None,
    ) -> Conditions:
        """Conditions of clips from captions; `known` [F] or [B, F] says which frames are given, camera is [B, F, 3]."""
        words = encode_captions(sentences, vocabulary_of(self.vocabulary), self.base.config.words).to(self.device)
        return self.given_words(words, context, known=known, camera=camera)

    def given_words(
        self, words: Tensor, context: str, *, known: Tensor | None = None, camera: Tensor | None = None
    ) -> Conditions:
        """The same from word ids [B, L]."""
        index = torch.full((len(words),), CONTEXTS.index(context), device=self.device)
        if known is not None:
            known = known.to(self.device).expand(len(words), self.frames)
        return conditions(words.to(self.device), index, self.frames, known=known, camera=camera)

    def first_known(self) -> Tensor:
        """[F] only the first frame is given."""
        return torch.arange(self.frames, device=self.device) == 0

    def generate(self, given: Conditions, clear: Tensor | None = None, *, first_seed: int = 0) -> Tensor:
        """Clips [B, F, 3, H, W] in [0, 1], a batch at a time; `clear` holds the given frames in [0, 1]."""
        o, pieces = self.options, []
        for i in range(0, len(given.words), o.batch):
            cut = slice(i, i + o.batch)
            part = given.at(cut)
            known = None if clear is None else 2 * clear[cut] - 1
            seeds = range(first_seed + i, first_seed + i + len(part.words))
            weight = o.frozen_guidance if known is not None and bool((part.context == 1).all()) else o.guidance
            predictor = replace(self._predictor(weight), halves=self._halves(part, seeds))
            made = sample(predictor, self._told(part), known, seeds, steps=o.steps)
            pieces.append((made + 1) / 2)
        return torch.cat(pieces)

    def _told(self, given: Conditions) -> Conditions:
        """What to draw from: of two subjects in frozen time, as the model does, known frames without words."""
        shown = (given.context == 1) & given.known.any(1)
        two = [of_two(words, self.vocabulary) for words in given.words]
        silent = shown & torch.tensor(two, device=self.device)
        return given._replace(words=given.words.masked_fill(silent[:, None], 0))

    def _halves(self, given: Conditions, seeds: Sequence[int]) -> Tensor | None:
        """Words for the halves of the pictures, as the model draws two subjects; None if no clip needs them."""
        open_view = ~(given.known.any(1) | given.has_camera.bool() | (given.context == 1))
        found = [
            words_of_halves(words, self.vocabulary) if free and not drawn_whole(seed) else None
            for words, free, seed in zip(given.words, open_view.tolist(), seeds, strict=True)
        ]
        if all(halves is None for halves in found):
            return None
        whole = given.words[:, None].expand(-1, 2, -1).transpose(0, 1)
        return torch.cat([whole[:, i : i + 1] if h is None else h for i, h in enumerate(found)], 1)

    def best(self, given: Conditions, clear: Tensor | None = None) -> Tensor:
        """As `generate`, the draft of several that the critic likes best, as runs draw them."""
        if self.critic is None:
            return self.generate(given, clear)
        shown = bool(given.known.any()) and int(given.context[0]) == CONTEXTS.index("freeze")
        count = drafts_for(DRAFTS, shown=shown)
        clips, values = self.drafts(given, clear, count)
        for i in range(clips.shape[1]):
            one = slice(i, i + 1)
            each = mixed_last(
                values[:, i].tolist(),
                self.base,
                self.vocabulary,
                list(2 * clips[:, one] - 1),
                given.at(one),
                [self._halves(given.at(one), [k * DRAFTS_APART]) is not None for k in range(count)],
            )
            values[:, i] = values.new_tensor(each)
        return liked(clips, values)

    def drafts(self, given: Conditions, clear: Tensor | None = None, count: int = DRAFTS) -> tuple[Tensor, Tensor]:
        """`count` clips [D, B, F, 3, H, W] of each condition, and what the critic says of them [D, B]."""
        clips = [self.generate(given, clear, first_seed=i * DRAFTS_APART) for i in range(count)]
        return torch.stack(clips), torch.stack([self.likeness(c, given) for c in clips])

    def likeness(self, clips: Tensor, given: Conditions) -> Tensor:
        """[B] what the critic says of clips in [0, 1]."""
        assert self.critic is not None
        size = self.options.batch
        cuts = [slice(i, i + size) for i in range(0, len(clips), size)]
        return torch.cat([likeness(self.critic, self.base, 2 * clips[cut] - 1, given.at(cut)) for cut in cuts])

    def denoise(self, x: Tensor, sigma: float, given: Conditions, clear: Tensor, guidance: float) -> Tensor:
        """The clean clips in [-1, 1] of x = clean + sigma noise; `clear` holds the given frames in [-1, 1]."""
        level, pieces = sigma / (1 + sigma), []
        for i in range(0, len(x), self.options.batch):
            cut = slice(i, i + self.options.batch)
            part = given.at(cut)
            where = part.known[:, :, None, None, None]
            noisy = torch.where(where, clear[cut], (1 - level) * x[cut])
            levels = torch.full((len(noisy),), level, device=self.device)
            clean = self._predictor(guidance)(noisy, levels, part)
            pieces.append(torch.where(where, clear[cut], clean))
        return torch.cat(pieces)

    def _predictor(self, guidance: float) -> Predictor:
        return Predictor(self.base, self.history.guided, guidance, self.replays)

    def film(self, worlds: Worlds, path: Tensor, times: Tensor, scale: int = 1) -> tuple[Tensor, Tensor, Shots]:
        """Clips in [0, 1] along a path, `scale` times the base's size; the path relative to frame 0; the cameras."""
        height, width = self.size
        shots, camera = shoot(worlds, path, times, scale * height, scale * width)
        return self._rendered(worlds, shots, scale), camera, shots

    def _rendered(self, worlds: Worlds, shots: Shots, scale: int) -> Tensor:
        count = len(worlds)
        if self.device.type != "cuda" or count < _BULK:
            return render(worlds, shots, geometry=False).rgb
        usual = scale == 1 and shots.times.shape[1] == self.frames
        batch = max(1, _BULK * self.frames // (scale**2 * shots.times.shape[1]))
        # Compiled code is for one shape, so the last batch is filled up.
        filled = torch.arange(math.ceil(count / batch) * batch, device=self.device).clamp(max=count - 1)
        shots = Shots(shots.viewmats[filled], shots.Ks[filled], shots.times[filled], shots.width, shots.height)
        compiled = self.options.compiled and usual
        return render_fast(worlds[filled], shots, batch=batch, compiled=compiled)[0][:count]

    def dynamic(self, worlds: Worlds, generator: torch.Generator) -> Tensor:
        """Clips of running time before a still camera, from where training stands: mostly the reference view."""
        need, start = len(worlds), []
        while sum(map(len, start)) < need:
            path, _, context = draw_path(need + 16, self.frames, generator, self.device)
            still = (context == 0) & (path == path[:, :1]).all(-1).all(-1)
            start.append(path[still])
        return self.film(worlds, torch.cat(start)[:need], clip_times(need, self.frames, self.device).contiguous())[0]

    def orbit(
        self, worlds: Worlds, degrees: Tensor, moments: Tensor, frames: int | None = None
    ) -> tuple[Tensor, Tensor, Shots]:
        """Clips of frozen time round the scene from the reference view: pictures, path, cameras.

        Args:
            worlds: B worlds.
            degrees: [B] azimuth travelled over the clip.
            moments: [B] the frozen times, 0..1.
            frames: of the clip; the base's if None.
        """
        count = self.frames if frames is None else frames
        share = torch.linspace(0, 1, count, device=self.device)
        path = torch.zeros(len(worlds), count, 3, device=self.device)
        path[..., 0] = torch.deg2rad(degrees.to(self.device))[:, None] * share
        return self.film(worlds, path, moments.to(self.device)[:, None].expand(-1, count).contiguous())

    def moments(self, use: str, count: int) -> Tensor:
        """[B] random moments to freeze."""
        return torch.rand(count, generator=self.generator(use), device=self.device)


def liked(clips: Tensor, values: Tensor) -> Tensor:
    """[B, F, 3, H, W] of drafts [D, B, F, 3, H, W] those of the highest value [D, B]."""
    return clips[values.argmax(0), torch.arange(clips.shape[1], device=clips.device)]


def sync(device: torch.device) -> None:
    """Wait for a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def signs(count: int) -> Tensor:
    """[count] 1, -1, 1, ...: orbits to the right and to the left."""
    return 1 - 2 * (torch.arange(count) % 2).float()


def all_said(worlds: Worlds) -> list[str]:
    """Captions that mention everything there is."""
    return captions(worlds, omit=0.0)


def frame_psnr(clips: Tensor, truth: Tensor) -> Tensor:
    """[B, F] decibels of every frame of clips [B, F, 3, H, W] in [0, 1]."""
    each = psnr(clips.float().clamp(0, 1).flatten(0, 1), truth.float().flatten(0, 1))
    return each.clamp(max=_BEST).unflatten(0, clips.shape[:2])


def repeated(truth: Tensor) -> Tensor:
    """The first frame at every moment: what a model that ignores its conditions may show."""
    return truth[:, :1].expand_as(truth)


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table."""
    print(f"\n{title}")
    print("| " + " | ".join(head) + " |")
    print("|" + " --- |" * len(head))
    for row in rows:
        print("| " + " | ".join(f"{v:.4g}" if isinstance(v, float) else str(v) for v in row) + " |", flush=True)
