"""What a network is told beside the text: known frames and camera, prepared once for many evaluations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourreal.core.cameras import Cameras

from .codec import Codec
from .settings import Facts
from .text import EncodedText


@dataclass(frozen=True, eq=False)
class Placed:
    """Known frames at their places in a clip.

    Attributes:
        clip: [F, 3, H, W] in [0, 1]; grey (0.5, the networks' zero) where nothing is known.
        known: [F] which frames are, on the CPU.
    """

    clip: Float[Tensor, "F 3 H W"]
    known: Bool[Tensor, " F"]

    @property
    def leading(self) -> int:
        """Known frames at the start, without a gap."""
        return int(self.known.long().cumprod(0).sum())

    def whole(self, stride: int) -> int:
        """Latent frames at the start that hold known frames only."""
        return (self.leading - 1) // stride + 1 if self.leading else 0


@dataclass(frozen=True, eq=False)
class Condition:
    """Prepared for a network.

    Attributes:
        prefix: [1, C, k, h, w] latents of the whole latent frames at the start that are known; None if there are none.
        pinned: the network expects them in place of noise, without noise.
        extra: the family's own.
    """

    prefix: Float[Tensor, "1 C k h w"] | None = None
    pinned: bool = False
    extra: dict[str, Any] = field(default_factory=dict)

    def pin(self, z: Float[Tensor, "1 C f h w"]) -> Float[Tensor, "1 C f h w"]:
        """z with the known latents in place, if the network expects them there."""
        return self.impose(z) if self.pinned else z

    def impose(self, z: Float[Tensor, "1 C f h w"]) -> Float[Tensor, "1 C f h w"]:
        """z with the known latents in place."""
        if self.prefix is None:
            return z
        return torch.cat([self.prefix.to(z), z[:, :, self.prefix.shape[2] :]], 2)

    def levels(self, z: Tensor, timestep: float) -> Float[Tensor, " f"]:
        """The timestep of every latent frame: 0 for those that are pinned."""
        out = torch.full((z.shape[2],), timestep, device=z.device)
        if self.pinned and self.prefix is not None:
            out[: self.prefix.shape[2]] = 0
        return out


def encoded_prefix(codec: Codec, placed: Placed | None) -> Float[Tensor, "1 C k h w"] | None:
    """Latents of the leading known frames, as many as fill whole latent frames."""
    whole = 0 if placed is None else placed.whole(codec.stride)
    if placed is None or whole == 0:
        return None
    with torch.no_grad():
        return codec.encode(placed.clip[: (whole - 1) * codec.stride + 1])


@runtime_checkable
class FamilyCode(Protocol):
    """What a family adds: how its networks are asked. `v = noise - clean` in every case."""

    @property
    def facts(self) -> Facts:
        """Defaults and features."""
        ...

    def condition(self, placed: Placed | None, cameras: Cameras | None, size: tuple[int, int]) -> Condition:
        """Prepare known frames and cameras for clips of `size` pixels."""
        ...

    def velocity(
        self, z: Float[Tensor, "1 C f h w"], timestep: float, text: EncodedText, condition: Condition, guidance: float
    ) -> Float[Tensor, "1 C f h w"]:
        """The guided velocity at z = (1 - t) clean + t noise, t = timestep / 1000; float32, no gradient."""
        ...

    def timesteps(self, scheduler: Any, steps: int, z: Tensor) -> None:
        """Set the scheduler's timesteps as the family's pipeline does."""
        ...


def asked(network: Any, **inputs: Any) -> Tensor:
    """What a network of diffusers says."""
    return network(**inputs, return_dict=False)[0]


def guided(both: Float[Tensor, "N C f h w"], guidance: float) -> Float[Tensor, "1 C f h w"]:
    """Classifier-free guidance of a batch (without text, with text), float32; a batch of one is returned as it is."""
    both = both.float()
    if len(both) == 1:
        return both
    without, with_text = both[:1], both[1:]
    return without + guidance * (with_text - without)
