"""Live progress: a bar in a terminal, now and then a line elsewhere."""

from __future__ import annotations

import math
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from fourreal.fit.loop import Progress as News


def progress_bar(console: Console) -> Progress:
    """A bar with times and a field `news`; it shows only in a terminal."""
    columns = (
        TextColumn("{task.description:>10}"),
        BarColumn(bar_width=30),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[news]}"),
    )
    return Progress(*columns, console=console, disable=not console.is_terminal)


class FitDisplay:
    """A context manager whose instance is called with `fourreal.fit.loop.Progress` news."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = progress_bar(console)
        self._task = self._bar.add_task("fitting", total=None, news="")
        self._begun, self._tenth = time.monotonic(), -1

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def __call__(self, news: News) -> None:
        """Show `news`."""
        text = describe(news)
        self._bar.update(self._task, description=news.phase, completed=news.step, total=news.steps, news=text)
        tenth = 10 * news.step // news.steps
        if news.recovered:
            self._console.print("the fit diverged: going on from the last good state at half the learning rate")
        if not self._console.is_terminal and tenth > self._tenth:
            self._tenth = tenth
            elapsed = time.monotonic() - self._begun
            self._console.print(f"{news.phase:>10} {news.step:5d}/{news.steps} {elapsed:6.1f} s  {text}")


def describe(news: News) -> str:
    """The figures of `news` in a few words."""
    parts = [f"{name} {value:.4f}" for name, value in news.terms.items()]
    squared = news.terms.get("l2")
    if squared:
        parts.append(f"PSNR {-10 * math.log10(squared):.1f}")
    return "  ".join([*parts, f"{news.gaussians} Gaussians"])
