"""`4real video`: a sentence becomes two clips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from .generate import drawn_settings
from .running import (
    DRAWING,
    FITTING,
    MODELS,
    SHOWING,
    DrawingOptions,
    FittingOptions,
    ShowingOptions,
    VideoModelOptions,
    carry_out,
    folder_of,
)


def video(
    prompt: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="PROMPT")],
    out: Path | None = None,
    context: Literal["both", "dynamic", "freeze"] = "both",
    drawing: DrawingOptions = DRAWING,
    fitting: FittingOptions = FITTING,
    models: VideoModelOptions = MODELS,
    showing: ShowingOptions = SHOWING,
) -> int:
    """Draw a reference clip (time runs) and a freeze-time clip (time stands still, the camera moves) from a sentence.

    The embedded model knows a small world of animals, people, vehicles and robots, what they do and where; it says how
    it understood the sentence. Look at the clips in the run's folder videos/, replace those you do not like, and lift
    them with `4real lift RUN`.

    Args:
        prompt: for example "a red fox jumping over snow at night".
        out: folder of the run (default: out/ and the words of the prompt).
        context: draw both clips, or only one: dynamic is the reference clip.
        drawing: seed, coverage, camera, frame, from_frame, drafts, takes, steps, weights.
        fitting: recipe, effort, set, for the lift that follows.
        models: which video models.
        showing: device, quiet, json.
    """
    from fourreal.stages.settings import changed

    settings = drawn_settings(prompt, drawing, fitting, models)
    assert settings.videos is not None
    settings = replace(settings, videos=replace(settings.videos, which=context), until="videos")
    return carry_out(changed(settings, fitting.set), out or folder_of(prompt), showing)
