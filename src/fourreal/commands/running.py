"""What `generate`, `video`, `lift` and `resume` share: options, and the way a run is carried out."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from rich.console import Console

from .device import DeviceName, resolve_device, torch_device
from .models import ModelOptions

if TYPE_CHECKING:
    from .settings import Settings


@dataclass(frozen=True)
class Drawing:
    """How clips are drawn.

    Attributes:
        seed: another number gives other clips.
        coverage: degrees that the freeze-time clip goes round the subject, 20 to 360, which closes the circle; auto is
            180, or 360 where the subject turns.
        camera: instead, the path of its camera: orbit, rise, lower, dolly, e.g. "orbit 90 left, rise 10".
        frame: frame of the reference clip that is frozen, from 0; auto takes a sharp one that a walk round it suits.
        from_frame: picture to start from.
        drafts: draw every clip small from so many seeds, and keep the one that the model thinks looks best; 4 if not
            given, 2 for a preview; frozen clips, which frames are known of, from half as many.
        takes: draw so many freeze-time clips and keep the one whose frames agree best: for subjects that come apart.
        steps: evaluations of the network a clip; more are slower and a little cleaner.
        weights: folder with networks of your own from `4real train-video-model`.
    """

    seed: int = 0
    coverage: float | Literal["auto"] = "auto"
    camera: str | None = None
    frame: int | Literal["auto"] = "auto"
    from_frame: Path | None = None
    drafts: int | None = None
    takes: int = 1
    steps: int | None = None
    weights: Path | None = None


@dataclass(frozen=True)
class Fitting:
    """How scenes are fitted.

    Attributes:
        recipe: preview is quick, default is better, paper has the paper's schedule (hours without a GPU).
        effort: factor on the number of steps.
        set: any setting by its name in config.json, as in canonical.seeds=8000; may be given several times.
    """

    recipe: Literal["preview", "default", "paper"] | None = None
    effort: float | None = None
    set: tyro.conf.UseAppendAction[tuple[str, ...]] = ()


@dataclass(frozen=True)
class Showing:
    """Where it runs and what is shown.

    Attributes:
        device: auto takes a CUDA GPU if torch and gsplat can use it.
        quiet: print nothing but errors.
        json: print news as lines of JSON.
    """

    device: DeviceName = "auto"
    quiet: bool = False
    json: bool = False


DrawingOptions = Annotated[Drawing, tyro.conf.arg(name="")]
FittingOptions = Annotated[Fitting, tyro.conf.arg(name="")]
ShowingOptions = Annotated[Showing, tyro.conf.arg(name="")]
VideoModelOptions = Annotated[ModelOptions, tyro.conf.arg(name="")]
DRAWING, FITTING, SHOWING, MODELS = Drawing(), Fitting(), Showing(), ModelOptions()


def folder_of(prompt: str) -> Path:
    """The folder of a prompt's run if none is named: out/a-panda-dancing-on-grass."""
    words = re.findall(r"[a-z0-9]+", prompt.lower())
    return Path("out") / ("-".join(words)[:60].strip("-") or "run")


def carry_out(settings: Settings, run: Path, showing: Showing) -> int:
    """Bring a run up to date with its settings, and say where to look; the exit status.

    Raises:
        FourRealError: if a setting is impossible, the folder cannot be used, or a stage fails.
        KeyboardInterrupt: when interrupted; its text says how to go on.
    """
    from fourreal.run import Run, open_run
    from fourreal.stages.settings import to_json

    from .run_display import RunDisplay, choose_mode, duration
    from .settings import Opened, pipeline

    console, begun = Console(), time.monotonic()
    device = resolve_device(showing.device)
    mode = choose_mode(console, quiet=showing.quiet, as_json=showing.json)

    def say(text: str) -> None:
        if mode in ("live", "lines"):
            console.print(text, markup=False, highlight=False, soft_wrap=True)

    opened = Opened(settings, torch_device(showing.device), run / "cache", say)
    stages = pipeline(settings, run, device, opened)
    if not Run.at(run).is_done(stages[0]):
        opened.check()
    with _stoppable(), open_run(run, to_json(settings)) as held, RunDisplay(stages, console, mode) as display:
        held.execute(stages, display)
    if mode == "json":
        print(json.dumps({"done": True, "run": str(run), "seconds": round(time.monotonic() - begun, 1)}))  # noqa: T201
    say(f"done after {duration(time.monotonic() - begun)}")
    for line in _where_to_look(settings, run):
        say(line)
    return 0


def _where_to_look(settings: Settings, run: Path) -> list[str]:
    if settings.until == "videos":
        return [
            f"look at {run}/videos/clips.png; replace reference.mp4 or freeze.mp4 there by clips you like better",
            f"then: 4real lift {run}",
        ]
    if settings.until != "outputs":
        return [f"stopped after the stage {settings.until}, as asked; go on with --set until=outputs"]
    names = [n for n in ("scene.html", "report.html", "orbit.mp4", "study.mp4") if (run / n).exists()]
    lines = ["look at " + ", ".join(str(run / n) for n in names)]
    if settings.videos is not None:
        lines.append(f"another take: --seed {settings.videos.seed + 1}; all settings: {run}/config.json")
    return lines


@contextmanager
def _stoppable() -> Iterator[None]:
    """Be stopped by SIGTERM as by Ctrl-C."""
    with suppress(ImportError):
        import pycolmap  # noqa: F401  # takes over SIGTERM when it is first imported, so before we do

    def stop(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread: whoever runs us stops us otherwise
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
