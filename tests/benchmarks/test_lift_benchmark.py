"""The benchmarks of the lift and of poses run from end to end on tiny worlds."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

from fourreal.core.geometry import quat_to_matrix
from fourreal.core.video import Video
from fourreal.io.cameras_json import CameraGroup, CameraSet, write_cameras_json
from fourreal.io.video import write_video
from fourreal.pose import align, differences
from fourreal.stages.trial import TUNING, Filming, world_case
from video.tiny import tiny_weights

_FOLDER = Path(__file__).parents[2] / "benchmarks"
_TINY = ["--size", "32", "--frames", "3", "--views", "5", "--degrees", "50", "--effort", "0.003", "--gaussians", "100"]
_TINY += ["--worlds", "tuning", "--seeds", "3"]
CPU = torch.device("cpu")


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    monkeypatch.syspath_prepend(_FOLDER)
    return importlib.import_module


def test_clean_and_spoiled_worlds(
    module: Callable[[str], ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, pictures = tmp_path / "lift.json", tmp_path / "pictures"
    options = [*_TINY, "--strengths", "0.5", "--json", str(out), "--pictures", str(pictures)]
    module("lift").main([*options, "--only", "clean", "spoiled"])
    rows = json.loads(out.read_text())["rows"]
    assert [(r["section"], r["method"]) for r in rows] == [
        ("clean", "ours"),
        ("clean", "no per-frame deformation"),
        ("clean", "plain"),
        ("spoiled 0.5", "ours"),
        ("spoiled 0.5", "no per-frame deformation"),
        ("spoiled 0.5", "no small motion"),
        ("spoiled 0.5", "plain"),
    ]
    assert all(set(r["scores"]) >= {"heldout", "seen", "frozen", "arc", "outside"} for r in rows)
    assert len(list(pictures.glob("*.png"))) == len(rows)
    printed = capsys.readouterr().out
    ours = next(line for line in printed.splitlines() if line.startswith("| ours | 1 |"))
    assert f"{rows[0]['scores']['heldout']['psnr']:.2f}" in ours
    assert {"canonical frame", "canonical arc"} <= set(rows[0]["scores"])
    gain = rows[0]["scores"]["heldout"]["psnr"] - rows[2]["scores"]["heldout"]["psnr"]
    assert f"| plain | {gain:+.2f} (" in printed


def test_machines_share_a_table(
    module: Callable[[str], ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two runs of a method each, put together, print what one run of both would."""
    parts = []
    for method in ("ours", "plain"):
        parts.append(tmp_path / f"{method}.json")
        module("lift").main([*_TINY, "--only", "clean", "--methods", method, "--json", str(parts[-1])])
    capsys.readouterr()
    module("lift").main([*_TINY, "--tables", *map(str, parts)])
    printed = capsys.readouterr().out
    for part in parts:
        (row,) = json.loads(part.read_text())["rows"]
        line = next(line for line in printed.splitlines() if line.startswith(f"| {row['method']} | 1 |"))
        assert f"{row['scores']['heldout']['psnr']:.2f}" in line


def test_teachers_score_lifts_of_spoiled_clips(
    module: Callable[[str], ModuleType],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module("_lift_score"), "STRENGTHS", (0.5,))
    out, pictures = tmp_path / "lift.json", tmp_path / "pictures"
    files = ["--weights", str(tiny_weights()[0]), "--json", str(out), "--pictures", str(pictures)]
    module("lift").main([*_TINY, "--size", "64", *files, "--only", "score"])
    rows = json.loads(out.read_text())["rows"]
    teachers = ["none", "none, as many steps", "oracle", "embedded"]
    assert [(r["section"], r["method"]) for r in rows] == [("score, spoiled 0.5", teacher) for teacher in teachers]
    assert len(list(pictures.glob("*.png"))) == len(rows)
    figures = [r["scores"]["heldout"]["psnr"] for r in rows]
    assert len(set(figures)) == 4, "every teacher leads elsewhere"
    assert f"| oracle | {figures[2] - figures[1]:+.2f} (" in capsys.readouterr().out


def test_noise_on_poses_is_what_it_says(module: Callable[[str], ModuleType]) -> None:
    case = world_case(TUNING + 3, Filming(32, 18, 3, 9, 60.0), CPU)
    cameras = case.clips.freeze.cameras
    moved = module("_lift_poses").noisy(case.clips, 7).freeze.cameras
    degrees, percent = differences(moved, cameras)
    torch.testing.assert_close(degrees[1:], torch.full((8,), 2.0), atol=1e-2, rtol=0)
    torch.testing.assert_close(percent[1:], torch.full((8,), 2.0), atol=5e-2, rtol=0)
    torch.testing.assert_close(moved.viewmats[0], cameras.viewmats[0])
    assert align(moved, cameras).degrees.median() > 1
    turn = moved.viewmats[1, :3, :3] @ cameras.viewmats[1, :3, :3].T
    assert torch.allclose(turn @ turn.T, quat_to_matrix(torch.tensor([1.0, 0, 0, 0])), atol=1e-5)


@pytest.mark.slow
def test_scenes_and_clips_from_folders(module: Callable[[str], ModuleType], tmp_path: Path) -> None:
    case = world_case(TUNING + 3, Filming(64, 36, 3, 5, 50.0), CPU)
    reference = case.clips.reference
    assert reference is not None
    parts = {"freeze": case.clips.freeze, "ref": reference, "heldout0": case.truth["heldout0"]}
    folder = tmp_path / "scenes" / "one"
    for name, targets in parts.items():
        write_video(folder / f"{name}.mp4", Video(targets.images), chroma="444", crf=4)
    groups = {k: CameraGroup(v.cameras) for k, v in parts.items()}
    write_cameras_json(folder / "cameras.json", CameraSet(groups, n_times=3))
    out, where = tmp_path / "out.json", ["--scenes", str(tmp_path / "scenes"), "--clips", str(tmp_path / "scenes")]
    module("lift").main([*_TINY, *where, "--json", str(out), "--only", "scenes", "clips"])
    result = json.loads(out.read_text())
    done = [(r["section"], r["method"]) for r in result["rows"]]
    assert done[:2] == [("scenes", "ours"), ("scenes", "plain")]
    assert set(result["rows"][0]["scores"]) == {"heldout0", "heldout", "seen", "arc"}
    assert ("clips", "ours") in done or result["failed"]


def test_poses_of_worlds_and_files(
    module: Callable[[str], ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "poses.json"
    tiny = ["--size", "128", "--views", "5", "--arcs", "30", "--strengths", "0", "--worlds", "tuning"]
    module("poses").main([*tiny, "--seeds", "1", "--methods", "path", "--json", str(out)])
    (row,) = json.loads(out.read_text())
    assert row["registered"] == row["frames"] == 5
    assert row["degrees_median"] < 3
    assert f"| 30 | 0 | path | 1 of 1 | {row['degrees_median']:.2f} |" in capsys.readouterr().out
