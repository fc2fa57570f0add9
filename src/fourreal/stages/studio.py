"""What clips are drawn with: the settings, the model, the desk; and how far the drawing is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.video.base import CameraPath, Completes, Context, KnownFrames, TextCondition, VideoModel
from fourreal.video.extend import STEP

from .drafts import SHARE, Chosen, choose_seed, drafts_for
from .news import Desk, News, Tell
from .work import Work

_Clip = TypeVar("_Clip")
Which = Literal["both", "dynamic", "freeze"]
KIND = "drawn frames"  # of files on the desk


@dataclass(frozen=True)
class VideosConfig:
    """What to draw.

    Attributes:
        prompt: the sentence.
        which: the dynamic (reference) clip, the freeze-time clip, or both.
        seed: of the reference clip; the freeze-time clips take the next ones.
        coverage: degrees of azimuth that the freeze-time clip covers, 20 to 360, about the frozen frame; "auto" is 180,
            or 360 where the prompt has its subject turn: the reference clip shows such a one from all sides.
        camera: instead, the path of its camera in words, from the frozen frame on.
        step: degrees between two of its frames, at most.
        frame: frame of the reference clip that is frozen; "auto" takes, of the sharpest with their subject in full
            view, the one that a walk round it suits best.
        candidates: so many frames are tried for that, with a small walk each, or at most three with a whole circle
            where the subject turns; 1 for the sharpest. Only with a model that draws small and follows a camera.
        from_frame: picture to start the reference clip from (or to freeze, without one).
        steps: evaluations of the network a clip; None for the model's own choice.
        retries: how often a bad freeze-time clip is drawn again.
        drafts: every clip is first drawn small from so many seeds; that of them is taken whose draft looks most like a
            true clip to the model's critic. Of frozen clips with known frames, which say more than noise does, half as
            many. A model without a critic takes the first.
        takes: so many whole freeze-time clips are drawn, and the one that a static scene explains best is kept.
    """

    prompt: str
    which: Which = "both"
    seed: int = 0
    coverage: float | Literal["auto"] = "auto"
    camera: str | None = None
    step: float = STEP
    frame: int | Literal["auto"] = "auto"
    candidates: int = 5
    from_frame: Path | None = None
    steps: int | None = None
    retries: int = 2
    drafts: int = 4
    takes: int = 1


@dataclass
class Studio:
    """What drawing clips needs, and how far it is."""

    config: VideosConfig
    model: VideoModel
    desk: Desk
    tell: Tell
    device: torch.device
    work: Work
    done: float = 0.0

    def share(self, part: float = 0.0, of: float = 0.0) -> float:
        """Of the stage, with `part` of what costs `of` done beside what is done."""
        return min((self.done + part * of) / self.work.total, 1.0)


def text_of(config: VideosConfig, model: VideoModel, context: Context) -> TextCondition:
    """The prompt as the model reads it; completed, unless a picture shows light and action of its own."""
    if config.from_frame is None and isinstance(model, Completes):
        return model.encode_complete(config.prompt, context=context)
    return model.encode_text(config.prompt, context=context)


def drawn(
    studio: Studio,
    name: str,
    text: TextCondition,
    seed: int,
    known: KnownFrames | None,
    camera: CameraPath | None,
    cost: float,
    draw: Callable[[int, Callable[[int, int], None]], _Clip],
) -> tuple[_Clip, Chosen]:
    """What `draw` makes of the best seed, and how that was found; `cost` as planned."""

    def drafting(done: int, total: int) -> None:
        studio.tell(News(doing=f"drafts of the {name}", share=studio.share(SHARE * done / total, cost)))

    config = studio.config
    count = drafts_for(config.drafts, shown=known is not None and text.context == "freeze")
    chosen = choose_seed(
        studio.model, text, seed, count, known=known, camera=camera, steps=config.steps, on_step=drafting
    )
    begun = SHARE if chosen.drafts else 0.0

    def step(done: int, total: int) -> None:
        studio.tell(News(doing=name, share=studio.share(begun + (1 - begun) * done / total, cost)))

    return draw(chosen.seed, step), chosen


def row_of(clip: Float[Tensor, "F 3 H W"]) -> Float[Tensor, "3 H six"]:
    """Six frames side by side."""
    picks = torch.linspace(0, len(clip) - 1, 6).round().long()
    return torch.cat(list(clip[picks]), -1)
