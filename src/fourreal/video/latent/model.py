"""`LatentVideoModel`: a model of diffusers behind the video model protocol."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.io.frames import resize_frames
from fourreal.video.base import (
    CameraPath,
    Context,
    FrameCountError,
    KnownFrames,
    SizeError,
    TextCondition,
    UnsupportedConditionError,
    VideoModelError,
    VideoModelSpec,
    check_clip,
    check_features,
    check_prompt,
)
from fourreal.video.path_cameras import cameras_of_path
from fourreal.video.prompts import FreezeTimeRecipe, told

from .codec import Codec, shrink
from .condition import FamilyCode, Placed
from .sampling import sample
from .settings import Facts, ModelSettings
from .source import Source
from .text import EncodedText, TextEncoder

_ORBIT = 60.0  # degrees to the right that a frozen camera goes if no path is given


@dataclass(frozen=True, eq=False)
class LatentVideoModel:
    """A latent flow model: Wan, LTX or SANA-WM.

    Clean latents z have standard deviation 1 and the network predicts v = noise - z from (1 - t) z + t noise. With
    t = sigma / (1 + sigma) that is z + sigma noise, scaled by 1 - t: so `denoise` returns (1 - t) x - t v.

    Attributes:
        source: where the weights lie.
        settings: the user's choices.
        facts: the family's features and defaults.
        codec: the autoencoder, which is loaded at once.
        texts: the text encoder, which is loaded only while it reads.
        networks: loads the rest on first use.
        device: where the networks work.
    """

    source: Source
    settings: ModelSettings
    facts: Facts
    codec: Codec
    texts: TextEncoder
    networks: Callable[[], FamilyCode]
    device: torch.device
    _styled: list[Context] = field(default_factory=list, repr=False)

    @cached_property
    def family(self) -> FamilyCode:
        """The family's code with its networks."""
        return self.networks()

    @property
    def spec(self) -> VideoModelSpec:
        """What the model can do."""
        return self._spec

    @cached_property
    def _spec(self) -> VideoModelSpec:
        facts, codec, settings = self.facts, self.codec, self.settings
        height, width = settings.score_size or facts.score_size
        return VideoModelSpec(
            self.source.name,
            facts.features,
            facts.frames,
            settings.size or facts.size,
            (height // codec.cell, width // codec.cell),
            codec.channels,
            facts.fps,
            self.source.license(),
            stride=codec.stride,
            cell=codec.cell,
            required=facts.required,
        )

    @property
    def recipe(self) -> FreezeTimeRecipe:
        """How frozen time is asked for."""
        return self.settings.recipe(self.facts.recipe)

    @property
    def guidance(self) -> float:
        """Weight of the text."""
        return self.facts.guidance if self.settings.guidance is None else self.settings.guidance

    def encode_text(self, prompt: str, *, context: Context = "dynamic") -> TextCondition:
        """The prompt, told as the family's recipe says, as embeddings.

        Both contexts are encoded at once, since a run needs both and the text encoder may not fit beside the networks.

        Raises:
            PromptError: if the prompt is empty or far too long.
            ModelSourceError: if the text encoder cannot be loaded.
        """
        check_prompt(prompt)
        avoid = self.facts.negative if self.settings.negative is None else self.settings.negative
        contexts: tuple[Context, ...] = ("dynamic", "freeze")
        pairs = [told(prompt, avoid, each, self.recipe) for each in contexts]
        which = contexts.index(context)
        encoded = self.texts.encode(pairs)[which]
        return TextCondition(prompt, context, f'{self.source.name} is asked for: "{pairs[which][0]}"', encoded)

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
    ) -> Float[Tensor, "F 3 H W"]:
        """A clip of `spec.frames` frames; see `VideoModel.generate`. The noise is drawn on the CPU.

        Raises:
            SizeError, KnownFramesError, FrameCountError, UnsupportedConditionError: for requests that do not fit.
        """
        size = self.spec.size if size is None else size
        check_multiple(size, self.source, self.codec)
        steps = self.settings.steps or self.facts.steps if steps is None else steps
        if steps < 1:
            raise VideoModelError(f"steps must be at least 1, got {steps}; {self.facts.steps} is usual")
        encoded = self._payload(text)
        check_features(known, camera, self.spec)
        placed = None if known is None else self._placed(known, size)
        condition = self.family.condition(placed, self._cameras(text.context, camera, size), size)
        shape = (1, self.spec.channels, self.spec.encoded_frames, *(side // self.codec.cell for side in size))
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(self.device)
        self._style(text.context)
        with torch.no_grad():
            z = sample(
                self.family, self._pipe.scheduler, noise, encoded, condition,
                steps=steps, guidance=self.guidance, on_step=on_step,
            )  # fmt: skip
            clip = self._decoded(z).clamp(0, 1).cpu()
        if placed is not None:
            clip = torch.where(placed.known[:, None, None, None].cpu(), placed.clip.cpu(), clip)
        return clip

    def encode(self, frames: Float[Tensor, "F 3 H W"]) -> Float[Tensor, "f C h w"]:
        """Means over areas of `spec.picture_size` as normalised latents, one a latent frame; differentiable.

        Raises:
            FrameCountError: if it is not a whole clip.
            SizeError: if frames are smaller than `spec.picture_size` on a side.
        """
        check_clip(frames, self.spec)
        height, width = self.spec.picture_size
        if frames.shape[1] != 3 or frames.shape[2] < height or frames.shape[3] < width:
            raise SizeError(
                f"{self.spec.name} scores frames of 3 channels and at least {height}x{width}, "
                f"got {list(frames.shape[1:])}"
            )
        with self._scoring():
            return self.codec.encode(shrink(frames, (height, width)))[0].permute(1, 0, 2, 3)

    def decode(self, x: Float[Tensor, "*n f C h w"]) -> Float[Tensor, "*n F 3 H W"]:
        """Frames of `spec.picture_size` in about [0, 1] (not clamped) of encoded clips: for scores in pixels."""
        clips = x if x.dim() == 5 else x[None]
        self._check_encoded(clips[0])
        with self._scoring():
            made = self.codec.decode(clips.transpose(1, 2).float())
        return made if x.dim() == 5 else made[0]

    def denoise(
        self,
        x: Float[Tensor, "f C h w"],
        sigma: float,
        text: TextCondition,
        *,
        known: KnownFrames | None = None,
        camera: CameraPath | None = None,
    ) -> Float[Tensor, "f C h w"]:
        """The guided clean latents of x = clean + sigma * noise; see `VideoModel.denoise`. No gradient.

        Latent frames all of whose frames are known, from the first on, are returned as given, encoded.
        """
        self._check_encoded(x)
        if not (math.isfinite(sigma) and sigma > 0):
            raise VideoModelError(f"sigma must be positive and finite, got {sigma}")
        encoded = self._payload(text)
        check_features(known, camera, self.spec)
        size = self.spec.picture_size
        placed = None if known is None else self._placed(known, size)
        level = sigma / (1 + sigma)
        z = (x.detach().to(self.device, torch.float32) * (1 - level)).permute(1, 0, 2, 3)[None]
        self._style(text.context)
        with torch.no_grad(), self._scoring():
            condition = self.family.condition(placed, self._cameras(text.context, camera, size), size)
            v = self.family.velocity(z, 1000 * level, encoded, condition, self.guidance)
            clean = condition.impose(z - level * v)
        return clean[0].permute(1, 0, 2, 3).to(x)

    @property
    def _pipe(self) -> Any:
        return self.family.pipe  # type: ignore[attr-defined]

    def _style(self, context: Context) -> None:
        """The LoRA shows frozen time, so it rests where time runs."""
        if self.settings.lora is not None and self._styled != [context]:
            (self._pipe.enable_lora if context == "freeze" else self._pipe.disable_lora)()
            self._styled[:] = [context]
            self.codec.replays.style = context

    def _scoring(self) -> AbstractContextManager[None]:
        """Scores ask for the same shapes again and again. Networks that move between memories cannot be recorded."""
        return self.codec.scoring(record=self.settings.offload == "none")

    def _decoded(self, z: Tensor) -> Tensor:
        """Decoded, in tiles if so wished; scores never are, so that they have no seams."""
        vae = self.codec.vae
        if not self.settings.tiling:
            return self.codec.decode(z)[0]
        vae.enable_tiling()
        try:
            return self.codec.decode(z)[0]
        finally:
            vae.disable_tiling()

    def _payload(self, text: TextCondition) -> EncodedText:
        if not isinstance(text.payload, EncodedText) or text.payload.encoder != self.texts.identity:
            raise UnsupportedConditionError(
                f"the text {text.prompt[:40]!r} was encoded by another model; use encode_text of {self.spec.name}"
            )
        return text.payload

    def _check_encoded(self, x: Tensor) -> None:
        spec = self.spec
        if x.dim() != 4 or len(x) != spec.encoded_frames:
            raise FrameCountError(
                f"{spec.name} has {spec.encoded_frames} encoded frames for {spec.frames}, got shape {list(x.shape)}"
            )
        if x.shape[1] != spec.channels:
            raise SizeError(f"{spec.name} denoises {spec.channels} channels, got {x.shape[1]}")
        if tuple(x.shape[-2:]) != spec.score_size:
            height, width = spec.score_size
            raise SizeError(f"{spec.name} denoises frames of {height}x{width}, got {list(x.shape[-2:])}")

    def _placed(self, known: KnownFrames, size: tuple[int, int]) -> Placed:
        frames = known.frames.detach().float()
        if tuple(frames.shape[-2:]) != size:
            larger = frames.shape[-2] >= size[0] and frames.shape[-1] >= size[1]
            frames = shrink(frames, size) if larger else resize_frames(frames, *size)
        clip = torch.full((self.spec.frames, 3, *size), 0.5, device=frames.device)
        where = torch.zeros(self.spec.frames, dtype=torch.bool)  # on the CPU: asking it must not wait for a device
        clip[list(known.indices)], where[list(known.indices)] = frames, True
        return Placed(clip, where)

    def _cameras(self, context: Context, camera: CameraPath | None, size: tuple[int, int]) -> Cameras | None:
        if "camera" not in self.facts.features:
            return None
        if camera is None:
            values = torch.zeros(self.spec.frames, 3)
            values[:, 0] = math.radians(_ORBIT) * torch.linspace(0, 1, self.spec.frames) * (context == "freeze")
            camera = CameraPath(values)
        return cameras_of_path(camera, size, distance=self.settings.distance, fov=self.settings.fov)


@lru_cache(maxsize=64)
def _patch(source: Source) -> int:
    parts = [p for p in ("transformer", "transformer_2") if p in source.parts()]
    patch = source.config(parts[0]).get("patch_size", 1) if parts else 1
    return int(patch if isinstance(patch, int) else max(patch[-2:]))


def size_multiple(source: Source, codec: Codec) -> int:
    """Pixels of which a clip's sides must be a multiple: of a latent pixel times a patch."""
    return codec.cell * _patch(source)


def check_multiple(size: tuple[int, int], source: Source, codec: Codec) -> None:
    """Raise `SizeError` unless both sides are multiples of `size_multiple` and at least two latent pixels long."""
    multiple = size_multiple(source, codec)
    least = multiple * -(-2 * codec.cell // multiple)  # autoencoders mirror edges, for which one pixel is too few
    if min(size) < least or any(side % multiple for side in size):
        nearest = [max(least, multiple * round(side / multiple)) for side in size]
        raise SizeError(
            f"{source.name} makes pictures whose sides are multiples of {multiple} and at least {least}, "
            f"not {size[0]}x{size[1]}; nearest is {nearest[0]}x{nearest[1]}"
        )
