"""The live viewer: it answers on its port, shows times and modes, records films, and ends."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from fourreal.core.errors import FourRealError
from fourreal.core.geometry import matrix_to_quat
from fourreal.export import Lifted
from fourreal.export.coverage import find_coverage
from fourreal.export.live import LiveViewer
from fourreal.export.splats import gaussians_at
from fourreal.io.video import read_video

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture
def viewer(run: Path, lifted: Lifted, tmp_path: Path) -> Iterator[LiveViewer]:
    opened = LiveViewer(lifted, tmp_path, port=18080, coverage=find_coverage(run, lifted))
    yield opened
    opened.stop()


def centres(viewer: LiveViewer) -> np.ndarray:
    return viewer._splats.centers / viewer._scale


def test_it_answers_on_this_machine_only_and_stops(viewer: LiveViewer) -> None:
    assert viewer.url.startswith("http://127.0.0.1:")
    with urllib.request.urlopen(viewer.url, timeout=30) as answer:
        assert answer.status == 200
        assert b"<html" in answer.read(4000).lower()
    viewer.stop()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(viewer.url, timeout=5)


def test_time_and_modes_change_what_is_sent(viewer: LiveViewer, lifted: Lifted) -> None:
    viewer.show(moment=3.5)
    assert np.allclose(centres(viewer), gaussians_at(lifted, 3.5).means.numpy(), atol=1e-5)
    viewer.show(mode="frozen moment")
    assert np.allclose(centres(viewer), lifted.scene.gaussians.means.numpy(), atol=1e-5)
    plain = viewer._splats.rgbs.copy()
    viewer.show(mode="coverage")
    assert np.abs(plain - viewer._splats.rgbs).max() > 0.2


def test_playing_goes_there_and_back(viewer: LiveViewer, lifted: Lifted) -> None:
    seen = []
    for _ in range(12):
        viewer.advance(1 / lifted.scene.fps)
        seen.append(viewer._time.value)
    assert seen == pytest.approx([1, 2, 3, 4, 3, 2, 1, 0, 1, 2, 3, 4])


def test_a_path_of_views_becomes_a_film(viewer: LiveViewer, lifted: Lifted, tmp_path: Path) -> None:
    with pytest.raises(FourRealError, match="at least two views, got 0"):
        viewer.record()
    for camera in (lifted.walk[0], lifted.walk[6]):
        c2w = camera.c2w[0]
        fov = 2 * float(torch.atan(camera.height / 2 / camera.Ks[0, 1, 1]))
        viewer.add_view(matrix_to_quat(c2w[:3, :3]), c2w[:3, 3] * viewer._scale, fov)
    assert torch.allclose(viewer.views[1].viewmats, lifted.walk[6].viewmats, atol=1e-5)
    path = viewer.record(0.5)
    assert path == tmp_path / "films" / "path-1.mp4"
    clip = read_video(path)
    assert len(clip) == 12
    assert (clip.frames[0] - clip.frames[-1]).abs().max() > 0.1, "the camera moved"
    assert viewer.record(0.5).name == "path-2.mp4"
