"""The demo's stage at a size for tests: everything it promises is there, and a killed run goes on where it was."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fourreal.core.errors import FieldError
from fourreal.core.scene import Scene
from fourreal.fit.phases import Growth, Phase, Rate
from fourreal.fit.static import Targets, render_cameras
from fourreal.io.ply import read_ply
from fourreal.io.video import read_video
from fourreal.metrics import psnr
from fourreal.raster import select
from fourreal.stages import static_world
from fourreal.stages.static_world import StaticWorld, observe, run_static_world

CPU = torch.device("cpu")
TINY = StaticWorld(seed=3, views=28, heldout=4, width=64, height=36, seeds=3000)
RATES = {
    "means": Rate(5e-4, 5e-5),
    "quats": Rate(3e-3, 3e-3),
    "log_scales": Rate(1e-2, 1e-2),
    "logit_opacities": Rate(5e-2, 5e-2),
    "colors": Rate(1e-2, 5e-3),
}
PHASES = (
    Phase("coarse", 50, RATES, {"l1": 1.0, "haze": 0.01}, views=2, shrink=2),
    Phase("fine", 120, RATES, {"l1": 0.8, "dssim": 0.2}, views=2, growth=Growth(every=30, max_gaussians=4000)),
)


@pytest.fixture(scope="module")
def observed() -> tuple[Targets, Targets, str]:
    return observe(TINY, CPU)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    run_static_world(TINY, PHASES, folder, CPU)
    return folder


def test_views_and_heldout_are_apart_and_of_one_frozen_scene(observed: tuple[Targets, Targets, str]) -> None:
    train, heldout, caption = observed
    assert train.images.shape == (28, 3, 36, 64)
    assert heldout.images.shape == (4, 3, 36, 64)
    distance = torch.cdist(heldout.cameras.positions, train.cameras.positions)
    assert float(distance.min()) > 0.1, "no held-out view is a fitted one"
    assert len(torch.cat([train.cameras.moments, heldout.cameras.moments]).unique()) == 1
    assert len(caption) > 10


def test_the_outputs_are_whole_and_agree(out: Path, observed: tuple[Targets, Targets, str]) -> None:
    names = {p.name for p in out.iterdir()}
    assert names == {"scene.safetensors", "scene.ply", "orbit.mp4", "truth_vs_render.png", "metrics.json"}
    scene, splats = Scene.load(out / "scene.safetensors"), read_ply(out / "scene.ply")
    torch.testing.assert_close(splats.means, scene.gaussians.means)
    orbit = read_video(out / "orbit.mp4")
    assert (len(orbit), orbit.height, orbit.width) == (96, 36, 64)
    assert float((orbit.frames[0] - orbit.frames[48]).abs().mean()) > 0.01, "the camera moves"
    _, heldout, _ = observed
    images = render_cameras(scene.gaussians, scene.cameras["heldout"], select(CPU))
    figures = json.loads((out / "metrics.json").read_text())
    assert float(psnr(images, heldout.images).mean()) == pytest.approx(figures["psnr"], abs=1e-3)


def test_unseen_views_are_predicted_far_better_than_by_the_nearest_seen_one(
    out: Path, observed: tuple[Targets, Targets, str]
) -> None:
    train, heldout, _ = observed
    nearest = torch.cdist(heldout.cameras.positions, train.cameras.positions).argmin(1)
    baseline = float(psnr(train.images[nearest], heldout.images).mean())
    assert json.loads((out / "metrics.json").read_text())["psnr"] > baseline + 2


def test_kill_minus_nine_then_the_same_command_gives_the_same_files(out: Path, tmp_path: Path) -> None:
    code = (
        "import sys, torch; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "import test_static_world as t\n"
        "t.static_world.SAVE_EVERY = 0.0\n"
        "t.run_static_world(t.TINY, t.PHASES, Path(sys.argv[2]), t.CPU, lambda n: print(n.step, flush=True))\n"
    )
    words = [sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "50"
        while not (tmp_path / "checkpoint.safetensors").exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "metrics.json").exists()
    news = []
    run_static_world(TINY, PHASES, tmp_path, CPU, news.append)
    assert news[0].step > 50, "it did not start again"
    assert (tmp_path / "scene.ply").read_bytes() == (out / "scene.ply").read_bytes()
    assert not (tmp_path / "checkpoint.safetensors").exists()


def test_another_seed_does_not_take_the_checkpoint(
    observed: tuple[Targets, Targets, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(static_world, "SAVE_EVERY", 0.0)
    train, path = observed[0], tmp_path / "checkpoint.safetensors"
    few, brief = replace(TINY, seeds=300), (replace(PHASES[0], steps=5),)
    static_world.fit_static(few, train, brief, checkpoint=path)
    assert path.exists()
    steps: list[int] = []
    other = replace(few, seed=4)
    static_world.fit_static(other, train, brief, checkpoint=path, on_progress=lambda n: steps.append(n.step))
    assert steps[0] == 5


def test_an_impossible_wish_names_the_field() -> None:
    with pytest.raises(FieldError, match=r"StaticWorld\.views must be at least 4, got 1"):
        StaticWorld(views=1)
