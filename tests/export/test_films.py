"""Films and splats of a scene, and everything that a run ends with."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import torch

from fourreal.core.errors import FourRealError
from fourreal.core.scene import Scene
from fourreal.export import Lifted, film_cameras, read_lifted, write_film, write_outputs, write_ply_sequence
from fourreal.export.outputs import OUTPUTS
from fourreal.export.splats import gaussians_at
from fourreal.io.ply import read_ply
from fourreal.io.video import read_video
from fourreal.raster import Splats, Views, select

from .conftest import CPU, FRAMES, SIZE, cameras, floor_and_balls


def test_the_orbit_stays_where_the_clip_was_and_ends_where_it_began(lifted: Lifted) -> None:
    path = film_cameras(lifted, "orbit")
    angles = lifted.angles(path)[:, 0]
    assert angles.min() == pytest.approx(-30, abs=0.5)
    assert angles.max() == pytest.approx(30, abs=0.5)
    assert abs(angles[0]) < 1, "the first picture is the reference camera's"
    assert abs(angles[0] - angles[-1]) < 1
    assert (angles[1:] - angles[:-1]).abs().max() < 1.0, "no jerks"
    assert path.moments.min() >= 0
    assert path.moments.max() <= FRAMES - 1


def test_a_walk_all_the_way_round_is_gone_round_once(tmp_path: Path) -> None:
    """Such as the scene that `4real demo` leaves, whose groups have other names."""
    groups = {"heldout": cameras(2, 10.0, torch.zeros(2)), "train": cameras(24, 345.0, torch.zeros(24))}
    Scene(floor_and_balls(), groups).save(tmp_path / "scene.safetensors")
    lifted = read_lifted(tmp_path, CPU)
    assert len(lifted.walk) == 24
    path = film_cameras(lifted, "orbit")
    steps = (path.positions - path.positions.roll(1, 0)).norm(dim=1)
    assert steps.max() < 1.1 * steps.min(), "closed, at an even speed"
    assert len(write_outputs(tmp_path, CPU)) == len(OUTPUTS)


def test_one_camera_is_enough(tmp_path: Path) -> None:
    Scene(floor_and_balls(), {"only": cameras(1, 0.0, torch.zeros(1))}).save(tmp_path / "scene.safetensors")
    assert len(write_outputs(tmp_path, CPU)) == len(OUTPUTS)


def test_time_runs_once_before_a_camera_at_rest(lifted: Lifted) -> None:
    path = film_cameras(lifted, "time", fps=16)
    assert torch.equal(path.viewmats, lifted.home.viewmats.expand_as(path.viewmats))
    assert path.moments.tolist() == pytest.approx([i / 2 for i in range(2 * FRAMES - 1)])


def test_the_study_path_stops_at_four_poses_within_the_clip(lifted: Lifted) -> None:
    path = film_cameras(lifted, "study")
    still = (path.positions[1:] - path.positions[:-1]).norm(dim=1) < 1e-6
    stops = int((still[1:] & ~still[:-1]).sum()) + int(still[0])
    assert stops == 4
    assert lifted.angles(path)[:, 0].abs().max() < 31
    moving = path.moments[1:][~still]
    assert set(moving.tolist()) <= {float(lifted.instant), 0.0}, "time is frozen on the way"


def test_a_film_shows_what_the_renderer_sees(lifted: Lifted, tmp_path: Path) -> None:
    news: list[tuple[int, int]] = []
    write_film(tmp_path / "time.mp4", lifted, "time", fps=8, on_frame=lambda *done: news.append(done))
    clip = read_video(tmp_path / "time.mp4")
    assert len(clip) == FRAMES
    assert news[-1] == (FRAMES, FRAMES)
    wanted = lifted.render(film_cameras(lifted, "time", fps=8))
    assert (clip.frames[..., : SIZE[1], : SIZE[0]] - wanted).abs().mean() < 0.02


def test_splats_of_a_moment_look_like_that_moment(lifted: Lifted, tmp_path: Path) -> None:
    paths = write_ply_sequence(tmp_path, lifted, [0, 2.5])
    assert [p.name for p in paths] == ["000.ply", "001.ply"]
    g, camera = read_ply(paths[1]), lifted.home
    views = Views(camera.viewmats, camera.Ks, *SIZE)
    splats = Splats(g.means, g.quats, g.scales, g.opacities, g.colors)
    image = select(CPU)(splats, views, lifted.scene.background).color
    later = lifted.home.__class__(camera.viewmats, camera.Ks, *SIZE, torch.tensor([2.5]))
    assert (image - lifted.render(later)).abs().max() < 2e-3


def test_moments_outside_the_clip_are_refused(lifted: Lifted) -> None:
    with pytest.raises(FourRealError, match="times 0 to 4, got 7"):
        gaussians_at(lifted, 7)


def test_a_run_ends_with_a_page_films_and_a_report(run: Path, tmp_path: Path) -> None:
    news: list[tuple[str, float]] = []
    paths = write_outputs(run, CPU, out=tmp_path, on_news=lambda *n: news.append(n))
    assert [p.name for p in paths] == list(OUTPUTS)
    assert all(p.stat().st_size > 1000 for p in paths)
    shares = [share for _, share in news]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_a_static_scene_gets_the_same_files(still: Path, tmp_path: Path) -> None:
    assert [p.name for p in write_outputs(still, CPU, out=tmp_path)] == list(OUTPUTS)
    assert len(read_video(tmp_path / "time.mp4")) > 10


def test_a_folder_without_a_scene_is_named(tmp_path: Path) -> None:
    with pytest.raises(FourRealError, match=r"no lifted scene \(scene.safetensors is missing\).*4real lift"):
        read_lifted(tmp_path, CPU)


def test_the_examples_of_the_documentation_run(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    page = (Path(__file__).parents[2] / "docs" / "outputs.md").read_text("utf-8")
    names: dict[str, object] = {"RUN": folder}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(block, "docs/outputs.md", "exec"), names)
    for name in ("page.html", "slow.mp4", "splats/000.ply"):
        assert (folder / name).stat().st_size > 1000


def test_angles_are_positive_to_the_right(lifted: Lifted) -> None:
    right = lifted.home.viewmats[0, 0, :3]
    walk = lifted.walk
    angles = lifted.angles(walk)[:, 0]
    sides = (walk.positions - lifted.home.positions) @ right
    assert torch.equal(angles > 1, sides > 0.01)
