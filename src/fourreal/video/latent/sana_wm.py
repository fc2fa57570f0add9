"""SANA-WM: a first frame and an exact camera path (camera-to-world matrices and intrinsics).

The inputs are those of diffusers' pipeline (`pipelines/sana_wm`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.geometry import rigid_inverse
from fourreal.video.base import UnsupportedConditionError
from fourreal.video.prompts import FreezeTimeRecipe

from .codec import Codec
from .condition import Condition, Placed, encoded_prefix, guided
from .settings import Facts
from .source import Source
from .text import EncodedText


def sana_wm_facts(source: Source) -> Facts:
    """Features and defaults; the camera needs no words, so frozen time is all that the recipe asks for."""
    return Facts(
        "sana-wm",
        frozenset({"text", "first_frame", "camera", "score"}),
        frozenset({"first_frame"}),
        size=(704, 1280),
        score_size=(352, 640),
        max_tokens=300,
        steps=60,
        recipe=FreezeTimeRecipe(prefix="A frozen moment:", suffix="nothing moves, time stands still"),
    )


@dataclass(frozen=True, eq=False)
class SanaWm:
    """A SANA-WM model behind `FamilyCode`.

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

    def condition(self, placed: Placed | None, cameras: Cameras | None, size: tuple[int, int]) -> Condition:
        """The first frame in place of noise, and the cameras as ray maps."""
        if placed is None or cameras is None:
            raise UnsupportedConditionError("SANA-WM needs a first frame and a camera path")
        c2w = rigid_inverse(cameras.viewmats).cpu().numpy().astype(np.float32)
        K = cameras.resized(size[1], size[0]).Ks
        intrinsics = torch.stack([K[:, 0, 0], K[:, 1, 1], K[:, 0, 2], K[:, 1, 2]], 1).numpy().astype(np.float32)
        network = self.pipe.transformer
        rays = self.pipe._build_camera_kwargs(
            c2w, intrinsics, size, device=self.codec.device, dtype=network.dtype, do_cfg=False
        )
        about = {"img_hw": torch.tensor([size], dtype=torch.float32, device=self.codec.device)}
        prefix = encoded_prefix(self.codec, placed)
        assert prefix is not None
        return Condition(prefix[:, :, :1], pinned=True, extra={"rays": rays, "data_info": about})

    @torch.no_grad()
    def velocity(
        self, z: Float[Tensor, "1 C f h w"], timestep: float, text: EncodedText, condition: Condition, guidance: float
    ) -> Float[Tensor, "1 C f h w"]:
        """See `FamilyCode`."""
        network = self.pipe.transformer
        batch = 1 if guidance == 1 else 2
        words, mask = text.both(z.device, network.dtype)
        rays = {k: v.to(z.device).expand(batch, *v.shape[1:]) for k, v in condition.extra["rays"].items()}
        v = network(
            condition.pin(z).to(network.dtype).expand(batch, -1, -1, -1, -1),
            condition.levels(z, timestep)[None, None].expand(batch, -1, -1),
            words[-batch:],
            return_dict=False,
            mask=None if mask is None else mask[-batch:],
            data_info=condition.extra["data_info"],
            **rays,
        )[0]
        return guided(v, guidance)

    def timesteps(self, scheduler: Any, steps: int, z: Tensor) -> None:
        """The scheduler's own."""
        scheduler.set_timesteps(steps, device=z.device)
