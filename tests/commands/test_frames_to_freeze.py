"""Which frame is frozen, from the command line: walks and circles that are tried are kept when a run is stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from commands.painter import FITTED, PROMPT, QUIET, TINY, TWO_LINKS, Painter, log_of
from fourreal.commands.generate import generate, resume
from fourreal.commands.lift import lift
from fourreal.commands.models import ModelOptions
from fourreal.commands.running import Drawing, Fitting
from fourreal.commands.video import video
from fourreal.core.errors import FourRealError
from fourreal.core.storage import read_json
from fourreal.core.video import Video
from fourreal.video.choose import Models
from fourreal.video.extend import Walk


@pytest.fixture
def painter(monkeypatch: pytest.MonkeyPatch) -> Painter:
    model = Painter()
    monkeypatch.setattr(ModelOptions, "open", lambda *_, **__: Models(model, None))
    return model


def test_of_who_turns_on_half_a_circle_the_sharpest_frame_is_frozen_and_the_fit_knows(
    painter: Painter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Turning(Painter):
        def encode_text(self, *words: Any, **options: Any) -> Any:
            return replace(super().encode_text(*words, **options), turns=True)

    asked: list[bool] = []
    monkeypatch.setattr("fourreal.stages.temporal.find_spin", lambda *_, told: asked.append(told))
    painter.__class__ = Turning
    painter.spec = replace(painter.spec, features=painter.spec.features | {"likeness"})
    generate(PROMPT, tmp_path / "run", None, replace(TWO_LINKS, drafts=1), FITTED, showing=QUIET)
    assert painter.seeds == [0, 1, 2], "no walks are tried"
    notes = read_json(tmp_path / "run" / "videos" / "videos.json")
    assert (notes["frame_chosen_by"], notes["turns"]) == ("score", True)
    for turns in ("false", "true"):
        lift(tmp_path / "run", fitting=Fitting(set=(f"temporal.turns={turns}",)), showing=QUIET)
    assert asked == [True, True], "told that it does not turn, the fit does not look"


def test_round_who_turns_circles_are_tried(painter: Painter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Turning(Painter):
        def encode_text(self, *words: Any, **options: Any) -> Any:
            return replace(super().encode_text(*words, **options), turns=True)

        def generate(self, text: Any, **options: Any) -> Tensor:
            sizes.append(options.get("size"))
            return super().generate(text, **options)

    def missed(circle: Video, clip: Tensor, walk: Walk, frame: int, *_: Any) -> float:
        if len(tried) == 1:
            tried.append((0, 0, 0))
            raise KeyboardInterrupt
        tried.append((frame, len(circle), circle.height))
        return 0.9 - 0.1 * len(tried)

    tried: list[tuple[int, int, int]] = []
    sizes: list[tuple[int, int] | None] = []
    monkeypatch.setattr("fourreal.stages.circling.missed", missed)
    painter.__class__ = Turning
    painter.spec = replace(painter.spec, features=painter.spec.features | {"likeness"})
    wide, run = Drawing(drafts=1), tmp_path / "run"
    two = replace(TINY, set=(*TINY.set, "videos.candidates=2", "videos.step=20", "videos.retries=0"))
    with pytest.raises(KeyboardInterrupt, match="4real resume"):
        video(PROMPT, run, "both", wide, two, showing=QUIET)
    assert resume(run, QUIET) == 0
    notes = read_json(run / "videos" / "videos.json")
    first, second = notes["frames_tried"]
    assert [t for t in tried if t[1]] == [(first["frame"], 20, 18), (second["frame"], 20, 18)], "the first is kept"
    assert (first["kept"], second["kept"]) == (False, True)
    assert (notes["frozen_frame"], notes["frame_chosen_by"]) == (second["frame"], "circle")
    links = len(notes["links"])
    assert sizes == [None, *[(18, 32)] * 3 * links, *[None] * links]
    assert painter.seeds == [0, *range(1, links + 1), *range(1, links + 1), *range(1, links + 1), *range(1, links + 1)]
    shares = [row["share"] for row in log_of(run) if "share" in row]
    begun = shares.index(0.0, 1)
    assert shares[begun:] == sorted(shares[begun:])


def test_walks_are_tried_before_a_frame_is_frozen(painter: Painter, tmp_path: Path) -> None:
    painter.spec = replace(painter.spec, features=painter.spec.features | {"likeness"})
    alone = replace(TWO_LINKS, drafts=1)

    def broken_off(number: int, clip: Tensor) -> Tensor:
        if number == 5:
            raise KeyboardInterrupt
        return clip

    painter.trick, run = broken_off, tmp_path / "run"
    two = replace(TINY, set=(*TINY.set, "videos.candidates=2"))
    with pytest.raises(KeyboardInterrupt, match="4real resume"):
        video(PROMPT, run, "both", alone, two, showing=QUIET)
    assert resume(run, QUIET) == 0
    notes = read_json(run / "videos" / "videos.json")
    first, second = (one["frame"] for one in notes["frames_tried"])
    assert abs(first - second) >= 3
    assert painter.seeds == [0, 1, 1, 1, 2, 2], "the walks tried are not tried again"
    assert notes["frame_chosen_by"] == "walk"
    assert [notes["frozen_frame"]] == [one["frame"] for one in notes["frames_tried"] if one["kept"]]
    shares = [row["share"] for row in log_of(run) if "share" in row]
    begun = shares.index(0.0, 1)
    assert shares[begun:] == sorted(shares[begun:])
    assert shares[-1] == 1.0
    trying = [row["share"] for row in log_of(run) if "tried" in row.get("doing", "")]
    assert trying[0] < trying[1] < trying[2], "the stage is seen to go on while walks are tried"
    with pytest.raises(FourRealError, match=r"videos.candidates must lie in 1\.\.100, got 0"):
        video(PROMPT, tmp_path / "none", fitting=replace(TINY, set=("videos.candidates=0",)), showing=QUIET)
