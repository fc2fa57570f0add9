"""Everything that a finished run gives its user."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from .coverage import find_coverage
from .facts import read_facts
from .films import FilmPath, write_film
from .lifted import Lifted, read_lifted
from .page import write_page
from .report import write_report

PAGE, REPORT = "scene.html", "report.html"
FILMS: tuple[FilmPath, ...] = ("orbit", "time", "study")
OUTPUTS = (PAGE, *(f"{name}.mp4" for name in FILMS), REPORT)


def write_outputs(
    run: Path,
    device: torch.device,
    *,
    out: Path | None = None,
    on_news: Callable[[str, float], None] = lambda *_: None,
) -> list[Path]:
    """Write scene.html, orbit.mp4, time.mp4, study.mp4 and report.html of a lifted run.

    Args:
        run: folder with scene.safetensors (and motion.safetensors); whatever else of a run is there goes into the
            report.
        device: where films are rendered.
        out: folder to write to; the run itself by default.
        on_news: told what is being made, and which share of all this is done.

    Returns:
        The files, in the order above.

    Raises:
        FourRealError: if the scene is missing or damaged.
    """
    lifted, facts = read_lifted(run, device), read_facts(run)
    folder = run if out is None else out
    on_news("coverage", 0.0)
    coverage = find_coverage(run, lifted)
    on_news(PAGE, 0.2)
    write_page(folder / PAGE, lifted, title=facts.title, coverage=coverage)
    for number, name in enumerate(FILMS):
        _film(folder, lifted, name, lambda share, n=number, film=name: on_news(f"{film}.mp4", 0.25 + 0.2 * (n + share)))
    on_news(REPORT, 0.86)
    write_report(folder / REPORT, lifted, run, coverage=coverage)
    on_news(REPORT, 1.0)
    return [folder / name for name in OUTPUTS]


def _film(folder: Path, lifted: Lifted, name: FilmPath, tell: Callable[[float], None]) -> None:
    write_film(folder / f"{name}.mp4", lifted, name, on_frame=lambda done, total: tell(done / total))
