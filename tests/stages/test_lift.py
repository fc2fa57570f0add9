"""From two clips to a scene in motion, on a small world."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fourreal.commands.evaluate import evaluate, render
from fourreal.core.errors import FourRealError
from fourreal.core.scene import Scene
from fourreal.core.video import Video
from fourreal.fit.checkpoint import load_checkpoint, save_checkpoint
from fourreal.fit.clips import Clips
from fourreal.fit.coverage import Coverage
from fourreal.fit.formed import CameraIncrements
from fourreal.fit.state import FitState
from fourreal.io.cameras_json import CameraGroup, CameraSet, write_cameras_json
from fourreal.io.images import read_image
from fourreal.io.video import write_video
from fourreal.metrics import psnr
from fourreal.recipes import Ablations, canonical_default, temporal_default
from fourreal.stages.lift import SCENE, LiftConfig, fit_clips, load_lift, read_clips, save_lift
from fourreal.stages.lift_views import render_scene, write_coverage
from fourreal.worlds import core_cameras, orbit_cameras, reference_cameras, sample_worlds
from fourreal.worlds import render as render_world

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A freeze-time clip, a reference clip and their cameras."""
    out = tmp_path_factory.mktemp("clips")
    worlds = sample_worlds([3])
    shots = {
        "freeze": orbit_cameras(worlds, 6, 64, 36, degrees=50.0),
        "ref": reference_cameras(worlds, 4, 64, 36),
    }
    groups = {}
    for name, shot in shots.items():
        write_video(out / f"{name}.mp4", Video(render_world(worlds, shot, geometry=False).rgb[0]), chroma="444", crf=4)
        groups[name] = CameraGroup(core_cameras(shot, 0, 4))
    write_cameras_json(out / "cameras.json", CameraSet(groups, n_times=4))
    return out


@pytest.fixture(scope="module")
def config(folder: Path) -> LiftConfig:
    return LiftConfig(folder / "freeze.mp4", folder / "ref.mp4", folder / "cameras.json", seeds=800, nodes=24)


@pytest.fixture(scope="module")
def run(config: LiftConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    clips, notes = read_clips(config)
    state = fit_clips(clips, config, canonical_default(0.05), temporal_default(0.05))
    save_lift(out, state, clips, 8.0, notes)
    write_coverage(out, CPU)
    return out


def test_the_fitted_frames_come_back(run: Path, config: LiftConfig) -> None:
    clips, _ = read_clips(config)
    scene, motion = load_lift(run, CPU)
    assert clips.reference is not None
    for name, targets in (("freeze", clips.freeze), ("ref", clips.reference)):
        assert psnr(render_scene(scene, motion, scene.cameras[name], CPU), targets.images).mean() > 17


def test_it_is_known_what_the_clips_show(run: Path) -> None:
    scene, found = Scene.load(run / SCENE), Coverage.load(run / "coverage.safetensors")
    assert found.share.shape == (len(scene.gaussians),)
    assert found.frames == 10
    assert float(found.freeze_weight.sum()) > 0.5 * 6 * 64 * 36
    assert 0 <= found.degrees <= 90


def test_the_scene_moves_except_at_its_instant(run: Path) -> None:
    scene, motion = load_lift(run, CPU)
    assert motion is not None
    at = motion.offsets(scene.gaussians.means, torch.tensor([0.0, 3.0]))
    assert not at.means[0].any()
    assert not at.quats[0].any()
    assert at.means[1].any()
    frames = render_scene(scene, motion, scene.cameras["ref"], CPU)
    assert (frames[0] - frames[3]).abs().max() > 0.01


def test_given_cameras_are_rendered_and_judged(run: Path, folder: Path, tmp_path: Path) -> None:
    assert render(run, folder / "cameras.json", "ref", tmp_path / "ref", "cpu") == 0
    assert read_image(tmp_path / "ref" / "003.png").shape == (3, 36, 64)
    assert evaluate(run, folder / "cameras.json", "ref,freeze", folder, tmp_path / "e.json", "cpu") == 0
    assert '"psnr"' in (tmp_path / "e.json").read_text()


def test_an_unknown_group_is_named(run: Path, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FourRealError, match=r"no group .heldout.; it has freeze, ref"):
        render(run, folder / "cameras.json", "heldout", tmp_path, "cpu")
    with pytest.raises(FourRealError, match=r"neither ref.mp4"):
        evaluate(run, folder / "cameras.json", "ref", tmp_path, None, "cpu")


def test_without_a_reference_the_scene_is_static(config: LiftConfig, tmp_path: Path) -> None:
    alone = LiftConfig(config.freeze, cameras=config.cameras, seeds=300, nodes=8)
    clips, notes = read_clips(alone)
    save_lift(tmp_path, fit_clips(clips, alone, canonical_default(0.004), temporal_default(0.004)), clips, 8, notes)
    assert load_lift(tmp_path, CPU)[1] is None


def test_a_checkpoint_holds_the_fields(config: LiftConfig, tmp_path: Path) -> None:
    clips, _ = read_clips(config)
    phases = canonical_default(0.01), temporal_default(0.01)
    state = fit_clips(clips, config, *phases)
    save_checkpoint(tmp_path / "c", state, "run")
    modules = dict(fit_clips(clips, replace(config, seed=1), *phases).modules)
    again = load_checkpoint(tmp_path / "c", "run", CPU, modules)
    assert isinstance(again, FitState)
    assert again.tensors().keys() == state.tensors().keys()
    assert all(torch.equal(v, again.tensors()[k]) for k, v in state.tensors().items())
    assert any(k.startswith("adam/motion/") for k in state.tensors())


STOPPED = canonical_default(0.02), temporal_default(0.02)


@pytest.fixture(scope="module")
def whole(config: LiftConfig) -> FitState:
    """A short lift without interruption."""
    return fit_clips(read_clips(config)[0], config, *STOPPED)


@pytest.mark.parametrize("stop_at", [2, 5])  # in the canonical, in the temporal stage
def test_a_stopped_lift_ends_like_an_uninterrupted_one(
    config: LiftConfig, whole: FitState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_at: int
) -> None:
    class Stopped(Exception):
        pass

    clips, _ = read_clips(config)
    seen = []

    def stop(news: object) -> None:
        seen.append(news)
        if len(seen) == stop_at:
            raise Stopped

    monkeypatch.setattr("fourreal.stages.fitting.SAVE_EVERY", 0.0)
    with pytest.raises(Stopped):
        fit_clips(clips, config, *STOPPED, checkpoint=tmp_path / "c", on_progress=stop)
    assert (tmp_path / "c").exists()
    more = []
    resumed = fit_clips(clips, config, *STOPPED, checkpoint=tmp_path / "c", on_progress=more.append)
    assert len(seen) - 1 + len(more) == sum(map(len, STOPPED)), "what was saved is not done again"
    assert all(torch.equal(v, resumed.tensors()[k]) for k, v in whole.tensors().items())


def test_cameras_stay_at_the_canonical_frame() -> None:
    increments = CameraIncrements(3, 1, 2.0, CPU)
    torch.nn.init.normal_(increments.twists)
    eye = torch.eye(4).repeat(3, 1, 1)
    moved = increments.apply_to(eye, torch.arange(3))
    torch.testing.assert_close(moved[1], torch.eye(4))
    assert (moved[0] - torch.eye(4)).abs().max() > 0.1


def test_clips_of_two_sizes_are_refused(config: LiftConfig) -> None:
    clips, _ = read_clips(config)
    assert clips.reference is not None
    with pytest.raises(FourRealError, match="one size"):
        Clips(clips.freeze, clips.reference.shrunk(2))


def test_parts_of_the_method_can_be_left_out() -> None:
    bare = Ablations(False, False, False, False, False, False)
    canonical, temporal = canonical_default(1.0, bare), temporal_default(1.0, bare)
    assert "warp" not in canonical[-1].rates
    assert "poses" not in canonical[-1].rates
    assert not {"rigid", "rotation", "arap"} & set(temporal[0].losses)
    assert temporal[-1].views == 0
    assert temporal[-1].growth is None
    assert canonical_default(1.0, Ablations(small_motion=False))[-1].losses.get("small") is None
