"""Clips of one's own are taken into a run, and cameras that are known are used."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fourreal.core.errors import FourRealError
from fourreal.core.storage import read_json, write_json
from fourreal.core.video import Video
from fourreal.io.cameras_json import CameraGroup, CameraSet, read_cameras_json, write_cameras_json
from fourreal.io.images import write_images
from fourreal.io.video import read_video, write_video
from fourreal.stages import poses
from fourreal.stages.clips import ClipsConfig, check_clips, take_clips
from fourreal.stages.news import Desk, News, nobody
from fourreal.stages.poses import PosesConfig, find_poses, read_run_clips
from fourreal.stages.videos import FREEZE, REFERENCE
from fourreal.worlds import core_cameras, orbit_cameras, reference_cameras, render, sample_worlds


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world as two clips (the frozen one also as pictures) and their cameras."""
    out, worlds = tmp_path_factory.mktemp("filmed"), sample_worlds([3])
    shots = {"freeze": orbit_cameras(worlds, 6, 64, 36, degrees=50.0), "ref": reference_cameras(worlds, 4, 64, 36)}
    groups = {}
    for name, shot in shots.items():
        frames = render(worlds, shot, geometry=False).rgb[0]
        write_video(out / f"{name}.mp4", Video(frames), chroma="444", crf=4)
        write_images(out / name, frames)
        groups[name] = CameraGroup(core_cameras(shot, 0, 4))
    write_cameras_json(out / "cameras.json", CameraSet(groups, n_times=4))
    return out


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk that publishes as it writes."""
    (tmp_path / "scratch").mkdir()
    return Desk(tmp_path / "run", tmp_path / "run", tmp_path / "scratch")


def test_clips_are_taken_as_they_are(filmed: Path, desk: Desk) -> None:
    take_clips(ClipsConfig(filmed / "freeze.mp4", filmed / "ref.mp4", filmed / "cameras.json"), desk, nobody)
    assert (desk.run / FREEZE).read_bytes() == (filmed / "freeze.mp4").read_bytes()
    assert (desk.run / REFERENCE).read_bytes() == (filmed / "ref.mp4").read_bytes()
    assert (desk.run / poses.GIVEN).read_bytes() == (filmed / "cameras.json").read_bytes()


def test_pictures_become_a_clip_nearly_without_loss(filmed: Path, desk: Desk) -> None:
    take_clips(ClipsConfig(filmed / "freeze"), desk, nobody)
    taken, own = read_video(desk.run / FREEZE).frames, read_video(filmed / "freeze").frames
    assert float((taken - own).square().mean()) < 1e-4
    assert not (desk.run / REFERENCE).exists()


def test_what_is_not_there_is_named(filmed: Path, desk: Desk) -> None:
    with pytest.raises(FourRealError, match=r"walk\.mp4 does not exist"):
        check_clips(ClipsConfig(filmed / "freeze.mp4", Path("walk.mp4")))
    with pytest.raises(FourRealError, match="not valid JSON"):
        check_clips(ClipsConfig(filmed / "freeze.mp4", cameras=filmed / "freeze.mp4"))
    with pytest.raises(FourRealError, match=r"freeze\.mp4 does not exist; a lift needs a freeze-time clip"):
        find_poses(PosesConfig(), desk, nobody)


def test_given_cameras_are_used_for_both_clips(filmed: Path, desk: Desk) -> None:
    take_clips(ClipsConfig(filmed / "freeze.mp4", filmed / "ref.mp4", filmed / "cameras.json"), desk, nobody)
    said: list[News] = []
    find_poses(PosesConfig(width=32), desk, said.append)
    given = read_cameras_json(filmed / "cameras.json").groups
    clips, fps = read_run_clips(desk.run)
    torch.testing.assert_close(clips.freeze.cameras.viewmats, given["freeze"].cameras.viewmats)
    assert (clips.freeze.cameras.width, clips.freeze.images.shape[-1]) == (32, 32)
    assert clips.reference is not None
    assert clips.reference.cameras.moments.tolist() == [0, 1, 2, 3]
    assert (clips.canonical, clips.instant, fps) == (0, 0, 8.0)
    assert any(news.text for news in said)
    assert (desk.run / poses.PAIR).exists()


def drawn(run: Path, **changes: object) -> None:
    """Notes as if the clips in `run` had been drawn along their orbit."""
    from fourreal.core.digest import digest

    path = [[0.01 + i * 50 / 5 * 3.14159 / 180, 0.0, 0.0] for i in range(6)]
    notes = {
        "camera_path": path, "camera_told": True, "canonical": 0, "frozen_frame": 0,
        "files": {name: digest(run / name) for name in (FREEZE, REFERENCE)},
    }  # fmt: skip
    write_json(run / "videos" / "videos.json", notes | changes)


def test_the_path_of_drawn_clips_is_the_prior(filmed: Path, desk: Desk) -> None:
    take_clips(ClipsConfig(filmed / "freeze.mp4", filmed / "ref.mp4"), desk, nobody)
    drawn(desk.run)
    find_poses(PosesConfig(), desk, nobody)
    report = read_json(desk.run / poses.REPORT)
    assert report["prior"] == "the path that the clip was drawn along"
    assert report["freeze"]["method"].startswith("orbit")
    assert report["freeze"]["arc_degrees"] == pytest.approx(50, abs=8)
    assert report["reference"]["method"] == "reference camera at rest"


@pytest.mark.parametrize("why", ["replaced", "untold"])
def test_the_path_does_not_count_for_other_clips(filmed: Path, desk: Desk, why: str) -> None:
    take_clips(ClipsConfig(filmed / "freeze.mp4", filmed / "ref.mp4"), desk, nobody)
    drawn(
        desk.run,
        **({"files": {FREEZE: "another", REFERENCE: "another"}} if why == "replaced" else {"camera_told": False}),
    )
    find_poses(PosesConfig(method="orbit"), desk, nobody)
    assert read_json(desk.run / poses.REPORT)["prior"] is None
