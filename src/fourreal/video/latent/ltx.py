"""LTX-Video (arXiv 2501.00103): text, and frames anywhere as clean tokens with their own timestep.

The inputs are those of diffusers' pipelines (`pipelines/ltx`), with two differences: known latents are the most likely
ones instead of samples, and no noise is put on them while sampling.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
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

_NEGATIVE = "worst quality, inconsistent motion, blurry, jittery, distorted"


def ltx_facts(source: Source) -> Facts:
    """Features and defaults of an LTX folder: versions before 0.9.5 were trained with a first frame only."""
    features: set[Feature] = {"text", "score", "first_frame"}
    if source.kind == "LTXConditionPipeline":
        features |= {"prefix", "frames"}
    return Facts(
        "ltx",
        frozenset(features),
        score_size=(288, 512),
        fps=24.0,
        guidance=3.0,
        max_tokens=256 if source.kind == "LTXConditionPipeline" else 128,
        negative=_NEGATIVE,
        recipe=FreezeTimeRecipe(
            prefix="A frozen moment. The camera is circulating around",
            suffix="nothing moves but the camera, time elapse",
        ),
    )


@dataclass(frozen=True, eq=False)
class Ltx:
    """An LTX model behind `FamilyCode`.

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

    @property
    def patch(self) -> tuple[int, int]:
        """Latent (pixels on a side, frames) of a token."""
        config = self.pipe.transformer.config
        return int(config.patch_size), int(config.patch_size_t)

    def condition(self, placed: Placed | None, cameras: Cameras | None, size: tuple[int, int]) -> Condition:
        """Leading frames in place of noise; every other known frame as tokens of its own. Cameras are not taken."""
        prefix = encoded_prefix(self.codec, placed)
        covered = 0 if prefix is None else (prefix.shape[2] - 1) * self.codec.stride + 1
        extra: dict[str, Any] = {}
        if placed is not None:
            alone = [i for i in placed.known.nonzero()[:, 0].tolist() if i >= covered]
            if alone:
                with torch.no_grad():
                    extra["tokens"] = torch.cat(
                        [self._pack(self.codec.encode(placed.clip[i : i + 1])) for i in alone], 1
                    )
                extra["frames"] = alone
        return Condition(prefix, pinned=True, extra=extra)

    def _pack(self, latents: Tensor) -> Tensor:
        return self.pipe._pack_latents(latents, *self.patch)

    @torch.no_grad()
    def velocity(
        self, z: Float[Tensor, "1 C f h w"], timestep: float, text: EncodedText, condition: Condition, guidance: float
    ) -> Float[Tensor, "1 C f h w"]:
        """See `FamilyCode`."""
        network = self.pipe.transformer
        batch = 1 if guidance == 1 else 2
        words, mask = text.both(z.device, network.dtype)
        tokens, times = self._pack(condition.pin(z)), self._token_times(z, timestep, condition)
        told = condition.extra.get("tokens")
        if told is not None:
            tokens = torch.cat([told.to(tokens), tokens], 1)
            times = torch.cat([times.new_zeros(1, told.shape[1]), times], 1)
        v = self.codec.replays.run(
            network,
            partial(asked, network),
            hidden_states=tokens.to(network.dtype).expand(batch, -1, -1),
            encoder_hidden_states=words[-batch:],
            timestep=times.expand(batch, -1),
            encoder_attention_mask=None if mask is None else mask[-batch:],
            **self._places(z, condition, batch),
        )
        v = v[:, 0 if told is None else told.shape[1] :]
        return guided(self.pipe._unpack_latents(v, *z.shape[2:], *self.patch), guidance)

    def _token_times(self, z: Tensor, timestep: float, condition: Condition) -> Float[Tensor, "1 n"]:
        side, span = self.patch
        frames = condition.levels(z, timestep)[::span]
        return frames.repeat_interleave((z.shape[-2] // side) * (z.shape[-1] // side))[None]

    def _places(self, z: Tensor, condition: Condition, batch: int) -> dict[str, Any]:
        """Where tokens are in the clip, in seconds and pixels, as each version of the model was trained."""
        count, rows, columns = z.shape[2:]
        stride, cell, rate = self.codec.stride, self.codec.cell, self.facts.fps
        if self.source.kind != "LTXConditionPipeline":
            scale = (stride / rate, cell, cell)
            return {"num_frames": count, "height": rows, "width": columns, "rope_interpolation_scale": scale}
        parts = [self._coordinates(1, rows, columns, frame, z) for frame in condition.extra.get("frames", ())]
        where = torch.cat([*parts, self._coordinates(count, rows, columns, 0, z)], 2).float()
        where[:, 0] /= rate
        return {"video_coords": where.expand(batch, -1, -1)}

    def _coordinates(self, count: int, rows: int, columns: int, frame: int, z: Tensor) -> Tensor:
        ids = self.pipe._prepare_video_ids(1, count, rows, columns, *self.patch, device=z.device)
        return self.pipe._scale_video_ids(
            ids, scale_factor=self.codec.cell, scale_factor_t=self.codec.stride, frame_index=frame, device=z.device
        )

    def timesteps(self, scheduler: Any, steps: int, z: Tensor) -> None:
        """Linear, then quadratic (0.9.5 and later), or shifted by the number of tokens."""
        from diffusers.pipelines.ltx.pipeline_ltx_condition import calculate_shift, linear_quadratic_schedule

        if self.source.kind == "LTXConditionPipeline" and not scheduler.config.use_dynamic_shifting:
            sigmas = linear_quadratic_schedule(steps).numpy()
            scheduler.set_timesteps(sigmas=list(sigmas), timesteps=list(1000 * sigmas), device=z.device)
            return
        side, span = self.patch
        config, tokens = scheduler.config, z[0, 0].numel() // (side * side * span)
        shift = calculate_shift(
            tokens, config.base_image_seq_len, config.max_image_seq_len, config.base_shift, config.max_shift
        )
        more = {"mu": shift} if config.use_dynamic_shifting else {}
        scheduler.set_timesteps(sigmas=list(np.linspace(1.0, 1 / steps, steps)), device=z.device, **more)
