"""`EmbeddedVideoModel`: the shipped networks behind the video model protocol."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from fourreal.core.replay import Replays
from fourreal.io.frames import resize_frames
from fourreal.video.base import (
    CameraPath,
    Context,
    Feature,
    KnownFrames,
    SizeError,
    TextCondition,
    UnsupportedConditionError,
    VideoModelError,
    VideoModelSpec,
    check_camera,
    check_clip,
    check_known,
)

from .company import drawn_whole, mixed_last, of_two, words_of_halves
from .critic import CriticNetwork, likeness
from .drafted import Drafted, Drawing
from .network import CONTEXTS, BaseNetwork, Conditions
from .sampling import FROZEN_GUIDANCE, GUIDANCE, SCORE_GUIDANCE, STEPS, Predictor, conditions
from .understand import Understanding, WordTable, understand
from .upsampler import SCALE, UpsamplerNetwork
from .upsampling import upsample
from .weights import BASE, CRITIC, FOLDER, UPSAMPLER, WORDS, History, load_base, load_critic, load_upsampler

_FEATURES: frozenset[Feature] = frozenset({"text", "first_frame", "prefix", "frames", "camera", "score", "upsample"})


@dataclass(frozen=True, eq=False)
class EmbeddedVideoModel:
    """A small Snap Video Model (arXiv 2402.14797) trained on procedural worlds; see docs/model_card.md.

    Attributes:
        base: makes clips of 16 frames of 36x64.
        upsampler: makes them four times as large.
        vocabulary: words that the base knows, in the order of their ids.
        table: word vectors, to find the nearest known word.
        history: how the base was trained.
        critic: tells which of several clips looks most like a true one; None where none was trained for the base.
        replays: recordings of the base on a GPU, where launching its kernels takes longer than running them; None
            to launch them.
        drafted: the drafts that `likeness` drew last: `generate` draws none of them again.
    """

    base: BaseNetwork
    upsampler: UpsamplerNetwork
    vocabulary: tuple[str, ...]
    table: WordTable
    history: History
    critic: CriticNetwork | None = None
    replays: Replays | None = field(default_factory=Replays, repr=False)
    drafted: Drafted = field(default_factory=Drafted, init=False, repr=False)

    @staticmethod
    def load(folder: Path | str | None = None, device: torch.device | str = "cpu") -> EmbeddedVideoModel:
        """The shipped model, or one trained by `4real train-video-model` whose weight files lie in `folder`.

        Raises:
            ModelSourceError: if a file is missing or damaged.
        """
        where = FOLDER if folder is None else Path(folder)
        base, vocabulary, history = load_base(where / BASE)
        upsampler, _ = load_upsampler(where / UPSAMPLER)
        table = WordTable.load(None if folder is None or not (where / WORDS).exists() else where / WORDS)
        critic = load_critic(where / CRITIC, where / BASE).to(device) if (where / CRITIC).exists() else None
        return EmbeddedVideoModel(base.to(device), upsampler.to(device), vocabulary, table, history, critic)

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.base.place.device

    @property
    def spec(self) -> VideoModelSpec:
        """What the model can do."""
        c = self.base.config
        critic: frozenset[Feature] = frozenset() if self.critic is None else frozenset({"likeness"})
        return VideoModelSpec(
            "the embedded video model",
            _FEATURES | critic,
            c.frames,
            (SCALE * c.height, SCALE * c.width),
            (c.height, c.width),
            3,
            8.0,
            "Apache-2.0",
        )

    def encode_text(self, prompt: str, *, context: Context = "dynamic") -> TextCondition:
        """The prompt as ids of known words, but not of how subjects are seen: pictures may show them from anywhere.

        Raises:
            PromptError: if the prompt is empty, too long, or names nothing that the model knows.
        """
        return self._encoded(prompt, context, understand(prompt, self.table, view=False))

    def encode_complete(self, prompt: str, *, context: Context = "dynamic") -> TextCondition:
        """The same of a prompt to draw from, completed where it leaves light or action open; see `Completes`.

        Where time runs, it says how subjects are seen, too.
        """
        return self._encoded(prompt, context, understand(prompt, self.table, complete=True, view=context == "dynamic"))

    def _encoded(self, prompt: str, context: Context, found: Understanding) -> TextCondition:
        ids = {word: i + 1 for i, word in enumerate(self.vocabulary)}
        row = [ids[w] for w in found.words if w in ids][: self.base.config.words]
        row += [0] * (self.base.config.words - len(row))
        return TextCondition(prompt, context, found.line(), torch.tensor(row, dtype=torch.int64), found.turns)

    def generate(
        self,
        text: TextCondition,
        *,
        size: tuple[int, int] | None = None,
        known: KnownFrames | None = None,
        camera: CameraPath | None = None,
        seed: int = 0,
        steps: int | None = None,
        on_step: Callable[[int, int], None] | None = None,
        guidance: float | None = None,
    ) -> Float[Tensor, "F 3 H W"]:
        """A clip of 16 frames; see `VideoModel.generate`.

        Args:
            text: from `encode_text`.
            size: (36, 64) for the base network alone, (144, 256) with the upsampler (default).
            known: given frames; of another size they are resized.
            camera: relative to frame 0; without one the model chooses (a dynamic clip's camera stands still).
            seed: of the noise.
            steps: evaluations of the base network.
            on_step: called with evaluations done and in all; the upsampler counts as one more.
            guidance: weight of the text; None for 2.5, and for 2 where time is frozen and frames are known; of two
                subjects nothing is told there.
        """
        full = self.spec.size
        size = full if size is None else size
        if size not in (full, self.spec.score_size):
            can = " or ".join(f"{h}x{w}" for h, w in (self.spec.score_size, full))
            raise SizeError(f"{self.spec.name} makes clips of {can}, not {size[0]}x{size[1]}; resize them afterwards")
        steps = STEPS if steps is None else steps
        if steps < 1:
            raise VideoModelError(f"steps must be at least 1, got {steps}; {STEPS} is usual")
        final = size == full
        total = steps + final

        def tell(done: int, _: int) -> None:
            if on_step is not None:
                on_step(done, total)

        drawing = self._drawing(text, known, camera, seed, steps, guidance)
        clip, mask = self.drafted.take(drawing, tell)[0], drawing.told.known[0].cpu()
        clip = ((clip + 1) / 2).clamp(0, 1)
        given_frames = None if known is None else self._placed(known, size)
        if final:
            clip = self._upsampled(clip, given_frames, mask, seed)
            tell(total, total)
        clip = clip.cpu()
        if given_frames is not None:
            clip = torch.where(mask[:, None, None, None], given_frames, clip)
        return clip

    @torch.no_grad()
    def likeness(
        self,
        text: TextCondition,
        seeds: Sequence[int],
        *,
        known: KnownFrames | None = None,
        camera: CameraPath | None = None,
        steps: int | None = None,
        on_step: Callable[[int, int], None] | None = None,
    ) -> list[float]:
        """How much the clips of these seeds look like true ones of the same conditions; see `Chooses.likeness`.

        Of clips of two subjects, those in which one may have taken the other's look come after all others.

        Raises:
            VideoModelError: if no critic was trained for the base network.
        """
        if self.critic is None:
            raise VideoModelError(
                "these weights have no critic; train one with `4real train-video-model --part critic`, "
                "or draw a single clip"
            )
        steps = STEPS if steps is None else steps
        given = self._conditions(text, self._known(known)[1], camera)
        found, clips, by_halves = [], [], []
        for number, seed in enumerate(seeds):  # one by one: a CPU gains nothing from more, a GPU replays a recording

            def tell(done: int, total: int, before: int = number) -> None:
                if on_step is not None:
                    on_step(before * total + done, len(seeds) * total)

            drawing = self._drawing(text, known, camera, seed, steps)
            clips.append(self.drafted.draw(drawing, tell))
            found.append(float(likeness(self.critic, self.base, clips[-1], given)))
            by_halves.append(drawing.predictor.halves is not None)
        return mixed_last(found, self.base, self.vocabulary, clips, given, by_halves)

    @torch.no_grad()
    def upsample(self, frames: Float[Tensor, "F 3 H W"], *, seed: int = 0) -> Float[Tensor, "F 3 h w"]:
        """The clip [16, 3, H, W] as this model draws it from its means over areas, 36x64; see `Upsamples.upsample`."""
        small = (self.encode(frames.to(self.device)) + 1) / 2
        return self._upsampled(small, None, torch.zeros(len(frames), dtype=torch.bool), seed).cpu()

    def _upsampled(self, clip: Tensor, given: Tensor | None, mask: Tensor, seed: int) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            return upsample(self.upsampler, clip, known=given, is_known=mask, seed=seed).float()

    def encode(self, frames: Float[Tensor, "F 3 H W"]) -> Float[Tensor, "F C h w"]:
        """Frames [16, 3, H, W] in [0, 1] as means over areas, 36x64, in [-1, 1]; differentiable."""
        check_clip(frames, self.spec)
        height, width = self.spec.score_size
        if frames.shape[1] != 3 or frames.shape[2] < height or frames.shape[3] < width:
            raise SizeError(
                f"{self.spec.name} scores frames of 3 channels and at least {height}x{width}, "
                f"got {list(frames.shape[1:])}"
            )
        return 2 * F.interpolate(frames, (height, width), mode="area") - 1

    def denoise(
        self,
        x: Float[Tensor, "F C h w"],
        sigma: float,
        text: TextCondition,
        *,
        known: KnownFrames | None = None,
        camera: CameraPath | None = None,
        guidance: float = SCORE_GUIDANCE,
    ) -> Float[Tensor, "F C h w"]:
        """The guided clean clip of x = clean + sigma noise; see `VideoModel.denoise`."""
        check_clip(x, self.spec, self.spec.score_size)
        if x.shape[1] != 3:
            raise SizeError(f"{self.spec.name} denoises 3 channels, got {x.shape[1]}")
        if not (math.isfinite(sigma) and sigma > 0):
            raise VideoModelError(f"sigma must be positive and finite, got {sigma}")
        small, mask = self._known(known)
        level = sigma / (1 + sigma)
        noisy = (x.detach().to(self.device, torch.float32) * (1 - level))[None]
        where = mask.to(self.device)[None, :, None, None, None]
        clear = torch.zeros_like(noisy) if small is None else small[None].to(self.device)
        given = self._conditions(text, mask, camera)
        levels = torch.full((1,), level, device=self.device)
        clean = self._predictor(guidance)(torch.where(where, clear, noisy), levels, given)
        return torch.where(where, clear, clean)[0].to(x)

    def _drawing(
        self,
        text: TextCondition,
        known: KnownFrames | None,
        camera: CameraPath | None,
        seed: int,
        steps: int,
        guidance: float | None = None,
    ) -> Drawing:
        small, mask = self._known(known)
        clear = None if small is None else small[None].to(self.device)
        told, usual = self._told(self._conditions(text, mask, camera), text, known)
        weight = usual if guidance is None else guidance
        return Drawing(self._predictor(weight, self._halves(text, known, camera, seed)), told, clear, seed, steps)

    def _predictor(self, guidance: float, halves: Tensor | None = None) -> Predictor:
        return Predictor(self.base, self.history.guided, guidance, self.replays, halves)

    def _told(self, given: Conditions, text: TextCondition, known: KnownFrames | None) -> tuple[Conditions, float]:
        """What to draw from, and with how much guidance.

        Of frozen time a frame says more than words do, and of two subjects words would give one the other's look as
        soon as the camera moves: none are told.
        """
        if known is None or text.context != "freeze":
            return given, GUIDANCE
        if of_two(given.words[0], self.vocabulary):
            return given.without_text(), 1.0
        return given, FROZEN_GUIDANCE

    def _halves(
        self, text: TextCondition, known: KnownFrames | None, camera: CameraPath | None, seed: int
    ) -> Tensor | None:
        """What halves are drawn from, where two subjects stand before a still camera and no frame shows them."""
        open_view = text.context == "dynamic" and known is None and camera is None
        if not open_view or drawn_whole(seed) or not isinstance(text.payload, Tensor):
            return None
        return words_of_halves(text.payload.to(self.device), self.vocabulary)

    def _known(self, known: KnownFrames | None) -> tuple[Tensor | None, Tensor]:
        """The given frames in place, encoded, and which they are."""
        mask = torch.zeros(self.spec.frames, dtype=torch.bool)
        if known is None:
            return None, mask
        check_known(known, self.spec)
        mask[list(known.indices)] = True
        placed = self._placed(known, None)
        return torch.where(mask[:, None, None, None], self.encode(placed), torch.zeros(())), mask

    def _placed(self, known: KnownFrames, size: tuple[int, int] | None) -> Float[Tensor, "F 3 H W"]:
        """A clip with the given frames at their places and black elsewhere, at `size` (None: at least the base's)."""
        frames = known.frames.detach().float().cpu()
        height, width = self.spec.score_size
        small = frames.shape[2] < height or frames.shape[3] < width
        if size is None and small:
            size = (height, width)
        if size is not None and tuple(frames.shape[-2:]) != size:
            frames = resize_frames(frames, *size)
        clip = torch.zeros(self.spec.frames, *frames.shape[1:])
        clip[list(known.indices)] = frames
        return clip

    def _conditions(self, text: TextCondition, mask: Tensor, camera: CameraPath | None) -> Conditions:
        words = text.payload
        if not isinstance(words, Tensor) or words.shape != (self.base.config.words,):
            raise UnsupportedConditionError("the text was encoded by another model; use this model's encode_text")
        if camera is not None:
            check_camera(camera, self.spec)
        ids: Int64[Tensor, "B L"] = words[None].to(self.device)
        return conditions(
            ids,
            torch.tensor([CONTEXTS.index(text.context)], device=self.device),
            self.spec.frames,
            known=mask[None].to(self.device),
            camera=None if camera is None else camera.values[None].to(self.device, torch.float32),
        )
