"""`4real lift`: two clips become a 4D scene."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from fourreal.core.errors import FourRealError

from .models import ModelOptions
from .running import (
    FITTING,
    MODELS,
    SHOWING,
    Fitting,
    FittingOptions,
    ShowingOptions,
    VideoModelOptions,
    carry_out,
)

if TYPE_CHECKING:
    from .settings import Settings


@dataclass(frozen=True)
class OwnClips:
    """Clips of one's own.

    Attributes:
        freeze: the freeze-time clip, or a folder of its pictures.
        reference: the reference clip.
        cameras: known cameras, a cameras.json with groups "freeze" and "ref"; without it they are estimated.
        freeze_frame: frame of the freeze clip that shows the same picture as reference_frame (default: most alike).
        reference_frame: see there.
    """

    freeze: Path | None = None
    reference: Path | None = None
    cameras: Path | None = None
    freeze_frame: int | None = None
    reference_frame: int | None = None


def lift(
    run: Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="RUN")] = None,
    clips: Annotated[OwnClips, tyro.conf.arg(name="")] = OwnClips(),
    out: Path = Path("out/lift"),
    fitting: FittingOptions = FITTING,
    showing: ShowingOptions = SHOWING,
    prompt: str | None = None,
    models: VideoModelOptions = MODELS,
) -> int:
    """Lift a reference clip (time runs) and a freeze-time clip (the camera walks round a frozen moment) to a 4D scene.

    Either the clips in the folder of a run (`4real video` draws them, and you may replace them), or clips of your own.
    Without a reference the scene is static. Stop it whenever you like; `4real resume RUN` goes on.

    Args:
        run: folder of a run with videos/freeze.mp4 and videos/reference.mp4.
        clips: instead, freeze, reference, cameras, freeze_frame, reference_frame.
        out: folder of the run made from clips of your own.
        fitting: recipe, effort, set.
        showing: device, quiet, json.
        prompt: what clips of your own show; with it a video model scores the scene from views that they do not show.
        models: which video model scores.
    """
    from fourreal.stages.settings import changed

    if (run is None) == (clips.freeze is None):
        raise FourRealError(
            "give the folder of a run (4real lift RUN), or clips: --freeze walk.mp4 --reference act.mp4"
        )
    if run is not None and (clips.reference or clips.cameras):
        raise FourRealError("--reference and --cameras go with --freeze; in a run, replace the files in its videos/")
    if prompt is not None and run is not None:
        raise FourRealError("--prompt goes with --freeze; a run knows its prompt")
    if prompt is None and models != MODELS and run is None:
        raise FourRealError("a video model can score clips of your own only if --prompt says what they show")
    settings = _of_clips(clips, fitting, prompt, models) if run is None else _of_run(run, fitting)
    named = {"freeze_frame": clips.freeze_frame, "reference_frame": clips.reference_frame}
    named = {name: value for name, value in named.items() if value is not None}
    settings = replace(settings, poses=replace(settings.poses, **named))
    return carry_out(changed(settings, fitting.set), out if run is None else run, showing)


def _of_clips(clips: OwnClips, fitting: Fitting, prompt: str | None, models: ModelOptions) -> Settings:
    from fourreal.stages.clips import ClipsConfig

    from .settings import Settings, detail_of, fits

    recipe, effort = fitting.recipe or "default", 1.0 if fitting.effort is None else fitting.effort
    first, later = fits(recipe, effort, 0, prompt is not None and models.teacher != "none")
    files = [None if path is None else path.absolute() for path in (clips.freeze, clips.reference, clips.cameras)]
    assert files[0] is not None
    taken = ClipsConfig(files[0], files[1], files[2])
    detail = detail_of(recipe, effort, 0)
    return Settings(first, later, detail, clips=taken, models=models, prompt=prompt, recipe=recipe, effort=effort)


def _of_run(run: Path, fitting: Fitting) -> Settings:
    """The settings of the run, or the usual ones where its clips were put there by hand."""
    from fourreal.run import CONFIG, read_config
    from fourreal.stages.videos import FREEZE

    from .settings import Settings, detail_of, fits, settings_of_run, with_fits

    if (run / CONFIG).exists():
        settings = settings_of_run(read_config(run), run / CONFIG)
        return replace(with_fits(settings, fitting.recipe, fitting.effort), until="outputs")
    if not (run / FREEZE).is_file():
        raise FourRealError(f"{run / FREEZE} does not exist; draw clips with `4real video`, or give --freeze")
    recipe, effort = fitting.recipe or "default", 1.0 if fitting.effort is None else fitting.effort
    first, later = fits(recipe, effort, 0)
    return Settings(first, later, detail_of(recipe, effort, 0), recipe=recipe, effort=effort)
