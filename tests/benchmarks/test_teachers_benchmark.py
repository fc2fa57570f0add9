"""The teachers benchmark runs with networks of any size, and adds up the paper's recipe."""

from __future__ import annotations

import argparse
import importlib
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.usefixtures("one_thread")

_FOLDER = Path(__file__).parents[2] / "benchmarks"
_TINY = ["--device", "cpu", "--tiny", "--sizes", "144", "--repeat", "1", "--warmup", "0", "--vae-dtype", "float32"]


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(_FOLDER)
    return importlib.import_module("teachers")


def run(module: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr("sys.argv", ["teachers.py", *_TINY, *arguments])
    module.main()


def test_every_part_of_every_kind_is_measured(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run(module, monkeypatch, "--ways", "joined", "--no-compile", "--out", str(tmp_path / "found.json"))
    found = json.loads((tmp_path / "found.json").read_text())
    measured = {(row["model"], row["part"], row["how"]) for row in found["rows"]}
    both = {"step in pixels", "step through the encoder", "encode", "encode, gradient"}
    for model in ("Wan2.1-1.3B", "VACE-1.3B"):
        assert {(model, part, how) for part in both for how in ("joined", "diffusers")} <= measured
        assert (model, "decode two", "joined") in measured
        assert (model, "network", "alone") in measured
    assert ("Wan2.1-1.3B", "network", "prompt read each time") in measured
    assert ("Wan2.1-1.3B", "network", "queries, keys and values by one product") in measured
    assert "failed" not in capsys.readouterr().out


def test_what_comes_too_late_is_named(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(module, monkeypatch, "--seconds", "0")
    said = capsys.readouterr().out
    assert re.search("left out after --seconds: Wan2.1-1.3B 144 autoencoder .*VACE-1.3B", said)


def test_the_recipe_adds_up(module: ModuleType) -> None:
    row = module.Row("Wan2.1-1.3B", "144x256", "step through the encoder", "joined", 36.0, 5.0)
    args = argparse.Namespace(fit_ms=6.5, fit_seconds=None, render_ms=14.0, clips_seconds=51.0)
    said = "\n".join(module.recipe(row, args))
    assert "43000 x 6.5 ms = 280 s" in said
    assert f"= {51 + 279.5 + 500:.0f} s = 13.8 minutes (for 15: 43 ms a step" in said
    args.fit_seconds = 180.0
    assert f"= {51 + 180 + 500:.0f} s = 12.2 minutes (for 15: 53 ms a step" in "\n".join(module.recipe(row, args))


def test_each_convolution_is_found(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["teachers.py", *_TINY, "--layers", "144"])
    bench = module.Bench(module.arguments())
    found = importlib.import_module("_teachers_parts").convolutions(bench.built("Wan2.1-1.3B").pipe.vae, (32, 32))
    assert sum(found.values()) == 2 + 2 * 6 + 2 + 2 * 10, "both ends and two a block: 6 blocks encode, 10 decode"
