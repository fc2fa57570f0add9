"""Settings survive JSON, are changed by name, and say what is wrong with them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import pytest

from fourreal.commands.settings import Settings, fits, with_fits
from fourreal.core.errors import FourRealError
from fourreal.fit.phases import Growth, Phase, Rate
from fourreal.recipes import canonical_default, temporal_default
from fourreal.stages.settings import SettingsError, changed, from_json, to_json
from fourreal.stages.videos import VideosConfig


@dataclass(frozen=True)
class Inner:
    size: int = 3
    where: Path | None = None


@dataclass(frozen=True)
class Outer:
    name: str = "a"
    share: float = 0.5
    kind: Literal["x", "y"] = "x"
    frame: int | Literal["auto"] = "auto"
    inner: Inner = field(default_factory=Inner)
    phases: tuple[Phase, ...] = ()


@pytest.mark.parametrize("recipe", ["preview", "default", "paper"])
def test_a_whole_run_survives_json(recipe: Literal["preview", "default", "paper"]) -> None:
    first, later = fits(recipe, 0.5, 7)
    settings = Settings(first, later, videos=VideosConfig("a fox", frame=3, from_frame=Path("/p.png")), recipe=recipe)
    assert from_json(Settings, json.loads(json.dumps(to_json(settings)))) == settings


def test_phase_tables_survive_json() -> None:
    phases = (
        *canonical_default(),
        *temporal_default(),
        Phase("bare", 1, {"means": Rate(1, 1)}, growth=Growth(every=3)),
    )
    outer = Outer(phases=phases, inner=Inner(4, Path("x")))
    assert from_json(Outer, json.loads(json.dumps(to_json(outer)))) == outer


def test_fields_are_changed_by_name() -> None:
    outer = Outer(phases=canonical_default())
    new = changed(outer, ["inner.size=9", "phases.coarse.steps=5", "phases.1.losses.l1=0.5", "kind=y", "frame=2"])
    assert (new.inner.size, new.kind, new.frame) == (9, "y", 2)
    assert (new.phases[0].steps, new.phases[1].losses["l1"]) == (5, 0.5)
    assert changed(new, ["inner.where=elsewhere/x", "frame=auto"]) == replace(
        new, inner=Inner(9, Path("elsewhere/x")), frame="auto"
    )
    assert changed(outer, []) == outer


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("inner.sise=9", r'no .sise., only size, where; did you mean "size"'),
        ("inner.size.deep=9", r"nothing below"),
        ("phases.fine.steps=1", r"no .fine., only coarse, canonical"),
        ("phases.7.steps=1", r"no .7."),
        ("inner.size=big", r"inner.size must be a whole number, got 'big'"),
        ("inner.size=1.5", r"must be a whole number"),
        ("inner.size=true", r"must be a whole number"),
        ("share=[1]", r"share must be a number"),
        ("kind=z", r"kind must be one of x, y"),
        ("name=3", r"name must be text"),
        ("phases=3", r"phases must be a list"),
        ("phases.coarse.steps=0", r"Phase.steps must be at least 1"),
        ("size", r"takes stage.field=value"),
    ],
)
def test_what_does_not_fit_is_named(change: str, words: str) -> None:
    with pytest.raises(FourRealError, match=words):
        changed(Outer(phases=canonical_default()), [change])


def test_fields_that_are_missing_or_unknown() -> None:
    assert from_json(Outer, {"name": "b"}) == Outer("b")
    with pytest.raises(SettingsError, match=r"there is no 'nome', only name, share"):
        from_json(Outer, {"nome": "b"})
    with pytest.raises(SettingsError, match="the settings must be an object"):
        from_json(Outer, [1])
    with pytest.raises(SettingsError, match="missing"):
        from_json(VideosConfig, {})


def test_another_recipe_changes_the_fits_alone() -> None:
    first, later = fits("default", 1.0, 5)
    settings = Settings(first, later, videos=VideosConfig("a fox", seed=5))
    quick = with_fits(settings, "preview", None)
    assert quick.videos == settings.videos
    assert quick.canonical.seed == 5
    assert sum(p.steps for p in quick.canonical.phases) < sum(p.steps for p in first.phases)
    assert with_fits(settings, None, None) == settings
