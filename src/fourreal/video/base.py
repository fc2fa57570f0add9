"""The video model plug: what every generator and teacher offers, and the errors it may raise."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FourRealError

Context = Literal["dynamic", "freeze"]
Feature = Literal["text", "first_frame", "prefix", "frames", "camera", "score", "upsample", "likeness"]
MAX_PROMPT = 2000  # characters: several times the longest caption; more is a file pasted by accident
DRAFTS_APART = 10_000_000  # between the seeds of the drafts of a clip; a model may draw every other one in another way


class VideoModelError(FourRealError, ValueError):
    """A request that a video model cannot serve; the message names the value and the nearest valid one."""


class FrameCountError(VideoModelError):
    """A number of frames that the model cannot make."""


class SizeError(VideoModelError):
    """A picture size that the model cannot make."""


class KnownFramesError(VideoModelError):
    """Known frames of the wrong shape, range or position."""


class UnsupportedConditionError(VideoModelError):
    """A condition (text, known frames, camera) that the model does not take."""


class PromptError(VideoModelError):
    """A prompt that says nothing the model can use."""


class ModelSourceError(VideoModelError):
    """Weights that are missing, damaged or of another kind."""


@dataclass(frozen=True)
class VideoModelSpec:
    """What a model can do.

    Attributes:
        name: shown to users.
        features: which conditions and services it offers.
        frames: frames of a clip.
        size: (height, width) of the clips that `generate` makes.
        score_size: (height, width) of the clips that `denoise` takes.
        channels: channels of the space that `denoise` works in; 3 for pixels.
        fps: frames a second of a dynamic clip.
        license: of the weights.
        stride: frames that one encoded frame stands for; the first always stands for itself alone, so that clips of a
            model with stride s have s k + 1 frames. 1 for models that keep frames apart.
        cell: pixels on a side of one encoded pixel; 1 for models of pixels.
        required: features that every request must use, such as the first frame of an image-to-video model.
    """

    name: str
    features: frozenset[Feature]
    frames: int
    size: tuple[int, int]
    score_size: tuple[int, int]
    channels: int
    fps: float
    license: str
    stride: int = 1
    cell: int = 1
    required: frozenset[Feature] = frozenset()

    @property
    def encoded_frames(self) -> int:
        """Frames of an encoded clip."""
        return (self.frames - 1) // self.stride + 1

    @property
    def picture_size(self) -> tuple[int, int]:
        """(height, width) in pixels that `encode` makes frames before it encodes them, and the least that it takes."""
        return self.score_size[0] * self.cell, self.score_size[1] * self.cell

    def nearest_frames(self, count: int) -> int:
        """The least number of frames from `count` on that the model can make: 16 -> 17 where frames go by fours."""
        return self.stride * math.ceil((max(count, 1) - 1) / self.stride) + 1

    def prefix_frames(self, count: int) -> int:
        """The least number of known frames at the start, from `count` on, that fills whole encoded frames: 8 -> 9."""
        return min(self.nearest_frames(count), self.frames)


@dataclass(frozen=True, eq=False)
class KnownFrames:
    """Frames that are given and come back exactly.

    Attributes:
        indices: strictly increasing positions in the clip, from 0.
        frames: [K, 3, H, W] float32 RGB in [0, 1].
    """

    indices: tuple[int, ...]
    frames: Float[Tensor, "K 3 H W"]

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in zip(self.indices, self.indices[1:], strict=False))
        if not self.indices or not rising or self.indices[0] < 0:
            raise KnownFramesError(f"indices must be strictly increasing from 0, got {self.indices}")
        if self.frames.dim() != 4 or self.frames.shape[:2] != (len(self.indices), 3):
            raise KnownFramesError(
                f"frames must have shape [{len(self.indices)}, 3, H, W], one for each index, "
                f"got {list(self.frames.shape)}"
            )
        low, high = (float(v) for v in torch.aminmax(self.frames)) if self.frames.numel() else (math.nan, math.nan)
        if not (low >= 0 and high <= 1):
            raise KnownFramesError(f"frames must hold RGB in [0, 1], but span [{low:g}, {high:g}]")


@dataclass(frozen=True, eq=False)
class CameraPath:
    """Where the camera goes, about the subject.

    Attributes:
        values: [F, 3] azimuth and elevation in radians, positive to the right and up, and natural logarithm of the
            distance, each relative to the reference view. A model that knows no reference view takes them relative
            to frame 0.
        views: the cameras themselves, with what part of a picture they see, in the scene's own world; times are shares
            of the reference clip, 0..1. For a teacher to whom that world is known; others go by `values`.
    """

    values: Float[Tensor, "F 3"]
    views: Cameras | None = None

    def __post_init__(self) -> None:
        if self.values.dim() != 2 or self.values.shape[1] != 3 or not bool(torch.isfinite(self.values).all()):
            raise UnsupportedConditionError(
                f"a camera path must be finite and of shape [F, 3], got {list(self.values.shape)}"
            )


@dataclass(frozen=True, eq=False)
class TextCondition:
    """A prompt as one model encodes it; opaque to everyone else.

    Attributes:
        prompt: as the user wrote it.
        context: whether time runs or stands still.
        understood: one line for the user: what the model made of the prompt.
        payload: the model's own.
        turns: whether what is said turns about itself, so that a clip shows it from all sides; False if unknown.
    """

    prompt: str
    context: Context
    understood: str
    payload: Any
    turns: bool = False


@runtime_checkable
class VideoModel(Protocol):
    """A video diffusion model. Clips are [F, 3, H, W] float32 RGB in [0, 1]; results depend on the seed only."""

    @property
    def spec(self) -> VideoModelSpec:
        """What the model can do."""
        ...

    def encode_text(self, prompt: str, *, context: Context = "dynamic") -> TextCondition:
        """Encode a prompt. Raises `PromptError` where it is empty, far too long or wholly unknown."""
        ...

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
        """A clip of `spec.frames` frames; known frames come back exactly (resized to `size` where they differ).

        `on_step(done, total)` is called after every network evaluation.
        """
        ...

    def encode(self, frames: Float[Tensor, "F 3 H W"]) -> Float[Tensor, "f C h w"]:
        """Frames as the space of `denoise` has them, differentiably. Raises `FrameCountError`, `SizeError`."""
        ...

    def denoise(
        self,
        x: Float[Tensor, "f C h w"],
        sigma: float,
        text: TextCondition,
        *,
        known: KnownFrames | None = None,
        camera: CameraPath | None = None,
    ) -> Float[Tensor, "f C h w"]:
        """The guided prediction of the clean clip from x = clean + sigma * noise (any sigma > 0; no gradient).

        Known frames are returned as given, encoded.
        """
        ...


@runtime_checkable
class Upsamples(Protocol):
    """What a model with the feature "upsample" offers beside the protocol."""

    @property
    def spec(self) -> VideoModelSpec:
        """What the model can do; `spec.score_size` is its low resolution."""
        ...

    def upsample(self, frames: Float[Tensor, "F 3 H W"], *, seed: int = 0) -> Float[Tensor, "F 3 h w"]:
        """A clip in [0, 1], made small to `spec.score_size` and drawn again from there at `spec.size`, on the CPU.

        Raises `FrameCountError` if it is not a whole clip, `SizeError` if it is smaller than the low resolution.
        """
        ...


@runtime_checkable
class Completes(Protocol):
    """What a model offers beside the protocol that draws any light and any action unless the prompt says which."""

    def encode_complete(self, prompt: str, *, context: Context = "dynamic") -> TextCondition:
        """As `encode_text`, for drawing: light, action and view are chosen where left open; `understood` says so."""
        ...


@runtime_checkable
class Chooses(Protocol):
    """What a model with the feature "likeness" offers beside the protocol."""

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
        """How much the clip that `generate` makes of each seed looks like a true one of its conditions.

        Higher is better; only values of the same conditions compare. `on_step(done, total)` counts evaluations.
        """
        ...


def check_prompt(prompt: str) -> None:
    """Raise `PromptError` unless the prompt says something, in at most `MAX_PROMPT` characters."""
    if not prompt.strip():
        raise PromptError(f'the prompt is empty, got {prompt[:20]!r}; say what to show, as in "a fox jumping on grass"')
    if len(prompt) > MAX_PROMPT:
        raise PromptError(f"the prompt has {len(prompt)} characters; at most {MAX_PROMPT} are read, so shorten it")


def check_known(known: KnownFrames, spec: VideoModelSpec) -> None:
    """Raise unless the positions fit a clip of the model."""
    if known.indices[-1] >= spec.frames:
        raise KnownFramesError(
            f"known frame {known.indices[-1]} lies outside the clip; {spec.name} makes frames 0 to {spec.frames - 1}"
        )


def check_features(known: KnownFrames | None, camera: CameraPath | None, spec: VideoModelSpec) -> None:
    """Raise `UnsupportedConditionError` for a condition that the model does not take, or one that it cannot do without.

    Known frames are the first frame, a prefix (frames 0 to n), or any others.
    """
    asked: Feature | None = None
    if known is not None:
        check_known(known, spec)
        rising = known.indices == tuple(range(len(known.indices)))
        asked = "first_frame" if known.indices == (0,) else "prefix" if rising else "frames"
    words = {"first_frame": "first frame", "prefix": "known frames at the start", "frames": "known frames anywhere"}
    if asked is not None and asked not in spec.features:
        can = [words[f] for f in words if f in spec.features]
        raise UnsupportedConditionError(
            f"{spec.name} does not take {words[asked]} ({asked}); it takes {' and '.join(can) or 'no known frames'}"
        )
    if camera is not None:
        check_camera(camera, spec)
    if "first_frame" in spec.required and (known is None or 0 not in known.indices):
        raise UnsupportedConditionError(
            f"{spec.name} makes a picture move, so it needs a first frame (first_frame): give one with --from-frame, "
            "or let a text-to-video model draw the clips with --generator"
        )


def check_camera(camera: CameraPath, spec: VideoModelSpec) -> None:
    """Raise unless the model takes camera paths, of this length."""
    if "camera" not in spec.features:
        raise UnsupportedConditionError(f"{spec.name} takes no camera path; leave it out")
    if len(camera.values) != spec.frames:
        raise FrameCountError(f"the camera path must have {spec.frames} poses, one a frame, got {len(camera.values)}")


def check_clip(frames: Tensor, spec: VideoModelSpec, size: tuple[int, int] | None = None) -> None:
    """Raise unless `frames` is a clip of the model's length (and size, if one is given)."""
    if frames.dim() != 4 or frames.shape[0] != spec.frames:
        raise FrameCountError(f"{spec.name} takes clips of {spec.frames} frames, got shape {list(frames.shape)}")
    if size is not None and tuple(frames.shape[-2:]) != size:
        raise SizeError(f"{spec.name} takes frames of {size[0]}x{size[1]} here, got {list(frames.shape[-2:])}")
