"""The benchmark of `4real generate`: a real run at the tiniest size, and figures that mean what they say."""

from __future__ import annotations

import importlib
import json
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch

from fourreal.core.storage import save_tensors, write_json
from fourreal.worlds import FACTORS
from fourreal.worlds.vocabulary import actions_of
from video.tiny import tiny_weights

_FOLDER = Path(__file__).parents[2] / "benchmarks"
_TINY = ["--effort", "0.004", "--coverage", "40", "--device", "cpu", "--seeds", "1"]
_TINY += [word for s in ("canonical.seeds=300", "canonical.nodes=8", "temporal.nodes=8", "poses.width=64",
                         "until=detail") for word in ("--set", s)]  # fmt: skip
PROMPT, NONSENSE = "a panda dancing on grass at sunset", "xqzt vrrp"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    monkeypatch.syspath_prepend(_FOLDER)
    return importlib.import_module


@pytest.mark.slow
def test_prompts_become_figures_and_a_gallery_once(
    module: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    judges = module("_video_classifier")
    config = judges.ClassifierConfig(10, 12, 16, 8)
    judge = tmp_path / "judge.safetensors"
    save_tensors(judge, judges.Classifier(config).state_dict(), asdict(config), kind="world classifier")
    where = ["--out", str(tmp_path / "out"), "--json", str(tmp_path / "a.json"), "--gallery", str(tmp_path / "gallery")]
    options = [*_TINY, *where, "--weights", str(tiny_weights()[0]), "--classifier", str(judge)]
    assert module("generate").main(["--prompts", "1", NONSENSE, *options]) == 1
    result = json.loads((tmp_path / "a.json").read_text())
    (row,) = result["rows"]
    assert row["prompt"] == PROMPT
    assert set(row["psnr"]) == {"reference", "freeze", "freeze, no warps"}
    assert all(row[part].keys() >= {"clip", "seen", "side", "beyond"} for part in ("denoising", "labels"))
    assert set(row["seconds"]) == {"videos", "poses", "canonical", "temporal", "detail"}
    assert row["memory_mb"] > 100
    assert 30 < row["coverage"]["arc"] < 60
    (failed,) = result["failed"]
    assert failed["prompt"] == NONSENSE
    assert "the prompt names nothing" in failed["why"]
    assert f"| {PROMPT} | 1 | {row['psnr']['reference']:.2f} |" in capsys.readouterr().out
    (sheet,) = (tmp_path / "gallery").glob("*.jpg")
    assert 5_000 < sheet.stat().st_size < 150_000
    assert sheet.name in (tmp_path / "gallery" / "index.md").read_text()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a finished run was started again")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert module("generate").main(["--prompts", "1", *options]) == 0
    assert json.loads((tmp_path / "a.json").read_text())["rows"] == [row]
    capsys.readouterr()
    assert module("generate").main(["--prompts", "1", "2", *options, "--finished"]) == 0
    said = capsys.readouterr().out
    assert "1 of 2 runs are finished" in said
    assert f"| {PROMPT} | 1 | {row['psnr']['reference']:.2f} |" in said


def test_another_recipe_is_another_run(module: Callable[[str], ModuleType], tmp_path: Path, monkeypatch) -> None:
    runs, prompts = module("_generate_runs"), module("_generate_prompts")
    made: list[str] = []
    monkeypatch.setattr(runs, "_carry_out", lambda job: made.append(job.options.recipe) or {"memory_mb": 1.0})

    def figures(recipe: str) -> dict[str, object]:
        job = runs.Job(prompts.PROMPTS[0], 0, runs.Options(tmp_path, recipe))
        job.sheet.parent.mkdir(exist_ok=True)
        job.sheet.touch()
        return runs.figures_of(job, lambda job: {"recipe": job.options.recipe})

    assert [figures(r)["recipe"] for r in ("preview", "preview", "default")] == ["preview", "preview", "default"]
    assert made == ["preview", "default"]


def test_prompts_of_the_list_can_be_drawn_and_judged(module: Callable[[str], ModuleType]) -> None:
    prompts = module("_generate_prompts").PROMPTS
    assert [p.kind for p in prompts] == ["grammar"] * 6 + ["free"] * 6
    assert len({p.name for p in prompts}) == 12
    for prompt in prompts:
        assert all(value in FACTORS[factor] for factor, value in prompt.labels.items()), prompt
        assert prompt.labels["action"] in actions_of(prompt.labels["subject"]), prompt


def test_prompts_by_number_or_in_words(module: Callable[[str], ModuleType], capsys: pytest.CaptureFixture) -> None:
    listed = module("_generate_prompts")
    first, own = listed.chosen(["1", "an owl reading", "1", PROMPT])
    assert first is listed.PROMPTS[0]
    assert (own.text, own.labels) == ("an owl reading", {})
    with pytest.raises(SystemExit):
        module("generate").main(["--prompts", "13"])
    assert "prompts 1 to 12" in capsys.readouterr().err


def test_flicker_counts_where_nothing_moves(module: Callable[[str], ModuleType]) -> None:
    scores = module("_generate_scores")
    clip = torch.full((6, 3, 36, 64), 0.5)
    for i in range(6):
        clip[i, :, 10:20, 8 * i : 8 * i + 10] = 1.0  # something walks through the picture
    still = scores.static_pixels(clip)
    assert not still[10:20, :40].any()
    assert still[25:].all()
    render = clip + 0.02 * (torch.arange(6) % 2).view(6, 1, 1, 1)
    render[:, :, 12:18, :40] = torch.rand(6, 3, 6, 40)
    found = scores.flicker(clip, render)
    assert found["clip"] == 0
    assert found["render"] == pytest.approx(0.02 * 255, rel=1e-4)
    assert scores.flicker(torch.rand(6, 3, 36, 64).round(), render)["render"] is None


@pytest.mark.parametrize(("gain", "error"), [(1.0, 0.0), (0.0, 127.5 * 0.5)])
def test_denoising_error_is_what_a_step_misses(module: Callable[[str], ModuleType], gain: float, error: float) -> None:
    """A model that knows the clip misses nothing; one that always answers gray misses all of it."""
    clip = torch.full((5, 3, 36, 64), 0.75)
    model = SimpleNamespace(
        spec=SimpleNamespace(frames=8, score_size=(12, 16)),
        encode=lambda frames: 2 * torch.nn.functional.interpolate(frames, (12, 16), mode="area") - 1,
        denoise=lambda x, *_, **__: torch.full_like(x, 0.5 * gain),
    )
    assert module("_generate_scores").denoising_error(clip, model, None) == pytest.approx(error, abs=1e-3)


def test_fog_shows_as_lost_detail(module: Callable[[str], ModuleType]) -> None:
    clip = torch.rand(4, 3, 36, 64, generator=torch.Generator().manual_seed(0))
    fog = torch.nn.functional.avg_pool2d(clip, 5, 1, 2)
    views = module("_generate_views")
    seen = views.Seen(clip, clip, clip, None, clip, {"left": fog, "right": fog}, {}, 90.0)
    scores = module("_generate_scores")
    found = scores.detail(seen)
    assert found["seen"] == pytest.approx(1)
    assert found["side"] < 0.3
    assert scores.fidelity(seen) == {"reference": 60.0, "freeze": None, "freeze, no warps": 60.0}


def test_sheets_stay_small_whatever_they_show(module: Callable[[str], ModuleType], tmp_path: Path) -> None:
    noise = torch.rand(4, 3, 144, 256, generator=torch.Generator().manual_seed(0))
    sides = {"left": noise, "right": noise}
    seen = module("_generate_views").Seen(noise, noise, noise, None, noise, sides, sides, 90.0)
    module("_generate_sheets").write_sheet(tmp_path / "sheet.jpg", seen, "noise")
    assert 10_000 < (tmp_path / "sheet.jpg").stat().st_size < 150_000


def test_peak_memory_is_the_highest_of_all_attempts(
    module: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, prompts = module("_generate_runs"), module("_generate_prompts")
    job = runs.Job(prompts.PROMPTS[0], 0, runs.Options(tmp_path))
    write_json(tmp_path / "memory" / f"{job.name}.json", {"memory_mb": 1e9})
    monkeypatch.setattr(runs.Job, "command", lambda _: ["--version"])
    assert runs._carry_out(job) == {"memory_mb": 1e9}
