"""Instead of drawing: clips of one's own, taken into the run."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from fourreal.core.errors import FourRealError
from fourreal.core.storage import write_json
from fourreal.io.cameras_json import read_cameras_json
from fourreal.io.video import read_video, write_video

from .news import Desk, News, Tell
from .poses import GIVEN
from .videos import FREEZE, NOTES, REFERENCE


@dataclass(frozen=True)
class ClipsConfig:
    """Where the clips are.

    Attributes:
        freeze: the freeze-time clip, a file or a folder of pictures.
        reference: the reference clip; None gives a static scene.
        cameras: known cameras, a cameras.json with groups "freeze" and "ref".
    """

    freeze: Path
    reference: Path | None = None
    cameras: Path | None = None

    @property
    def files(self) -> dict[str, Path]:
        """All that are given, by where they go in the run."""
        named = {FREEZE: self.freeze, REFERENCE: self.reference, GIVEN: self.cameras}
        return {name: path for name, path in named.items() if path is not None}


def check_clips(config: ClipsConfig) -> None:
    """Raise `FourRealError` unless every file is there and can be read."""
    for path in config.files.values():
        if not path.exists():
            raise FourRealError(f"{path} does not exist")
    if config.cameras is not None:
        read_cameras_json(config.cameras)


def take_clips(config: ClipsConfig, desk: Desk, tell: Tell) -> None:
    """Copy the clips and cameras; what is no mp4 becomes one, nearly without loss.

    Raises:
        FourRealError: if a file cannot be read.
    """
    check_clips(config)
    for name, path in config.files.items():
        tell(News(doing=f"reading {path.name}"))
        target = desk.out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name == GIVEN or path.suffix.lower() == ".mp4":
            shutil.copyfile(path, target)
        else:
            write_video(target, read_video(path), chroma="444", crf=4)
    write_json(desk.out / NOTES, {"source": {name: str(path) for name, path in config.files.items()}})
