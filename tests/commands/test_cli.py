"""The command line answers fast, explains itself, and turns user errors into one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fourreal import cli


def run(*words: str) -> subprocess.CompletedProcess[str]:
    code = "from fourreal.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=120, check=False
    )


def test_help_names_every_command_and_loads_nothing_heavy() -> None:
    heavy = ["torch", "numba", "scipy", "viser", "PIL", "imageio_ffmpeg"]
    code = (
        "import sys\ntry:\n  from fourreal.cli import main; main()\nexcept SystemExit: pass\n"
        f"print('heavy:', [m for m in {heavy} if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    assert all(name in result.stdout for name in cli.COMMANDS)
    assert result.stdout.rstrip().endswith("heavy: []")


def test_a_mistyped_option_is_answered_with_the_nearest() -> None:
    result = run("worlds", "--seeed", "3")
    assert result.returncode == 2
    assert "--seed" in result.stderr + result.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("worlds", "--count", "0"), "--count must be at least 1"),
        (("worlds", "--sheet", "sheet.tiff"), ".png or .jpg"),
        (("demo", "--device", "cuda"), "torch sees no CUDA GPU"),
    ],
)
def test_user_errors_are_one_line_without_a_traceback(words: tuple[str, ...], message: str) -> None:
    result = run(*words)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> int:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(cli, "COMMANDS", {"demo": broken, "doctor": broken})
    monkeypatch.setattr(sys, "argv", ["4real", "demo"])
    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_ctrl_c_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "COMMANDS", {"demo": interrupted, "doctor": interrupted})
    monkeypatch.setattr(sys, "argv", ["4real", "demo"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 130
    assert "run the same command again" in capsys.readouterr().err


def test_who_has_read_enough_gets_no_traceback() -> None:
    """`4real lift --help | head -1`."""
    with subprocess.Popen([sys.executable, "-m", "fourreal", "lift", "--help"], stdout=-1, stderr=-1) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_worlds_draws_a_sheet(tmp_path: Path) -> None:
    from PIL import Image

    result = run(
        "worlds", "--seed", "3", "--count", "1", "--width", "64", "--height", "36", "--sheet", str(tmp_path / "s.png")
    )
    assert result.returncode == 0, result.stderr
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.width > 4 * 64
        assert len(sheet.convert("RGB").getcolors(1 << 20) or []) > 100, "not a blank page"
