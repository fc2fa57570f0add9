"""`4real generate` and `4real resume`: one sentence becomes a 4D scene."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from fourreal.core.errors import FourRealError

from .models import ModelOptions
from .running import (
    DRAWING,
    FITTING,
    MODELS,
    SHOWING,
    Drawing,
    DrawingOptions,
    Fitting,
    FittingOptions,
    ShowingOptions,
    VideoModelOptions,
    carry_out,
    folder_of,
)

if TYPE_CHECKING:
    from .settings import Settings


def generate(
    prompt: Annotated[tyro.conf.Positional[str | None], tyro.conf.arg(metavar="PROMPT")] = None,
    out: Path | None = None,
    config: Path | None = None,
    drawing: DrawingOptions = DRAWING,
    fitting: FittingOptions = FITTING,
    models: VideoModelOptions = MODELS,
    showing: ShowingOptions = SHOWING,
) -> int:
    """Make a 4D scene from a sentence: two clips, their cameras, the frozen instant, motion, and a page to look at it.

    Stop it whenever you like; `4real resume RUN` goes on. Run it again with another setting, and only what depends on
    that setting is done again.

    Args:
        prompt: for example "a panda dancing on grass at sunset".
        out: folder of the run (default: out/ and the words of the prompt).
        config: config.json of another run, to repeat it; change settings with --set.
        drawing: seed, coverage, camera, frame, from_frame, drafts, takes, steps, weights.
        fitting: recipe, effort, set.
        models: which video models.
        showing: device, quiet, json.
    """
    from fourreal.run import read_config
    from fourreal.stages.settings import changed

    from .settings import read_settings

    if config is not None:
        if prompt is not None or drawing != DRAWING or models != MODELS or fitting != Fitting(set=fitting.set):
            raise FourRealError("--config repeats a run as it was; change settings by name, as in --set videos.seed=1")
        settings = changed(read_settings(read_config(config), str(config)), fitting.set)
        words = settings.videos.prompt if settings.videos is not None else "lift"
        return carry_out(settings, out or _another(folder_of(words)), showing)
    if prompt is None:
        raise FourRealError('what shall it show? For example: 4real generate "a panda dancing on grass at sunset"')
    settings = changed(drawn_settings(prompt, drawing, fitting, models), fitting.set)
    return carry_out(settings, out or folder_of(prompt), showing)


def drawn_settings(prompt: str, drawing: Drawing, fitting: Fitting, models: ModelOptions) -> Settings:
    """The settings of a run that begins with a prompt.

    Raises:
        FourRealError: if an option is out of range or contradicts another.
    """
    from fourreal.stages.videos import VideosConfig

    from .settings import Settings, detail_of, drafts_of, fits, step_of

    if drawing.camera is not None and drawing.coverage != "auto":
        raise FourRealError("--camera and --coverage both say where the freeze-time camera goes; give one of them")
    recipe, effort = fitting.recipe or "default", 1.0 if fitting.effort is None else fitting.effort
    first, later = fits(recipe, effort, drawing.seed, models.teacher != "none")
    videos = VideosConfig(
        prompt,
        seed=drawing.seed,
        coverage=drawing.coverage,
        camera=drawing.camera,
        step=step_of(recipe),
        frame=drawing.frame,
        from_frame=None if drawing.from_frame is None else drawing.from_frame.absolute(),
        steps=drawing.steps,
        drafts=drafts_of(recipe) if drawing.drafts is None else drawing.drafts,
        takes=drawing.takes,
    )
    weights = None if drawing.weights is None else drawing.weights.absolute()
    detail = detail_of(recipe, effort, drawing.seed)
    return Settings(first, later, detail, videos=videos, models=models, weights=weights, recipe=recipe, effort=effort)


def resume(
    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")], showing: ShowingOptions = SHOWING
) -> int:
    """Go on with a run that was stopped, by the settings in its config.json; what is finished is not done again.

    Args:
        run: its folder.
        showing: device, quiet, json.
    """
    from fourreal.run import read_config

    from .settings import settings_of_run

    settings = settings_of_run(read_config(run), run / "config.json")
    return carry_out(settings, run, showing)


def _another(folder: Path) -> Path:
    """A folder that is free: a repetition must not run over what it repeats."""
    if not folder.exists():
        return folder
    return next(p for p in (folder.with_name(f"{folder.name}-{i}") for i in range(2, 10_000)) if not p.exists())
