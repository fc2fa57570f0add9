"""One live display over all stages of a run: bars in a terminal, lines in a log file, JSON, or nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from fourreal.run import Stage
    from fourreal.stages.news import News

Mode = Literal["live", "lines", "json", "quiet"]
_LINE_EVERY = 15.0  # seconds between two lines of one stage in a log file


def choose_mode(console: Console, *, quiet: bool, as_json: bool) -> Mode:
    """Live bars only where the terminal can move its cursor."""
    if quiet:
        return "quiet"
    if as_json:
        return "json"
    return "live" if console.is_terminal and not console.is_dumb_terminal else "lines"


class Remaining:
    """How long a run still takes: what the stages are expected to cost, corrected by what they did cost."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._expected = {stage.name: stage.seconds for stage in stages}
        self._share = dict.fromkeys(self._expected, 0.0)
        self._spent = dict.fromkeys(self._expected, 0.0)
        self._begun: dict[str, float] = {}

    def update(self, stage: str, share: float | None, now: float) -> None:
        """Note how far a stage is at the time `now` (seconds, any origin)."""
        self._begun.setdefault(stage, now)
        self._spent[stage] = now - self._begun[stage]
        if share is not None:
            self._share[stage] = max(share, self._share[stage])

    def seconds(self) -> float | None:
        """Seconds left; None while nothing can be said."""
        done = sum(self._expected[s] * v for s, v in self._share.items() if self._spent[s] > 1)
        spent = sum(v for v in self._spent.values() if v > 1)
        if done <= 0 or spent < 5:
            return None
        usual = spent / done  # how much slower than expected this machine is
        left = 0.0
        for stage, expected in self._expected.items():
            share, own = self._share[stage], self._spent[stage]
            pace = own / share if share > 0.1 and own > 1 else expected * usual
            left += (1 - share) * pace
        return left


class RunDisplay:
    """A context manager whose instance is called with a stage and its news."""

    def __init__(self, stages: Sequence[Stage], console: Console, mode: Mode) -> None:
        self._console, self._mode = console, mode
        self._left = Remaining(stages)
        self._begun = time.monotonic()
        self._printed: dict[str, float] = {}
        columns = (
            TextColumn("{task.description:>10}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[news]}", markup=False),
        )
        self._bars = Progress(*columns, console=console, disable=mode != "live")
        self._tasks: dict[str, TaskID] = {
            stage.name: self._bars.add_task(stage.name, total=1.0, start=False, news="") for stage in stages
        }
        self._all = self._bars.add_task("all", total=1.0, news="")
        self._weights = {stage.name: stage.seconds for stage in stages}
        self._shares = dict.fromkeys(self._weights, 0.0)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def __call__(self, stage: Stage, news: News) -> None:
        """Show `news`."""
        now = time.monotonic() - self._begun
        self._left.update(stage.name, news.share, now)
        if news.share is not None:
            self._shares[stage.name] = news.share
        if self._mode == "json":
            self._print_json(stage.name, news, now)
        elif self._mode == "live":
            self._move_bars(stage.name, news)
        elif self._mode == "lines":
            self._print_line(stage.name, news, now)

    def _print_json(self, stage: str, news: News, now: float) -> None:
        left = self._left.seconds()
        row = {
            "stage": stage, "seconds": round(now, 1), "left": None if left is None else round(left),
            "doing": news.doing or None, "share": news.share, "text": news.text or None,
            "terms": dict(news.terms) or None,
        }  # fmt: skip
        print(json.dumps({k: v for k, v in row.items() if v is not None}), flush=True)  # noqa: T201

    def _move_bars(self, stage: str, news: News) -> None:
        task = self._tasks[stage]
        if not self._bars.tasks[task].started:
            self._bars.start_task(task)
        if news.doing or news.share is not None:
            self._bars.update(task, completed=self._shares[stage], news=_words(news))
        total = sum(self._weights.values())
        done = sum(self._weights[s] * v for s, v in self._shares.items()) / total
        self._bars.update(self._all, completed=done, news=self._left_words())
        if news.text:
            self._console.print(news.text, markup=False, highlight=False)

    def _print_line(self, stage: str, news: News, now: float) -> None:
        if news.text:
            self._console.print(f"{stage:>10} {now:6.1f} s  {news.text}", markup=False, highlight=False, soft_wrap=True)
            return
        moment = news.doing in ("starting", "going on", "done")
        if news.doing and (moment or now - self._printed.get(stage, -_LINE_EVERY) >= _LINE_EVERY):
            self._printed[stage] = now
            share = "" if news.share is None else f"{news.share:4.0%}  "
            left = "" if moment else f"  {self._left_words()}"
            line = f"{stage:>10} {now:6.1f} s  {share}{_words(news)}{left}"
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _left_words(self) -> str:
        left = self._left.seconds()
        return "" if left is None else f"about {duration(left)} left"


def _words(news: News) -> str:
    """What is done, with the figures that are worth seeing."""
    losses = [f"{k} {v:.4f}" for k, v in news.terms.items() if k in ("l1", "l2")]
    count = [f"{v:.0f} Gaussians" for k, v in news.terms.items() if k == "gaussians"]
    return "  ".join([news.doing, *losses, *count])


def duration(seconds: float) -> str:
    """Seconds in words for people: 45 s, 3 min 20 s, 2 h 5 min."""
    whole = max(round(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
