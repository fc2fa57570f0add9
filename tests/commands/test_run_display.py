"""One display for all stages: lines for a log file, bars for a terminal, an estimate of the time left."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from fourreal.commands.run_display import Remaining, RunDisplay, choose_mode, duration
from fourreal.run import Stage
from fourreal.stages.news import News

STAGES = [Stage(name, {}, {}, (), lambda *_: None, seconds=s) for name, s in (("draw", 10.0), ("fit", 30.0))]


def console(**options: object) -> Console:
    return Console(file=io.StringIO(), width=120, **options)  # type: ignore[arg-type]


def text_of(shown: Console) -> str:
    assert isinstance(shown.file, io.StringIO)
    return shown.file.getvalue()


def test_the_mode_suits_where_it_is_shown() -> None:
    assert choose_mode(console(), quiet=False, as_json=False) == "lines"
    assert choose_mode(console(force_terminal=True), quiet=False, as_json=False) == "live"
    dumb = Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"})
    assert choose_mode(dumb, quiet=False, as_json=False) == "lines"
    assert choose_mode(console(), quiet=True, as_json=False) == "quiet"
    assert choose_mode(console(), quiet=False, as_json=True) == "json"


def test_a_log_file_has_plain_lines_with_what_matters() -> None:
    shown = console()
    with RunDisplay(STAGES, shown, "lines") as display:
        display(STAGES[0], News(doing="starting", share=0.0))
        display(STAGES[0], News('understood as "[bold]a fox"'))
        for i in range(100):
            display(STAGES[0], News(doing="clip 1", share=i / 100))
        display(STAGES[0], News(doing="done", share=1.0))
        display(STAGES[1], News(doing="coarse", share=0.1, terms={"l1": 0.25, "haze": 1.0, "gaussians": 900.0}))
    lines = text_of(shown).splitlines()
    assert any('understood as "[bold]a fox"' in line for line in lines), "as it was said, no markup"
    assert sum("clip 1" in line for line in lines) <= 1, "now and then, not at every step"
    assert any("coarse  l1 0.2500  900 Gaussians" in line for line in lines)
    assert "\x1b" not in text_of(shown)


def test_a_terminal_has_a_bar_for_every_stage_and_one_for_all() -> None:
    shown = console(force_terminal=True)
    with RunDisplay(STAGES, shown, "live") as display:
        display(STAGES[0], News(doing="done", share=1.0))
        display(STAGES[1], News(doing="coarse", share=0.5))
    assert all(word in text_of(shown) for word in ("draw", "fit", "all", "100 %", "coarse", "62 %"))


@pytest.mark.parametrize("mode", ["quiet", "json"])
def test_nothing_but_json_where_that_is_asked_for(mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = console()
    with RunDisplay(STAGES, shown, mode) as display:  # type: ignore[arg-type]
        display(STAGES[0], News("hello", share=0.5))
    assert text_of(shown) == ""
    said = capsys.readouterr().out
    if mode == "quiet":
        assert said == ""
    else:
        assert json.loads(said)["text"] == "hello"


def test_the_time_left_is_learnt_from_the_stages_so_far() -> None:
    left = Remaining(STAGES)
    assert left.seconds() is None
    left.update("draw", 0.0, 0.0)
    left.update("draw", 0.5, 10.0)  # twice as slow as expected
    assert left.seconds() == pytest.approx(10 + 60)
    left.update("draw", 1.0, 20.0)
    left.update("fit", 0.0, 20.0)
    assert left.seconds() == pytest.approx(60)
    left.update("fit", 0.5, 40.0)
    assert left.seconds() == pytest.approx(20), "the stage's own pace counts once it is known"


def test_stages_that_had_nothing_to_do_teach_nothing() -> None:
    left = Remaining(STAGES)
    left.update("draw", 1.0, 0.0)
    left.update("fit", 0.0, 0.1)
    left.update("fit", 0.25, 10.1)
    assert left.seconds() == pytest.approx(30)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59.4, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (-1, "0 s")]
)
def test_durations_are_for_people(seconds: float, words: str) -> None:
    assert duration(seconds) == words
