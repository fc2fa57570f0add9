"""The autoencoder of a latent model: clips to normalised latents and back."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from fourreal.core.record import Recorder
from fourreal.core.replay import Replays, best_convolutions
from fourreal.video.base import VideoModelError

from .causal import Way
from .clips import Clips


@dataclass
class _State:
    """What changes in a codec.

    Attributes:
        scoring: whether clips are scored now.
        clips: the autoencoder over whole clips, None if it is unknown.
        where: device and dtype of its weights.
        lease: who has the recorded encoder's memory; None when it is gone.
    """

    scoring: bool = False
    clips: Clips | None = None
    where: tuple[torch.device, torch.dtype] | None = None
    lease: Callable[[], _Lease | None] = lambda: None


@dataclass(eq=False)
class _Lease:
    """A clip's use of the recorded encoder's memory: until its gradient is taken, or can no longer be."""

    state: _State
    over: bool = False

    def end(self, _: Tensor) -> None:
        """The gradient is being taken."""
        if self.state.lease() is not self:
            raise VideoModelError(
                "the gradient of a clip's latents was taken a second time, after another clip had been encoded; "
                "encode the clip again"
            )
        self.over = True


@dataclass(frozen=True, eq=False)
class Codec:
    """A video autoencoder of diffusers whose latents are normalised to mean 0 and standard deviation 1.

    Attributes:
        vae: `AutoencoderKLWan`, `AutoencoderKLLTXVideo` or `AutoencoderKLLTX2Video`, frozen.
        stride: frames of one latent frame.
        cell: pixels on a side of one latent pixel.
        way: how scores convolve whole clips, where the autoencoder is one that `Clips` knows (`WAYS`; "joined" was the
            quickest of them on an H200); None leaves all to diffusers, which works piece by piece.
        replays: records what score distillation asks for again and again; networks use it as well.
    """

    vae: Any
    stride: int
    cell: int
    way: Way | None = "joined"
    replays: Replays = field(default_factory=Replays, repr=False)
    _recorder: Recorder = field(default_factory=Recorder, repr=False)
    _state: _State = field(default_factory=_State, repr=False)
    _moved: dict[torch.device, tuple[Tensor, Tensor]] = field(default_factory=dict, repr=False)

    @staticmethod
    def of(vae: Any, way: Way | None = "joined") -> Codec:
        """The codec of a loaded autoencoder; its ratios are read from it, never assumed."""
        vae.requires_grad_(False).eval()
        if hasattr(vae, "temporal_compression_ratio"):
            return Codec(vae, int(vae.temporal_compression_ratio), int(vae.spatial_compression_ratio), way)
        return Codec(vae, int(vae.config.scale_factor_temporal), int(vae.config.scale_factor_spatial), way)

    @property
    def channels(self) -> int:
        """Channels of a latent."""
        config = self.vae.config
        return int(config["z_dim"] if "z_dim" in config else config["latent_channels"])

    @property
    def device(self) -> torch.device:
        """Where it works."""
        return next(self.vae.parameters()).device

    @contextmanager
    def scoring(self, *, record: bool = True) -> Iterator[None]:
        """Within, the same small clips are asked for again and again: they are worked on as a whole, and recorded.

        Drawing, which is done once and at a large size, stays outside, so that it takes little memory.

        Args:
            record: replay what was recorded before, also of networks. Not where networks move between memories.
        """
        before, self._state.scoring = self._state.scoring, True
        try:
            with self.replays.recording() if record else nullcontext():
                yield
        finally:
            self._state.scoring = before

    def encode(self, frames: Float[Tensor, "F 3 H W"]) -> Float[Tensor, "1 C f h w"]:
        """The most likely latents of frames in [0, 1], float32, differentiably in the frames."""
        clip = (2 * frames - 1).permute(1, 0, 2, 3)[None].to(self.device, self.vae.dtype)
        differentiable = self.way is not None and clip.requires_grad and torch.is_grad_enabled()
        if clip.is_cuda and differentiable and self.replays.active:
            latents = self._taught(clip)
        else:
            latents = self.replays.run((self.vae, "encode"), self._modes, clip=clip)
        mean, std = self._statistics(latents)
        return (latents - mean) / std

    def decode(self, latents: Float[Tensor, "N C f h w"]) -> Float[Tensor, "N F 3 H W"]:
        """Clips, float32 and about [0, 1] (not clamped), of normalised latents."""
        mean, std = self._statistics(latents)
        moved = (latents * std + mean).to(self.device, self.vae.dtype)
        at_once = len(moved) if self._whole() is not None else 1  # what takes little memory takes one after the other
        made = [self.replays.run((self.vae, "decode"), self._pictures, latents=z) for z in moved.split(at_once)]
        return (torch.cat(made).permute(0, 2, 1, 3, 4).float() + 1) / 2

    def _taught(self, clip: Tensor) -> Tensor:
        """Latents whose gradient is recorded as well. A recording has memory for one clip: others run beside it."""
        before = self._state.lease()
        if before is not None and not before.over:
            return self._modes(clip)
        with best_convolutions():
            latents = self._recorder.run("encode", lambda clip: {"latents": self._modes(clip)}, (), clip)["latents"]
        latents, lease = latents.clone(), _Lease(self._state)
        latents.register_hook(lease.end)
        self._state.lease = weakref.ref(lease)
        return latents

    def _whole(self) -> Clips | None:
        """The autoencoder over whole clips, while scoring and if it is known; its weights are laid out once."""
        if not self._state.scoring or self.way is None:
            return None
        where = self.device, self.vae.dtype
        if self._state.where != where:
            self._state.where, self._state.clips = where, Clips.of(self.vae, self.way)
        return self._state.clips

    def _modes(self, clip: Tensor) -> Tensor:
        whole = self._whole()
        return (self.vae.encode(clip).latent_dist.mode() if whole is None else whole.encode(clip)).float()

    def _pictures(self, latents: Tensor) -> Tensor:
        whole = self._whole()
        if whole is not None:
            return whole.decode(latents)
        extra = ()
        if self.vae.config.get("timestep_conditioning"):
            extra = (latents.new_zeros(1),)  # LTX: "nothing was added"
        return self.vae.decode(latents, *extra, return_dict=False)[0]

    def _statistics(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of raw latents, each [1, C, 1, 1, 1], float32; moved to a device once."""
        if like.device not in self._moved:
            vae, scale = self.vae, float(self.vae.config.get("scaling_factor") or 1.0)
            buffers = dict(vae.named_buffers(recurse=False))  # LTX keeps them as buffers, Wan in its configuration
            mean = buffers.get("latents_mean", vae.config.get("latents_mean"))
            std = buffers.get("latents_std", vae.config.get("latents_std"))
            self._moved[like.device] = (
                torch.as_tensor(mean).to(like.device, torch.float32).view(1, -1, 1, 1, 1),
                torch.as_tensor(std).to(like.device, torch.float32).view(1, -1, 1, 1, 1) / scale,
            )
        return self._moved[like.device]


def shrink(frames: Float[Tensor, "F 3 H W"], size: tuple[int, int]) -> Float[Tensor, "F 3 h w"]:
    """Means over areas, differentiably; the frames themselves where they have that size."""
    return frames if tuple(frames.shape[-2:]) == size else F.interpolate(frames, size, mode="area")
