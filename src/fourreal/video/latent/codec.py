"""The autoencoder of a latent model: clips to normalised latents and back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from fourreal.core.replay import Replays


@dataclass(frozen=True, eq=False)
class Codec:
    """A video autoencoder of diffusers whose latents are normalised to mean 0 and standard deviation 1.

    Attributes:
        vae: `AutoencoderKLWan`, `AutoencoderKLLTXVideo` or `AutoencoderKLLTX2Video`, frozen.
        stride: frames of one latent frame.
        cell: pixels on a side of one latent pixel.
        replays: records what score distillation asks for again and again; networks use it as well.
    """

    vae: Any
    stride: int
    cell: int
    replays: Replays = field(default_factory=Replays, repr=False)
    _moved: dict[torch.device, tuple[Tensor, Tensor]] = field(default_factory=dict, repr=False)

    @staticmethod
    def of(vae: Any) -> Codec:
        """The codec of a loaded autoencoder; its ratios are read from it, never assumed."""
        vae.requires_grad_(False).eval()
        if hasattr(vae, "temporal_compression_ratio"):
            return Codec(vae, int(vae.temporal_compression_ratio), int(vae.spatial_compression_ratio))
        return Codec(vae, int(vae.config.scale_factor_temporal), int(vae.config.scale_factor_spatial))

    @property
    def channels(self) -> int:
        """Channels of a latent."""
        config = self.vae.config
        return int(config["z_dim"] if "z_dim" in config else config["latent_channels"])

    @property
    def device(self) -> torch.device:
        """Where it works."""
        return next(self.vae.parameters()).device

    def encode(self, frames: Float[Tensor, "F 3 H W"]) -> Float[Tensor, "1 C f h w"]:
        """The most likely latents of frames in [0, 1], float32, differentiably in the frames."""
        clip = (2 * frames - 1).permute(1, 0, 2, 3)[None]
        latents = self.replays.run((self.vae, "encode"), self._modes, clip=clip.to(self.device, self.vae.dtype))
        mean, std = self._statistics(latents)
        return (latents - mean) / std

    def decode(self, latents: Float[Tensor, "1 C f h w"]) -> Float[Tensor, "F 3 H W"]:
        """Frames, float32 and about [0, 1] (not clamped), of normalised latents."""
        mean, std = self._statistics(latents)
        moved = (latents * std + mean).to(self.device, self.vae.dtype)
        clip = self.replays.run((self.vae, "decode"), self._pictures, latents=moved)
        return (clip[0].permute(1, 0, 2, 3).float() + 1) / 2

    def _modes(self, clip: Tensor) -> Tensor:
        return self.vae.encode(clip).latent_dist.mode().float()

    def _pictures(self, latents: Tensor) -> Tensor:
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
