"""A video model as the plain functions that score distillation asks for (`guidance.sds_loss`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from .base import CameraPath, KnownFrames, TextCondition, UnsupportedConditionError, VideoModel, VideoModelSpec

Gradient = Literal["pixel", "latent"]
Told = tuple[tuple[int, ...], Tensor]  # indices and frames, as `guidance.Known`


@runtime_checkable
class Decodes(Protocol):
    """What a model of latents offers beside the protocol."""

    def decode(self, x: Float[Tensor, "*n f C h w"]) -> Float[Tensor, "*n F 3 H W"]:
        """Frames in about [0, 1] of encoded clips."""
        ...


class Teacher(NamedTuple):
    """What `sds_loss` takes, for one prompt and one camera path.

    encode: frames to the space of `denoise`, differentiably.
    denoise: the guided prediction of (x, sigma, known).
    decode: back to frames, of several clips at once, if the residual is to be taken in pixels; else None.
    size: (height, width) that frames must have at least; what `guidance.augment` calls the score size.
    """

    encode: Callable[[Tensor], Tensor]
    denoise: Callable[[Tensor, float, Told | None], Tensor]
    decode: Callable[[Tensor], Tensor] | None
    size: tuple[int, int]


def teacher(
    model: VideoModel, text: TextCondition, *, camera: CameraPath | None = None, gradient: Gradient = "pixel"
) -> Teacher:
    """The functions for a prompt and, where the model takes one, a camera path.

    Args:
        model: with the feature "score".
        text: from its `encode_text`.
        camera: of the clips; not told to models that take none.
        gradient: of a latent model: "pixel" decodes the residual, with no graph through the autoencoder; "latent"
            goes back through its encoder (more memory, no decoding). Models of pixels have one way only.

    Raises:
        UnsupportedConditionError: if the model cannot score.
    """
    spec = model.spec
    if "score" not in spec.features:
        raise UnsupportedConditionError(
            f"{spec.name} cannot be a teacher (score); use --teacher with another model, or --teacher none"
        )
    path = camera if "camera" in spec.features else None
    decode = model.decode if isinstance(model, Decodes) and gradient == "pixel" and spec.cell > 1 else None

    def denoise(x: Tensor, sigma: float, known: Told | None) -> Tensor:
        return model.denoise(x, sigma, text, known=_taken(known, spec), camera=path)

    return Teacher(model.encode, denoise, decode, spec.picture_size)


def _taken(known: Told | None, spec: VideoModelSpec) -> KnownFrames | None:
    """Those of the known frames that the model takes: all, the leading ones, the first, or none.

    The others are in the clip all the same, and no gradient reaches them.
    """
    if known is None or "frames" in spec.features:
        return None if known is None else KnownFrames(known[0], known[1].clamp(0, 1))
    leading = sum(1 for i, index in enumerate(known[0]) if i == index)
    count = leading if "prefix" in spec.features else min(leading, int("first_frame" in spec.features))
    return KnownFrames(tuple(range(count)), known[1][:count].clamp(0, 1)) if count else None
