"""`4real export` and `4real view` as a user calls them."""

from __future__ import annotations

from pathlib import Path

import pytest

from fourreal.commands.export import export
from fourreal.commands.view import view
from fourreal.core.errors import FourRealError


def test_splats_of_chosen_moments(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export(run, "ply", tmp_path / "splats", times="0, 1.5", device="cpu") == 0
    assert sorted(p.name for p in (tmp_path / "splats").iterdir()) == ["000.ply", "001.ply"]
    assert "001.ply" in capsys.readouterr().out


def test_a_page_and_a_film(run: Path, tmp_path: Path) -> None:
    assert export(run, "html", tmp_path / "here.html", device="cpu") == 0
    assert "three balls" in (tmp_path / "here.html").read_text("utf-8")
    assert export(run, "mp4", tmp_path / "time.gif", path="time", fps=8, device="cpu") == 0
    assert (tmp_path / "time.gif").stat().st_size > 1000


def test_a_report(run: Path, tmp_path: Path) -> None:
    assert export(run, "report", tmp_path / "r.html", device="cpu") == 0
    assert "What to try next" in (tmp_path / "r.html").read_text("utf-8")


def test_everything_at_once(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export(run, "all", tmp_path, device="cpu") == 0
    told = capsys.readouterr().out
    assert all(name in told for name in ("scene.html", "orbit.mp4", "time.mp4", "study.mp4", "report.html"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"times": "a,b"}, "--times takes all, or numbers"),
        ({"times": "99"}, "times 0 to 4, got 99"),
        ({"fps": 0.0}, "--fps must lie in 1..120"),
        ({"to": "mp4", "out": Path("film.xyz")}, "cannot write clips of type"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(run: Path, options: dict, message: str) -> None:
    with pytest.raises(FourRealError, match=message):
        export(run, **options, device="cpu")


def test_an_impossible_port_is_refused(run: Path) -> None:
    with pytest.raises(FourRealError, match="--port must lie in"):
        view(run, port=0, device="cpu")
