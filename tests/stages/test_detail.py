"""The detail pass: pictures that a video model draws again, and what the scene makes of them."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from fourreal.commands.generate import generate, resume
from fourreal.commands.models import ModelOptions
from fourreal.commands.running import Drawing, Fitting, Showing
from fourreal.commands.settings import Opened, Settings, detail_of, fits
from fourreal.core.errors import FourRealError
from fourreal.core.storage import read_json
from fourreal.fit.clips import Clips
from fourreal.fit.state import FitState
from fourreal.fit.static import Targets
from fourreal.metrics import psnr
from fourreal.recipes import canonical_default, detail_default, temporal_default
from fourreal.stages.clips import ClipsConfig
from fourreal.stages.detail import PICTURE, REPORT, DetailConfig, Redrawn, detail_paths, fit_detail, redraw
from fourreal.stages.lift import LiftConfig, fit_clips
from fourreal.stages.trial import TUNING, Case, Filming, lifted, world_case
from fourreal.video.choose import Models
from fourreal.video.oracle import OracleVideoModel

CPU = torch.device("cpu")
SEED = TUNING + 5
SMALL = Filming(32, 18, frames=4, views=5, degrees=60.0)
QUIET = Showing("cpu", quiet=True)
PROMPT, DRAWING = "a panda dancing on grass", Drawing(coverage=20.0)
TINY = ("canonical.seeds=300", "canonical.nodes=8", "temporal.nodes=8", "poses.width=64", "detail.clips=2",
        "until=detail")  # fmt: skip
ON = ("detail.on=true", "detail.phases.redrawn.steps=3")


class Painter(OracleVideoModel):
    """The oracle, doing something else now and then when it draws again."""

    def __init__(self, size: tuple[int, int] = (36, 64)) -> None:
        super().__init__(3, size=size, score_size=(18, 32), frames=8)
        self.seeds: list[int] = []
        self.trick: Callable[[int], None] = lambda _: None

    def upsample(self, frames: Tensor, *, seed: int = 0) -> Tensor:
        self.seeds.append(seed)
        self.trick(len(self.seeds))
        return super().upsample(frames, seed=seed)


class Blind(OracleVideoModel):
    """A model without an upsampler."""

    def __init__(self) -> None:
        super().__init__(3, size=(36, 64), score_size=(18, 32), frames=8)
        self.spec = replace(self.spec, features=self.spec.features - {"upsample"})


@pytest.fixture(scope="module")
def case() -> Case:
    return world_case(SEED, SMALL, CPU)


@pytest.fixture(scope="module")
def state(case: Case) -> FitState:
    """A rough lift."""
    phases = canonical_default(0.03), temporal_default(0.01)
    return fit_clips(case.clips, LiftConfig(Path(), seeds=300, nodes=8), *phases)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without a detail pass, up to its scene; tests take a copy."""
    run = tmp_path_factory.mktemp("detail") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ModelOptions, "open", lambda *_, **__: Models(Painter(), None))
        assert generate(PROMPT, run, None, DRAWING, Fitting(effort=0.004, set=TINY), showing=QUIET) == 0
    return run


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture
def painter(monkeypatch: pytest.MonkeyPatch) -> Painter:
    model = Painter()
    monkeypatch.setattr(ModelOptions, "open", lambda *_, **__: Models(model, None))
    return model


def again(run: Path, *changes: str) -> list[str]:
    """Generate into the run with settings changed; the stages that worked."""
    before = len((run / "log.jsonl").read_text().splitlines())
    generate(PROMPT, run, None, DRAWING, Fitting(effort=0.004, set=(*TINY, *changes)), showing=QUIET)
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()[before:]]
    return [row["stage"] for row in rows if row.get("doing") in ("starting", "going on")]


def said(run: Path) -> list[str]:
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [row["text"] for row in rows if row["stage"] == "detail" and "text" in row]


def test_paths_move_through_what_the_clips_cover(case: Case) -> None:
    focus = torch.zeros(3)
    config = DetailConfig(clips=4)
    paths = detail_paths(case.clips, focus, 8, config)
    around = case.clips.freeze.cameras.positions
    for path in paths:
        assert len(path) == 8
        assert torch.cdist(path.positions, around).min(1).values.max() < 0.2 * around.norm(dim=1).mean()
        assert (path.positions[1:] - path.positions[:-1]).norm(dim=1).min() > 0
        assert (path.moments.diff() > 0).all() or (path.moments.diff() < 0).all()
        assert float(path.moments.max() - path.moments.min()) >= 1.5
        assert 0 <= float(path.moments.min()) <= float(path.moments.max()) <= 3
    starts = {bool(path.moments[0] < path.moments[-1]) for path in paths}
    assert starts == {True, False}, "time runs both ways"
    same = detail_paths(case.clips, focus, 8, config)
    assert all(torch.equal(a.viewmats, b.viewmats) for a, b in zip(paths, same, strict=True))
    assert not torch.equal(detail_paths(case.clips, focus, 8, replace(config, seed=1))[0].viewmats, paths[0].viewmats)
    for path in detail_paths(replace(case.clips, reference=None), focus, 8, config):
        assert not path.moments.any(), "without a reference time stands still"


def test_a_scene_learns_what_the_redrawn_pictures_know(case: Case, state: FitState) -> None:
    """True pictures of a moving camera help at other cameras too; its own renders only cost nothing."""
    config = DetailConfig(True, detail_default(0.15), weight=3.0)
    seen = case.truth["heldout3"]
    renders = lifted(state, case.clips, 0.0).render(seen.cameras)
    found = {}
    for name, pictures in (("true", seen.images), ("own", renders)):
        redrawn = Redrawn(Targets(pictures, seen.cameras), renders, len(renders))
        after = fit_detail(case.clips, state.gaussians(), copy.deepcopy(state.modules), config, redrawn)
        others = case.truth["heldout1"]
        found[name] = float(psnr(lifted(after, case.clips, 0.0).render(others.cameras), others.images).mean())
    assert found["true"] > found["own"] + 0.1


def test_a_run_takes_the_pass_and_only_that_again(run: Path, painter: Painter) -> None:
    plain = (run / "scene.safetensors").read_bytes()
    assert plain == (run / "temporal" / "scene.safetensors").read_bytes()
    assert again(run, "detail.weight=0.3") == [], "what is off has no settings that count"
    assert again(run, *ON) == ["detail"]
    assert painter.seeds == [0, 1]
    assert (run / "scene.safetensors").read_bytes() != plain
    assert (run / PICTURE).stat().st_size > 0
    rows = read_json(run / REPORT)["curve"]
    assert rows[-1]["step"] == 3
    assert "redrawn" in rows[-1]["losses"]
    assert again(run, *ON) == []
    assert again(run, *ON, "detail.weight=0.3") == ["detail"]
    assert again(run) == ["detail"]
    assert (run / "scene.safetensors").read_bytes() == plain
    assert not (run / PICTURE).exists()


def test_a_stopped_pass_ends_like_an_uninterrupted_one(
    run: Path, painter: Painter, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, plain = Path(shutil.copytree(run, run.with_name("whole"))), (run / "scene.safetensors").read_bytes()
    again(whole, *ON)
    painter.seeds.clear()

    def stop(number: object, *_: object) -> None:
        if number != 1:
            raise KeyboardInterrupt

    painter.trick = stop
    with pytest.raises(KeyboardInterrupt, match="4real resume"):
        again(run, *ON)
    painter.trick = lambda _: None
    with monkeypatch.context() as patch:
        patch.setattr("fourreal.stages.detail.save_lift", stop)  # all steps are done, and nothing is published
        with pytest.raises(KeyboardInterrupt):
            resume(run, QUIET)
    assert (run / "scene.safetensors").read_bytes() == plain
    assert resume(run, QUIET) == 0
    assert painter.seeds == [0, 1, 0, 1], "pictures are drawn again until all are there, and then kept"
    assert (run / "scene.safetensors").read_bytes() == (whole / "scene.safetensors").read_bytes()


def test_where_nobody_can_draw_again_the_scene_stays_and_a_line_says_so(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = (run / "scene.safetensors").read_bytes()
    for model, words in (
        (Blind(), "no video model with an upsampler"),
        (Painter((18, 32)), "draws 32x18, less than the 64x36"),
    ):
        monkeypatch.setattr(ModelOptions, "open", lambda *_, m=model, **__: Models(m, None))
        assert again(run, *ON, f"detail.seed={len(said(run))}") == ["detail"]
        assert words in said(run)[-1]
        assert (run / "scene.safetensors").read_bytes() == plain


def test_clips_of_ones_own_have_nobody_to_draw_them_again_unless_a_model_is_named(painter: Painter) -> None:
    first, later = fits("default", 1.0, 0)
    own = Settings(first, later, clips=ClipsConfig(Path("walk.mp4")), prompt="a dog")
    for settings, wanted in ((own, None), (replace(own, models=ModelOptions(model="embedded")), painter)):
        assert Opened(settings, CPU, Path(), print).upsampler() is wanted


def test_a_scene_that_stands_still_is_drawn_again_too(case: Case, state: FitState) -> None:
    clips = Clips(case.clips.freeze)
    modules = {k: copy.deepcopy(state.modules[k]) for k in ("warp", "poses")}
    still = FitState.begin(state.gaussians(), 1.0, 0, modules)
    model = OracleVideoModel(SEED, size=(36, 64), score_size=(18, 32), frames=8)
    config = DetailConfig(True, detail_default(0.02), clips=1)
    redrawn = redraw(still, detail_paths(clips, torch.zeros(3), 8, config), model)
    after = fit_detail(clips, state.gaussians(), modules, config, redrawn)
    assert not torch.equal(after.params["colors"], state.params["colors"])


@pytest.mark.parametrize(("change", "words"), [
    ("detail.clips=0", "detail.clips must be at least 1, got 0"),
    ("detail.weight=0", "detail.weight must be positive, got 0"),
])  # fmt: skip
def test_settings_out_of_range(tmp_path: Path, change: str, words: str) -> None:
    with pytest.raises(FourRealError, match=words):
        generate(PROMPT, tmp_path / "run", None, DRAWING, Fitting(set=(change,)), showing=QUIET)


def test_the_papers_recipe_has_the_pass() -> None:
    assert detail_of("paper", 1.0, 0).on
    assert not detail_of("preview", 1.0, 0).on
