"""The benchmarks of the paper's schedule run from end to end on a tiny world."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from fourreal.core.record import Recorder, _Recording
from fourreal.deform import MlpConfig
from fourreal.deform.mlp import MlpField
from fourreal.deform.nodes import NodeField
from fourreal.fit.state import FitState
from fourreal.stages.trial import Filming

_FOLDER = Path(__file__).parents[2] / "benchmarks"
_TINY = ["--size", "32", "--gaussians", "100"]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small networks; and what the benchmarks patch for a whole process is put back."""
    monkeypatch.syspath_prepend(_FOLDER)

    def small(**more: Any) -> MlpConfig:
        return MlpConfig(layers=2, width=8, skip=1, **more)

    for name in ("canonical", "temporal"):
        stage = importlib.import_module(f"fourreal.stages.{name}")
        monkeypatch.setattr(stage, "MlpConfig", small)
        monkeypatch.setattr(stage, "select", stage.select)
        monkeypatch.setattr(stage, "dynamic_objective", stage.dynamic_objective)
    for module, name in (
        ("fourreal.stages.canonical", "seed_gaussians"),
        ("fourreal.fit.loop", "grow"),
        ("fourreal.fit.choosing", "shown_rows"),
        ("fourreal.fit.choosing", "neighbourhood"),
        ("fourreal.deform.mlp", "network"),
    ):
        monkeypatch.setattr(f"{module}.{name}", getattr(importlib.import_module(module), name))
    for kind, name in ((FitState, "snapshot"), (Recorder, "run"), (MlpField, "offsets"), (NodeField, "offsets")):
        monkeypatch.setattr(kind, name, getattr(kind, name))
    monkeypatch.setattr(_Recording, "of", staticmethod(_Recording.of))


def short(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A benchmark that films few frames."""
    module = importlib.import_module(name)
    monkeypatch.setattr(module, "Filming", lambda width, height: Filming(width, height, frames=4, views=6))
    return module


@pytest.mark.parametrize(("more", "images"), [(["--images", "8", "4"], 8), (["--naive"], 1)])
def test_a_schedule_is_timed_phase_by_phase(
    more: list[str], images: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "schedule.json"
    short("schedule", monkeypatch).main([*_TINY, *more, "--effort", "0.0008", "--json", str(out)])
    found = json.loads(out.read_text())
    assert [r["phase"] for r in found["rows"]][3:] == ["motion", "reveal", "joint score"]
    assert [r["images"] for r in found["rows"]][:3] == [images] * 3
    assert found["calls"]["seeding"] == 1
    assert ("what pictures show" in found["calls"]) == ("--naive" not in more)
    parts = found["parts"]["seeding"] + sum(r["seconds"] for r in found["rows"])
    assert found["seconds"] == pytest.approx(parts, abs=0.5)
    assert found["scores"]["heldout"]["psnr"] > 10


def test_steps_are_taken_apart(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    short("steps", monkeypatch).main([*_TINY, "--phase", "reveal", "--steps", "1", "--rows", "3"])
    said = capsys.readouterr().out
    assert "reveal: 4 images a step" in said
    assert "self_cpu_time_total" in said
    assert "between steps: what pictures show" in said


def test_the_naive_network_is_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, half = importlib.import_module("_schedule_parts").plain, importlib.import_module("fourreal.deform.half")
    monkeypatch.setattr(half, "_KIND", torch.float32)
    field = MlpConfig(layers=4, width=16, skip=2).build(torch.randn(9, 3), 5)
    torch.nn.init.normal_(field.heads.weight)
    for position in (torch.randn(9, 63), torch.randn(3, 9, 63)):
        given = position, torch.randn(3, 13), list(field.hidden), field.heads, 2
        torch.testing.assert_close(plain(*given), half.network(*given), rtol=1e-4, atol=1e-4)  # type: ignore[arg-type]
