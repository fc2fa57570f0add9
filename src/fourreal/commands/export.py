"""`4real export`: the scene of a run for other programs and screens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from fourreal.core.errors import FourRealError

from .device import DeviceName, resolve_device

if TYPE_CHECKING:
    from rich.console import Console

    from fourreal.export import Lifted

Form = Literal["ply", "html", "mp4", "usd", "4dgs", "glb", "report", "all"]
_MAX_TIMES = 10_000


def export(
    run: tyro.conf.Positional[Path],
    to: Form = "ply",
    out: Path | None = None,
    path: Literal["orbit", "time", "study", "spiral"] = "orbit",
    times: str = "all",
    fps: float | None = None,
    device: DeviceName = "auto",
) -> int:
    """Write the scene of a run as splats, page or film.

    ply: one 3DGS PLY a moment (RUN/ply/000.ply, ...), for SuperSplat, Blender, Unity and others. html: the 4D player,
    one file. mp4: a film along --path. usd: animated splats; 4dgs: the same, small; glb: one moment (these three need
    pip install "fourreal[formats]"). report: the report. all: what a run ends with (player, films, report).

    Args:
        run: folder of `4real lift` or `4real generate`.
        to: what to write.
        out: file or (ply, all) folder; default: in the run. A film may be mp4, mov, mkv or gif.
        path: of a film's camera; orbit goes along the clip's cameras while time runs, study stops at four poses.
        times: moments of PLY files in frames of the reference clip, from 0: all, or for example 0,7.5,15; a glb takes
            the first (default: the frozen moment).
        fps: frames a second of a film.
        device: auto takes a CUDA GPU if torch and gsplat can use it.
    """
    if fps is not None and not 1 <= fps <= 120:
        raise FourRealError(f"--fps must lie in 1..120, got {fps:g}; 24 is usual")
    moments = _moments(times)
    where = resolve_device(device)
    from rich.console import Console

    from fourreal.export import read_lifted, write_outputs

    from .display import progress_bar

    console = Console()
    if to == "all":
        with progress_bar(console) as bar:
            task = bar.add_task("export", total=1.0, news="")
            paths = write_outputs(
                run, where, out=out, on_news=lambda name, share: bar.update(task, description=name, completed=share)
            )
    else:
        lifted = read_lifted(run, where)
        if to == "mp4":
            paths = [_film(lifted, out or run / f"{path}.mp4", path, fps, console)]
        elif to in ("usd", "4dgs", "glb"):
            paths = [_exchange(run, to, lifted, out, moments)]
        else:
            paths = _files(run, to, lifted, out, moments)
    for line in _summary(paths):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return 0


def _files(run: Path, to: Form, lifted: Lifted, out: Path | None, moments: list[float] | None) -> list[Path]:
    from fourreal.export import write_page, write_ply_sequence, write_report
    from fourreal.export.coverage import find_coverage
    from fourreal.export.facts import read_facts

    if to == "ply":
        return write_ply_sequence(run / "ply" if out is None else out, lifted, moments)
    coverage = find_coverage(run, lifted)
    target = out or run / ("scene.html" if to == "html" else "report.html")
    if to == "html":
        write_page(target, lifted, title=read_facts(run).title, coverage=coverage)
    else:
        write_report(target, lifted, run, coverage=coverage)
    return [target]


def _exchange(
    run: Path, to: Literal["usd", "4dgs", "glb"], lifted: Lifted, out: Path | None, moments: list[float] | None
) -> Path:
    from fourreal.export.exchange import SUFFIXES, write_exchange

    target = out or run / f"scene{SUFFIXES[to][0]}"
    write_exchange(target, lifted, to, time=moments[0] if moments else None)
    return target


def _film(
    lifted: Lifted, target: Path, path: Literal["orbit", "time", "study", "spiral"], fps: float | None, console: Console
) -> Path:
    from fourreal.export import write_film

    from .display import progress_bar

    with progress_bar(console) as bar:
        task = bar.add_task(path, total=None, news="")
        write_film(
            target, lifted, path, fps=fps, on_frame=lambda done, total: bar.update(task, completed=done, total=total)
        )
    return target


def _moments(times: str) -> list[float] | None:
    """The numbers of --times, None for all."""
    if times.strip() == "all":
        return None
    try:
        found = [float(word) for word in times.split(",") if word.strip()]
    except ValueError:
        found = []
    if not found or len(found) > _MAX_TIMES:
        raise FourRealError(f"--times takes all, or numbers separated by commas such as 0,7.5,15, got {times!r}")
    return found


def _summary(paths: list[Path]) -> list[str]:
    if len(paths) > 5:
        size = sum(path.stat().st_size for path in paths) / 1e6
        return [f"{len(paths)} files, {size:.1f} MB: {paths[0]} to {paths[-1].name}"]
    return [f"{path} ({path.stat().st_size / 1e6:.1f} MB)" for path in paths]
