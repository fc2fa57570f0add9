"""Wan 2.1 and 2.2 (arXiv 2503.20314): text, image and VACE (arXiv 2503.07598) models, one or two experts.

The inputs are those of diffusers' pipelines (`pipelines/wan`); tests compare whole samplings with theirs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.video.base import Feature
from fourreal.video.prompts import FreezeTimeRecipe

from .codec import Codec
from .condition import Condition, Placed, asked, encoded_prefix, guided
from .settings import Facts
from .source import Source
from .text import EncodedText
from .wan_text import TextMemory

_NEGATIVE = "overexposed, static noise, blurred details, subtitles, worst quality, low quality, deformed, watermark"
_RECIPE = FreezeTimeRecipe(
    prefix="Bullet time, frozen in time, the camera circulating around",
    suffix="everything stands still while the camera moves, time elapse",
)


def wan_facts(source: Source) -> Facts:
    """Features and defaults of a Wan folder, from its class and configuration."""
    features: set[Feature] = {"text", "score"}
    required: frozenset[Feature] = frozenset()
    per_token = bool(source.index.get("expand_timesteps"))
    if source.kind == "WanVACEPipeline":
        features |= {"first_frame", "prefix", "frames"}
    elif per_token:
        features |= {"first_frame"}
    elif source.kind == "WanImageToVideoPipeline":
        features |= {"first_frame"}
        required = frozenset({"first_frame"})
    score = (288, 512) if per_token else (240, 416)
    size = (704, 1280) if per_token else (480, 832)
    fps = 24.0 if per_token else 16.0
    return Facts(
        "wan", frozenset(features), required, size=size, score_size=score, fps=fps, negative=_NEGATIVE, recipe=_RECIPE
    )


@dataclass(frozen=True, eq=False)
class Wan:
    """A Wan model behind `FamilyCode`.

    Attributes:
        pipe: the pipeline with its networks.
        codec: its autoencoder.
        facts: its features and defaults.
        source: its folder.
    """

    pipe: Any
    codec: Codec
    facts: Facts
    source: Source
    _grey: dict[tuple[int, ...], Tensor] = field(default_factory=dict, repr=False)
    _asked: list[Any] = field(default_factory=list, repr=False)
    _texts: TextMemory = field(default_factory=TextMemory, repr=False)

    def condition(self, placed: Placed | None, cameras: Cameras | None, size: tuple[int, int]) -> Condition:
        """See `FamilyCode`; cameras are not taken."""
        if self.source.kind == "WanVACEPipeline":
            control = self._control(placed, size)
            whole = 0 if placed is None else placed.whole(self.codec.stride)
            # The encoder is causal: grey frames after the known ones do not change their latents.
            prefix = control[:, : self.codec.channels, :whole] if whole else None
            return Condition(prefix, extra={"control": control})
        prefix = encoded_prefix(self.codec, placed)
        if self.source.index.get("expand_timesteps"):
            return Condition(prefix, pinned=True)
        if self.source.kind == "WanImageToVideoPipeline" and placed is not None:
            return Condition(prefix, extra={"concat": self._concat(placed), **self._seen(placed)})
        return Condition(prefix)

    def _control(self, placed: Placed | None, size: tuple[int, int]) -> Float[Tensor, "1 C f h w"]:
        """VACE's control: latents of what stays, latents of what is to be made, and the mask of the latter.

        The mask goes to latent frames by nearest-exact sampling and its 8x8 pixels to channels, as in the original.
        """
        frames = self.facts.frames
        grey = self._encoded_grey((frames, 3, *size))
        inactive, unknown = grey, torch.ones(frames)
        if placed is not None:
            with torch.no_grad():
                inactive = self.codec.encode(placed.clip)
            unknown = 1 - placed.known.float()
        count = grey.shape[2]
        sampled = torch.nn.functional.interpolate(unknown[None, None], size=count, mode="nearest-exact")[0, 0]
        mask = sampled.to(grey)[None, None, :, None, None].expand(1, self.codec.cell**2, count, *grey.shape[-2:])
        return torch.cat([inactive, grey, mask], 1)

    def _encoded_grey(self, shape: tuple[int, ...]) -> Tensor:
        if shape not in self._grey:
            with torch.no_grad():
                self._grey[shape] = self.codec.encode(torch.full(shape, 0.5))
        return self._grey[shape]

    def _concat(self, placed: Placed) -> Float[Tensor, "1 C f h w"]:
        """Image-to-video's extra channels: four of mask, then latents of the first frame followed by grey."""
        first = torch.full_like(placed.clip, 0.5)
        first[0] = placed.clip[0]
        with torch.no_grad():
            latents = self.codec.encode(first)
        mask = torch.zeros_like(latents[:, : self.codec.stride].expand(1, self.codec.stride, *latents.shape[2:]))
        mask[:, :, 0] = 1
        return torch.cat([mask, latents], 1)

    def _seen(self, placed: Placed) -> dict[str, Tensor]:
        """Wan 2.1's CLIP embedding of the first frame; 2.2 has none."""
        network = self.pipe.transformer
        if network is None or network.config.image_dim is None:
            return {}
        from PIL import Image

        picture = (placed.clip[0].permute(1, 2, 0).clamp(0, 1) * 255).round().byte().cpu().numpy()
        with torch.no_grad():
            return {"seen": self.pipe.encode_image(Image.fromarray(picture), self.codec.device)}

    def expert(self, timestep: float) -> Any:
        """The network for a timestep: Wan 2.2 14B has one for high and one for low noise."""
        boundary = self.pipe.config.boundary_ratio
        high, low = self.pipe.transformer, self.pipe.transformer_2
        if low is None or (high is not None and (boundary is None or timestep >= 1000 * boundary)):
            return high
        return low

    @torch.no_grad()
    def velocity(
        self, z: Float[Tensor, "1 C f h w"], timestep: float, text: EncodedText, condition: Condition, guidance: float
    ) -> Float[Tensor, "1 C f h w"]:
        """See `FamilyCode`."""
        network = self.expert(timestep)
        self._let_others_rest(network)
        batch = 1 if guidance == 1 else 2
        words, _ = text.both(z.device, network.dtype)
        x = condition.pin(z)
        more: dict[str, Tensor] = {}
        if "concat" in condition.extra:
            x = torch.cat([x, condition.extra["concat"].to(x)], 1)
        if "seen" in condition.extra:
            more["encoder_hidden_states_image"] = _repeat(condition.extra["seen"].to(z.device, network.dtype), batch)
        if "control" in condition.extra:
            more["control_hidden_states"] = _repeat(condition.extra["control"].to(z.device, network.dtype), batch)
        words, replays = words[-batch:], self.codec.replays
        made = self._texts.prepared(network, words, (text, replays.style)) if replays.active else None
        with self._texts.given(network, made):
            v = replays.run(
                (network, None if made is None else text),
                partial(asked, network),
                hidden_states=_repeat(x.to(network.dtype), batch),
                timestep=_repeat(self._times(z, timestep, condition, network), batch),
                encoder_hidden_states=words if made is None else words[:, :1],  # of no use then, but wanted
                **more,
            )
        return guided(v, guidance)

    def _let_others_rest(self, network: Any) -> None:
        """With --offload model: diffusers sends the first expert away for the second, never the other way round."""
        if self._asked and self._asked[0] is not network:
            for hook in getattr(self.pipe, "_all_hooks", ()):
                if hook.model is not network:
                    hook.offload()
        self._asked[:] = [network]

    def _times(self, z: Tensor, timestep: float, condition: Condition, network: Any) -> Tensor:
        """[1], or [1, tokens] for models that take one timestep a token (Wan 2.2 5B)."""
        if not self.source.index.get("expand_timesteps"):
            return torch.full((1,), timestep, device=z.device)
        _, rows, columns = network.config.patch_size
        tokens = (z.shape[-2] // rows) * (z.shape[-1] // columns)
        return condition.levels(z, timestep).repeat_interleave(tokens)[None]

    def timesteps(self, scheduler: Any, steps: int, z: Tensor) -> None:
        """The scheduler's own."""
        scheduler.set_timesteps(steps, device=z.device)


def _repeat(x: Tensor, batch: int) -> Tensor:
    return x if batch == 1 else x.expand(batch, *x.shape[1:])
