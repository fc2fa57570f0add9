"""Rendering and judging a lifted scene from given cameras, on a scene of one ball of which all is known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fourreal.commands.evaluate import evaluate, render
from fourreal.core.cameras import Cameras
from fourreal.core.errors import FileFormatError, FourRealError
from fourreal.core.gaussians import Gaussians
from fourreal.core.geometry import Similarity, look_at, quat_exp, quat_multiply, quat_to_matrix
from fourreal.core.scene import Scene
from fourreal.core.video import Video
from fourreal.deform import NodeConfig, save_field
from fourreal.io.cameras_json import CameraGroup, CameraSet, write_cameras_json
from fourreal.io.images import read_image, write_images
from fourreal.io.video import read_video, write_video
from fourreal.stages.lift import MOTION, SCENE

SHIFT = 0.6  # the ball's way along x from time 0 to time 3
WIDTH, HEIGHT = 64, 48


def arc(count: int, times: torch.Tensor, width: int = WIDTH, height: int = HEIGHT) -> Cameras:
    """Cameras on 60 degrees about the origin."""
    angle = torch.linspace(-0.5, 0.5, count)
    eyes = torch.stack([4 * angle.sin(), torch.full_like(angle, 0.5), 4 * angle.cos()], 1)
    views = look_at(eyes, torch.zeros(count, 3), torch.tensor([0.0, 1.0, 0.0]))
    K = torch.tensor([[1.1 * width, 0, width / 2], [0, 1.1 * width, height / 2], [0, 0, 1.0]])
    return Cameras(views, K.repeat(count, 1, 1), width, height, times)


def ball() -> Gaussians:
    """One ball at the origin, and a faint one beside it that gives the field two nodes."""
    means = torch.tensor([[0.0, 0, 0], [1.0, 0.3, 0]])
    quats = torch.tensor([[1.0, 0, 0, 0]]).repeat(2, 1)
    log_scales = torch.tensor([[0.12], [0.05]]).log().repeat(1, 3)
    return Gaussians(means, quats, log_scales, torch.tensor([6.0, -1.0]), torch.tensor([[1.0, 0.8, 0.6], [0, 0.2, 0]]))


def save_run(folder: Path, gaussians: Gaussians, freeze: Cameras) -> Path:
    """A run whose ball moves along x."""
    Scene(gaussians, {"freeze": freeze}, n_times=4).save(folder / SCENE)
    field = NodeConfig(nodes=1, neighbours=1).build(gaussians.means, 4, 0)
    with torch.no_grad():
        field.motions[:, :, 0] = torch.linspace(0, SHIFT, 4)[:, None] / field.unit
    save_field(folder / MOTION, field)
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    return save_run(folder, ball(), arc(5, torch.zeros(5)))


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """The true cameras: those of the clip, and two groups of others, of another size than the fit's."""
    zoomed = arc(3, torch.tensor([0.0, 1.5, 3.0]))
    K = zoomed.Ks.clone()
    K[1] = torch.tensor([[90.0, 0, 30], [0, 80.0, 27], [0, 0, 1]])
    groups = {
        "freeze": CameraGroup(arc(5, torch.zeros(5))),
        "other": CameraGroup(replace(zoomed, Ks=K)),
        "late": CameraGroup(arc(1, torch.tensor([5.0]))),
    }
    path = tmp_path / "cameras.json"
    write_cameras_json(path, CameraSet(groups, n_times=6))
    return path


def brightest(path: Path) -> torch.Tensor:
    """Where the ball is: the centre of brightness, in pixels."""
    gray = read_image(path).mean(0)
    gray = torch.where(gray > 0.3, gray, 0)
    y, x = torch.meshgrid(torch.arange(gray.shape[0]) + 0.5, torch.arange(gray.shape[1]) + 0.5, indexing="ij")
    return torch.stack([(gray * x).sum(), (gray * y).sum()]) / gray.sum()


def test_a_ball_is_drawn_where_it_is_at_half_a_time_through_each_lens(run: Path, given: Path, tmp_path: Path) -> None:
    assert render(run, given, "other", tmp_path / "out", device="cpu") == 0
    cameras = arc(3, torch.zeros(3))
    Ks = cameras.Ks.clone()
    Ks[1] = torch.tensor([[90.0, 0, 30], [0, 80.0, 27], [0, 0, 1]])
    for i, time in enumerate((0.0, 1.5, 3.0)):
        point = torch.tensor([SHIFT * time / 3, 0, 0, 1])
        flat = Ks[i] @ (cameras.viewmats[i] @ point)[:3]
        torch.testing.assert_close(brightest(tmp_path / "out" / f"{i:03d}.png"), flat[:2] / flat[2], atol=0.15, rtol=0)


def test_a_scene_in_its_own_frame_is_judged_as_well_as_in_the_given_one(
    run: Path, given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    render(run, given, "other", tmp_path / "other", device="cpu")
    move = Similarity(torch.tensor(0.4), quat_to_matrix(quat_exp(torch.tensor([0.3, -1.1, 0.4]))), torch.ones(3))
    own, turn = ball(), quat_exp(torch.tensor([0.3, -1.1, 0.4]))
    moved = replace(
        own,
        means=move.apply(own.means),
        quats=quat_multiply(turn, own.quats),
        log_scales=own.log_scales + move.scale.log(),
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    Scene(moved, {"freeze": move.apply_cameras(arc(5, torch.zeros(5)))}, n_times=4).save(elsewhere / SCENE)
    field = NodeConfig(nodes=1, neighbours=1).build(moved.means, 4, 0)
    way = move.rotation[:, 0] * 0.4 * SHIFT
    with torch.no_grad():
        field.motions[:, :, :3] = torch.linspace(0, 1, 4)[:, None, None] * way / field.unit
    save_field(elsewhere / MOTION, field)

    evaluate(elsewhere, given, "other", tmp_path, device="cpu")
    lost = json.loads((elsewhere / "evaluation.json").read_text())
    assert "add --align" in capsys.readouterr().out
    evaluate(elsewhere, given, "other", tmp_path, align=True, device="cpu")
    found = json.loads((elsewhere / "evaluation.json").read_text())
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["alignment"]["degrees_max"] < 0.05
    assert found["alignment"]["percent_max"] < 0.05
    assert found["alignment"]["scale"] == pytest.approx(0.4, rel=1e-3)
    assert found["groups"]["other"]["psnr"] > 40 > lost["groups"]["other"]["psnr"] + 10
    assert printed["other"]["psnr"] == pytest.approx(found["groups"]["other"]["psnr"], abs=1e-3)


def test_wrong_estimated_cameras_show_in_the_residual(run: Path, given: Path, tmp_path: Path) -> None:
    render(run, given, "other", tmp_path / "other", device="cpu")
    scene = Scene.load(run / SCENE)
    bent = scene.cameras["freeze"].viewmats.clone()
    turn = torch.eye(4)
    turn[:3, :3] = quat_to_matrix(quat_exp(torch.tensor([0, torch.deg2rad(torch.tensor(4.0)), 0])))
    bent[2] = turn @ bent[2]
    replace(scene, cameras={"freeze": replace(scene.cameras["freeze"], viewmats=bent)}).save(run / SCENE)
    evaluate(run, given, "other", tmp_path, align=True, device="cpu")
    found = json.loads((run / "evaluation.json").read_text())["alignment"]
    assert 2.5 < found["degrees_max"] < 4.5
    assert found["degrees_median"] < 1.5


def test_truth_may_be_a_clip_of_more_frames_or_of_another_size(run: Path, given: Path, tmp_path: Path) -> None:
    render(run, given, "other", tmp_path / "other", device="cpu")
    frames = read_video(tmp_path / "other").frames
    long = torch.cat([frames, frames.flip(0)])
    write_video(tmp_path / "truth" / "long.mp4", Video(long), chroma="444", crf=1)
    views = replace(arc(2, torch.tensor([3.0, 0.0])), viewmats=arc(3, torch.zeros(3)).viewmats[[2, 0]])
    path = tmp_path / "by_frame.json"
    picked = CameraGroup(views, ("long.mp4", "long.mp4"), (2, 0))
    write_cameras_json(path, CameraSet({"picked": picked}, n_times=4))
    evaluate(run, path, "picked", tmp_path / "truth", tmp_path / "e.json", device="cpu")
    assert json.loads((tmp_path / "e.json").read_text())["groups"]["picked"]["psnr"] > 35
    small = torch.nn.functional.interpolate(frames, scale_factor=0.5, mode="area")
    write_images(tmp_path / "truth" / "other", small)
    evaluate(run, given, "other", tmp_path / "truth", tmp_path / "e.json", device="cpu")
    assert json.loads((tmp_path / "e.json").read_text())["groups"]["other"]["psnr"] > 30


def test_what_does_not_fit_is_said_in_a_sentence(run: Path, given: Path, tmp_path: Path) -> None:
    write_images(tmp_path / "other", torch.zeros(2, 3, HEIGHT, WIDTH))
    with pytest.raises(FourRealError, match=r"3 cameras, but .* has 2 pictures"):
        evaluate(run, given, "other", tmp_path, device="cpu")
    write_images(tmp_path / "freeze", torch.zeros(5, 3, 32, 64))
    with pytest.raises(FourRealError, match="another shape"):
        evaluate(run, given, "freeze", tmp_path, device="cpu")
    with pytest.raises(FourRealError, match="asks for time 5; the scene ends at 3"):
        render(run, given, "late", tmp_path, device="cpu")
    with pytest.raises(FourRealError, match=r"neither late\.mp4"):
        evaluate(run, given, "late", tmp_path, device="cpu")
    with pytest.raises(FourRealError, match="names no group"):
        evaluate(run, given, " , ", tmp_path, device="cpu")
    short = tmp_path / "short.json"
    write_cameras_json(short, CameraSet({"freeze": CameraGroup(arc(4, torch.zeros(4)))}))
    with pytest.raises(FourRealError, match="each of the 5 frames"):
        render(run, short, "freeze", tmp_path, align=True, device="cpu")
    with pytest.raises(FileFormatError, match="weights of LPIPS"):
        evaluate(run, given, "freeze", tmp_path, lpips=tmp_path / "none", device="cpu")
