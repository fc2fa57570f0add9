"""The player in a real browser: draws what the CPU renderer draws, moves with time and camera, asks no network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from fourreal.core.cameras import Cameras
from fourreal.core.paths import orbit
from fourreal.deform import MlpConfig
from fourreal.export import Lifted, read_lifted, write_page, write_report
from fourreal.export.coverage import find_coverage, render_coverage

from .browser import Browser
from .conftest import CPU, SIZE, make_run

pytestmark = pytest.mark.browser
STILL = f"size={SIZE[0]}x{SIZE[1]}&play=0&tour=0&ui=0"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def page(run: Path, lifted: Lifted) -> Path:
    write_page(run / "scene.html", lifted, title="Balls", coverage=find_coverage(run, lifted))
    return run / "scene.html"


def psnr(picture: np.ndarray, image: torch.Tensor) -> float:
    truth = image.permute(1, 2, 0).numpy()
    return float(-10 * np.log10(np.square(picture / 255 - truth).mean()))


def seen_by_cpu(lifted: Lifted, time: float, right: float) -> torch.Tensor:
    camera = orbit(lifted.home, lifted.pivot, 2, degrees=right, up=lifted.up)[1] if right else lifted.home
    return lifted.render(Cameras(camera.viewmats, camera.Ks, *SIZE, torch.tensor([time])))[0]


@pytest.mark.parametrize(("time", "right"), [(0.0, 0.0), (2.6, 0.0), (3.3, 25.0), (4.0, -100.0)])
def test_the_player_draws_what_the_cpu_renderer_draws(
    browser: Browser, page: Path, lifted: Lifted, time: float, right: float
) -> None:
    browser.open(page, f"{STILL}&t={time}&az={right}")
    picture = browser.drawn()
    assert picture.shape == (SIZE[1], SIZE[0], 3)
    assert psnr(picture, seen_by_cpu(lifted, time, right)) > 45


def test_the_picture_changes_with_time_and_with_the_camera(browser: Browser, page: Path, lifted: Lifted) -> None:
    browser.open(page, STILL)
    first = browser.drawn().astype(int)
    background = (lifted.scene.background * 255).numpy()
    assert (np.abs(first - background).max(2) > 30).mean() > 0.2, "the scene is not only background"
    browser.run("player.seek(3)")
    later = browser.drawn().astype(int)
    browser.run("(player.camera.orbit(0.5, 0), player.dirty = true)")
    elsewhere = browser.drawn().astype(int)
    assert (np.abs(later - first).max(2) > 30).mean() > 0.01
    assert (np.abs(elsewhere - later).max(2) > 30).mean() > 0.05
    browser.run("document.getElementById('reset').click()")
    browser.run("(player.seek(0), new Promise(done => setTimeout(done, 1500)))")
    assert np.abs(browser.drawn().astype(int) - first).max() <= 2, "reset goes back"


def test_it_plays_by_itself_without_network_or_complaints(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert browser.run("player.clock.running") is True
    browser.run("new Promise(done => { const t = player.clock.shown; const look = () => "
                "player.clock.shown !== t ? done() : requestAnimationFrame(look); look(); })")  # fmt: skip
    assert browser.complaints == []
    outside = [url for url in browser.requests if not url.startswith(("file://", "blob:", "data:"))]
    assert outside == []
    assert browser.run("document.getElementById('bar').hidden") is False


def test_dragging_and_scrolling_move_the_camera(browser: Browser, page: Path) -> None:
    browser.open(page, "play=0&tour=0&t=0")
    where = "({eye: player.camera.eye, reach: player.camera.reach})"
    before = browser.run(where)
    browser.drag((300, 150), (380, 150))
    dragged = browser.run(where)
    assert dragged["eye"][0] < before["eye"][0], "dragging to the right takes the camera to the left"
    assert abs(dragged["reach"] - before["reach"]) < 1e-6
    browser.scroll((300, 150), -300)
    assert browser.run(where)["reach"] < dragged["reach"]


def test_coverage_is_coloured_as_in_the_report(browser: Browser, page: Path, run: Path, lifted: Lifted) -> None:
    browser.open(page, f"{STILL}&t=1&coverage=1")
    wanted = render_coverage(lifted, lifted.home, find_coverage(run, lifted))[0]
    picture, filled = browser.drawn(), lifted.render(lifted.home)[0]
    inside = ((filled - lifted.scene.background[:, None, None]).abs().amax(0) > 0.1).numpy()
    difference = np.abs(picture / 255 - wanted.permute(1, 2, 0).numpy())[inside]
    assert np.median(difference) < 0.02


def test_a_field_that_is_sampled_looks_the_same_at_whole_times(browser: Browser, tmp_path: Path) -> None:
    lifted = read_lifted(make_run(tmp_path, MlpConfig(layers=2, width=16)), CPU)
    write_page(tmp_path / "scene.html", lifted)
    browser.open(tmp_path / "scene.html", f"{STILL}&t=3")
    assert psnr(browser.drawn(), seen_by_cpu(lifted, 3.0, 0.0)) > 40


def test_a_static_scene_shows_no_play_bar(browser: Browser, still: Path, tmp_path: Path) -> None:
    lifted = read_lifted(still, CPU)
    write_page(tmp_path / "scene.html", lifted)
    browser.open(tmp_path / "scene.html", STILL)
    assert browser.run("document.getElementById('bar').hidden") is True
    assert psnr(browser.drawn(), lifted.render(lifted.home)[0]) > 45


def test_a_damaged_page_says_so(browser: Browser, page: Path, tmp_path: Path) -> None:
    text = page.read_text("utf-8")
    start = text.index('id="scene">') + 100
    (tmp_path / "broken.html").write_text(text[:start] + "AAAA" * 20 + text[start + 80 :], "utf-8")
    browser.open(tmp_path / "broken.html", wait=False)
    browser.run("window.ready.catch(() => true)")
    assert browser.run("document.getElementById('veil').className") == "failed"
    assert len(browser.run("document.getElementById('message').textContent")) > 10


def test_the_report_opens_without_network_or_complaints(browser: Browser, run: Path, lifted: Lifted) -> None:
    write_report(run / "report.html", lifted, run, coverage=find_coverage(run, lifted))
    browser.open(run / "report.html")
    browser.run("Promise.all([...document.querySelectorAll('video')].map(v => v.readyState > 1 || "
                "new Promise((done, bad) => { v.onloadeddata = done; v.onerror = bad; })))")  # fmt: skip
    sizes = browser.run("[...document.querySelectorAll('video')].map(v => v.videoWidth)")
    assert len(sizes) >= 2
    assert min(sizes) > 0, "the clips play"
    assert browser.complaints == []
    assert all(url.startswith(("file://", "data:")) for url in browser.requests)
