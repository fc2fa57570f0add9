"""What a user may choose about a model, and what follows from its files."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch

from fourreal.core.errors import FourRealError
from fourreal.video.base import Feature
from fourreal.video.prompts import FreezeTimeRecipe

Offload = Literal["none", "model", "group"]
DtypeName = Literal["auto", "float32", "bfloat16", "float16"]
Family = Literal["wan", "ltx", "sana-wm"]


@dataclass(frozen=True)
class ModelSettings:
    """Choices about a latent model; None means the family's own default.

    Attributes:
        frames: frames of a clip.
        size: (height, width) of generated clips.
        score_size: (height, width) at which clips are scored.
        guidance: weight of the text (classifier-free guidance); 1 switches it off and halves the cost.
        steps: evaluations of the network a clip.
        negative: what clips must not show.
        prefix, suffix, trigger: parts of the freeze-time recipe.
        lora: file or folder with LoRA weights, used for frozen time.
        lora_scale: their weight.
        dtype: of the transformer and the text encoder; auto is bfloat16 on a GPU and float32 on the CPU.
        vae_dtype: of the autoencoder; auto is float32 for Wan, else that of the transformer.
        offload: keep networks in main memory while they rest: none, whole models, or groups of layers.
        tiling: decode generated clips in tiles, to save memory.
        compile: compile the transformer's blocks with torch.compile.
        distance: of the camera from the subject in a camera-conditioned model's units of length.
        fov: horizontal field of view in degrees that a camera-conditioned model is told.
    """

    frames: int | None = None
    size: tuple[int, int] | None = None
    score_size: tuple[int, int] | None = None
    guidance: float | None = None
    steps: int | None = None
    negative: str | None = None
    prefix: str | None = None
    suffix: str | None = None
    trigger: str | None = None
    lora: Path | None = None
    lora_scale: float = 1.0
    dtype: DtypeName = "auto"
    vae_dtype: DtypeName = "auto"
    offload: Offload = "none"
    tiling: bool = False
    compile: bool = False
    distance: float = 3.0
    fov: float = 45.0

    def recipe(self, usual: FreezeTimeRecipe) -> FreezeTimeRecipe:
        """The freeze-time recipe with the user's words in place of the usual ones."""
        chosen = {"prefix": self.prefix, "suffix": self.suffix, "trigger": self.trigger}
        return replace(usual, **{k: v for k, v in chosen.items() if v is not None})

    def __post_init__(self) -> None:
        if self.guidance is not None and not 1 <= self.guidance <= 100:
            raise FourRealError(f"--guidance must lie in 1..100 (1 switches it off), got {self.guidance:g}")
        if self.steps is not None and not 1 <= self.steps <= 1000:
            raise FourRealError(f"--steps must lie in 1..1000, got {self.steps}")
        if not 0 <= self.lora_scale <= 4:
            raise FourRealError(f"--lora-scale must lie in 0..4, got {self.lora_scale:g}; 1 is usual")
        if not (self.distance > 0 and 5 <= self.fov <= 150):
            raise FourRealError(
                f"the distance must be positive and the field of view 5..150 degrees, got {self.distance:g}, "
                f"{self.fov:g}"
            )


@dataclass(frozen=True)
class Facts:
    """What a family's model can do and how it is best asked; the settings override what they name.

    Attributes:
        family: which code drives it.
        features, required: as in `VideoModelSpec`.
        frames, size, score_size, fps, guidance, steps: defaults; sizes in pixels.
        max_tokens: tokens of the prompt that are read.
        negative: default negative prompt.
        recipe: default freeze-time recipe.
    """

    family: Family
    features: frozenset[Feature]
    required: frozenset[Feature] = frozenset()
    frames: int = 17
    size: tuple[int, int] = (480, 832)
    score_size: tuple[int, int] = (240, 416)
    fps: float = 16.0
    guidance: float = 5.0
    steps: int = 40
    max_tokens: int = 512
    negative: str = ""
    recipe: FreezeTimeRecipe = field(default_factory=FreezeTimeRecipe)


def torch_dtype(name: DtypeName, device: torch.device, auto: torch.dtype | None = None) -> torch.dtype:
    """The dtype behind a name; `auto` (by default bfloat16 on a GPU, float32 on the CPU) behind "auto"."""
    if name != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[name]
    if auto is not None:
        return auto
    return torch.float32 if device.type == "cpu" else torch.bfloat16
