"""`4real`: one subcommand a verb. Heavy libraries load inside the commands, so that `--help` answers at once."""

from __future__ import annotations

import os
import sys

import tyro

from fourreal import __version__
from fourreal.commands.ablate import ablate
from fourreal.commands.demo import demo
from fourreal.commands.doctor import doctor
from fourreal.commands.evaluate import evaluate, render
from fourreal.commands.export import export
from fourreal.commands.generate import generate, resume
from fourreal.commands.lift import lift
from fourreal.commands.train_video_model import train_video_model
from fourreal.commands.video import video
from fourreal.commands.view import view
from fourreal.commands.worlds import worlds

COMMANDS = {
    "generate": generate,
    "resume": resume,
    "demo": demo,
    "video": video,
    "lift": lift,
    "view": view,
    "export": export,
    "render": render,
    "evaluate": evaluate,
    "ablate": ablate,
    "worlds": worlds,
    "train-video-model": train_video_model,
    "doctor": doctor,
}


def main() -> None:
    """Entry point of the console script: runs a command, prints user errors as one message, sets the exit status."""
    if sys.argv[1:] == ["--version"]:
        print(__version__)  # noqa: T201
        return
    try:
        status = tyro.extras.subcommand_cli_from_dict(
            COMMANDS,
            prog="4real",
            description="From a sentence, or two clips, to a 4D scene you can fly around.",
        )
    except BrokenPipeError:  # whoever reads what we print has seen enough: `4real --help | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more is written as Python ends
        sys.exit(141)
    except KeyboardInterrupt as stop:
        how = str(stop) or "run the same command again to go on from the last checkpoint"
        print(f"\nstopped; {how}", file=sys.stderr)  # noqa: T201
        sys.exit(130)
    except Exception as error:
        if not _is_for_users(error):
            raise
        print(f"4real: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    sys.exit(status or 0)


def _is_for_users(error: Exception) -> bool:
    """Our own errors, and those of the file system, say all a user needs; anything else is a bug with its traceback."""
    from fourreal.core.errors import FourRealError

    return isinstance(error, (FourRealError, FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError))
