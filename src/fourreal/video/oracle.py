"""`OracleVideoModel`: a procedural world of which everything is known, behind the video model protocol.

It generates what a perfect model would and denoises without error, so whatever a pipeline loses on it, the pipeline
loses. It needs no weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.io.frames import resize_frames
from fourreal.worlds import Shots, Worlds, captions, clip_times, place_cameras, render, sample_worlds

from .base import (
    CameraPath,
    Context,
    Feature,
    FrameCountError,
    KnownFrames,
    SizeError,
    TextCondition,
    UnsupportedConditionError,
    VideoModelError,
    VideoModelSpec,
    check_camera,
    check_clip,
    check_known,
    check_prompt,
)

_FEATURES: frozenset[Feature] = frozenset({"text", "first_frame", "prefix", "frames", "camera", "score", "upsample"})
_ORBIT = 60.0  # degrees that a freeze-time clip goes to the right if no path is given
_KEPT = 8  # clips held ready: an optimisation asks for the same few again and again
_SECONDS = 2.0  # a world's clip lasts this long, whatever its number of frames

Poses = tuple[tuple[float, ...], ...]


class OracleVideoModel:
    """A video model that knows one world exactly; words and seeds change nothing.

    Context "dynamic" gives the reference clip: time runs and the camera rests, or follows the path. "freeze" gives
    the instant `moment` along the path, or along an orbit of 60 degrees to the right.

    Attributes:
        spec: what it can do.
        worlds: the one world, on the model's device.
        moment: the frozen time, 0..1 of the clip.
        registered: whether scenes live in this world's coordinates, as they do where clips came with its cameras. Then
            `CameraPath.views` are followed exactly: time, crop and shift, and where the camera looks, of all of which
            a path about the subject says nothing.
    """

    def __init__(
        self,
        worlds: Worlds | int,
        *,
        size: tuple[int, int] = (144, 256),
        score_size: tuple[int, int] = (36, 64),
        frames: int = 16,
        moment: float = 0.0,
        registered: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        where = torch.device(device)
        self.worlds = sample_worlds([worlds], where) if isinstance(worlds, int) else worlds.to(where)
        if len(self.worlds) != 1:
            raise VideoModelError(f"the oracle shows one world, got {len(self.worlds)}; pass one, as in worlds[:1]")
        if frames < 1:
            raise FrameCountError(f"a clip must have at least 1 frame, got {frames}")
        if not 0 <= moment <= 1:
            raise VideoModelError(f"moment must lie in 0..1 (a share of the clip), got {moment!r}")
        _check_size(size)
        _check_size(score_size)
        self.moment, self.registered = moment, registered
        self.spec = VideoModelSpec(
            f"oracle of world {int(self.worlds.seeds[0])}",
            _FEATURES,
            frames,
            size,
            score_size,
            channels=3,
            fps=frames / _SECONDS,
            license="Apache-2.0",
        )
        self._rendered = lru_cache(_KEPT)(self._render)

    def encode_text(self, prompt: str, *, context: Context = "dynamic") -> TextCondition:
        """Take any prompt for the known world. Raises `PromptError` where it is empty or far too long."""
        check_prompt(prompt)
        time = "time runs" if context == "dynamic" else "time stands still"
        return TextCondition(prompt, context, f"the known world, {time}: {captions(self.worlds)[0]}", context)

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
        """The world's clip in [0, 1], [F, 3, H, W] of any size; `seed` and `steps` change nothing.

        Known frames come back as given; where their size differs, as `io.frames.resize_frames` makes them.

        Raises:
            SizeError, FrameCountError, KnownFramesError, UnsupportedConditionError: for requests that do not fit.
        """
        height, width = self.spec.size if size is None else size
        _check_size((height, width))
        clip = self._clip(text, known, camera, (height, width)).clone()
        if known is not None:
            clip[list(known.indices)] = resize_frames(known.frames.detach().to(clip), height, width)
        if on_step is not None:
            on_step(1, 1)
        return clip

    def encode(self, frames: Float[Tensor, "F 3 H W"]) -> Float[Tensor, "F C h w"]:
        """Frames averaged over areas to `spec.score_size` and scaled to [-1, 1], differentiably.

        Raises:
            FrameCountError: if it is not a whole clip.
            SizeError: if frames are smaller than `spec.score_size` on a side.
        """
        check_clip(frames, self.spec)
        height, width = self.spec.score_size
        if frames.shape[-2] < height or frames.shape[-1] < width:
            raise SizeError(
                f"{self.spec.name} encodes frames of at least {height}x{width}, got {list(frames.shape[-2:])}"
            )
        return self._encoded(frames)

    def upsample(self, frames: Float[Tensor, "F 3 H W"], *, seed: int = 0) -> Float[Tensor, "F 3 h w"]:
        """A clip made small and then smoothly large: of views that it is not told of, this model knows nothing more.

        Raises:
            FrameCountError, SizeError: as `encode` does.
        """
        small = self.encode(frames.detach()).cpu()
        return ((F.interpolate(small, self.spec.size, mode="bicubic", align_corners=False) + 1) / 2).clamp(0, 1)

    def denoise(
        self,
        x: Float[Tensor, "F C h w"],
        sigma: float,
        text: TextCondition,
        *,
        known: KnownFrames | None = None,
        camera: CameraPath | None = None,
    ) -> Float[Tensor, "F C h w"]:
        """The world's clip in encoded space, whatever the noise; known frames as given, encoded. No gradient.

        Raises:
            VideoModelError: for a sigma that is not positive and finite.
            SizeError, FrameCountError, KnownFramesError, UnsupportedConditionError: for requests that do not fit.
        """
        if not (math.isfinite(sigma) and sigma > 0):
            raise VideoModelError(f"sigma must be positive and finite, got {sigma!r}")
        check_clip(x, self.spec, self.spec.score_size)
        if x.shape[1] != self.spec.channels:
            raise SizeError(f"{self.spec.name} denoises {self.spec.channels} channels, got {x.shape[1]}; use `encode`")
        clean = self._clip(text, known, camera, self.spec.score_size) * 2 - 1
        if known is not None:
            clean[list(known.indices)] = self._encoded(known.frames.detach().to(clean))
        return clean.to(x)

    def _encoded(self, frames: Tensor) -> Tensor:
        return F.interpolate(frames, self.spec.score_size, mode="area") * 2 - 1

    def _clip(
        self, text: TextCondition, known: KnownFrames | None, camera: CameraPath | None, size: tuple[int, int]
    ) -> Tensor:
        """The clip [F, 3, *size] after all conditions have been checked; shared, so not to be written to."""
        if not isinstance(text.payload, str) or text.payload not in ("dynamic", "freeze"):
            raise UnsupportedConditionError(
                f"the text {text.prompt[:40]!r} was encoded by another model; use encode_text of {self.spec.name}"
            )
        if known is not None:
            check_known(known, self.spec)
        if camera is not None:
            check_camera(camera, self.spec)
            if self.registered and camera.views is not None:
                return self._seen(camera.views, size)
        path = self._default_path(text.payload) if camera is None else camera.values.detach()
        return self._rendered(text.payload, tuple(map(tuple, path.tolist())), size)

    def _seen(self, views: Cameras, size: tuple[int, int]) -> Tensor:
        """Pictures of these cameras, averaged down as `encode` does. Drawn at random, they are not worth keeping."""
        views = views.to(self.worlds.device)
        shots = Shots(views.viewmats[None], views.Ks[None], views.moments[None], views.width, views.height)
        return F.interpolate(render(self.worlds, shots, geometry=False).rgb[0], size, mode="area")

    def _default_path(self, context: Context) -> Tensor:
        path = torch.zeros(self.spec.frames, 3)
        if context == "freeze":
            path[:, 0] = torch.deg2rad(torch.tensor(_ORBIT)) * torch.linspace(0, 1, self.spec.frames)
        return path

    def _render(self, context: Context, poses: Poses, size: tuple[int, int]) -> Tensor:
        device, (height, width) = self.worlds.device, size
        times = clip_times(1, self.spec.frames, device)
        if context == "freeze":
            times = torch.full_like(times, self.moment)
        shots = place_cameras(self.worlds, torch.tensor(poses, device=device)[None], times, width, height)
        return render(self.worlds, shots, geometry=False).rgb[0]


def _check_size(size: tuple[int, int]) -> None:
    if min(size) < 1:
        raise SizeError(f"a picture must have at least 1 row and 1 column, got {size[0]}x{size[1]}")
