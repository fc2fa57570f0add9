"""The second stage: where the cameras of both clips are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from fourreal.core.digest import digest
from fourreal.core.errors import FourRealError
from fourreal.core.storage import read_json, write_json
from fourreal.core.video import Video
from fourreal.fit.clips import Clips
from fourreal.fit.static import Targets
from fourreal.io.cameras_json import CameraGroup, CameraSet, read_cameras_json, write_cameras_json
from fourreal.io.images import write_image
from fourreal.io.video import read_video
from fourreal.pose import METHODS, Method, Prepared, Wanted, locate, prepare_clips
from fourreal.pose.base import FOCAL_PRIOR
from fourreal.pose.clips import Moment, pair_picture
from fourreal.pose.floor import floor_elevation

from .news import Desk, News, Tell
from .small import CPU, turned_by
from .turning import settled_share
from .videos import FREEZE, NOTES, REFERENCE

CAMERAS, REPORT, PAIR = "poses/cameras.json", "poses/report.json", "poses/pair.png"
GIVEN = "videos/cameras.json"  # cameras that came with the clips


@dataclass(frozen=True)
class PosesConfig:
    """How cameras are found.

    Attributes:
        method: "auto" takes given cameras, else the drawn path refined by the pictures, else structure from motion
            before an orbit. A name takes only that one.
        width: pictures are fitted with at most the pixels of a 16:9 clip of this width.
        freeze_frame, reference_frame: the frames that show one moment from one view; found if None.
        moves: whether the reference camera moves; found if None.
        turn: share of the drawn path's turning that the clip really makes; "auto" finds it from the pictures.
    """

    method: Literal["auto", "known", "colmap", "orbit"] = "auto"
    width: int = 512
    freeze_frame: int | None = None
    reference_frame: int | None = None
    moves: bool | None = None
    turn: float | Literal["auto"] = "auto"


def find_poses(config: PosesConfig, desk: Desk, tell: Tell, device: torch.device = CPU) -> None:
    """Read the clips of the run, and write their cameras and how they came about.

    Raises:
        FourRealError: if a clip is missing or cannot be read, or cameras cannot be found.
    """
    clips = _clips(desk.run, config.width)
    tell(News(doing="looking for cameras", share=0.1))
    wanted, note = _wanted(config, desk.run, clips, device)
    found = locate(clips.freeze, clips.reference, wanted)
    sentences = [*clips.notes, *([note] if note else []), *found.notes]
    for sentence in sentences:
        tell(News(sentence))
    groups = {"freeze": CameraGroup(found.freeze.cameras)}
    frames, fps = 1, 8.0
    if clips.reference is not None and found.reference is not None:
        groups["ref"] = CameraGroup(found.reference.cameras)
        frames, fps = len(clips.reference), clips.reference.fps
        moment = Moment(found.instant, found.canonical, found.similarity, ())
        picture = pair_picture(clips.freeze, clips.reference, moment)
        write_image(desk.out / PAIR, picture)
        tell(News(doing="cameras found", share=0.9, picture=picture))
    write_cameras_json(desk.out / CAMERAS, CameraSet(groups, fps, frames, float(found.instant)))
    report: dict[str, Any] = found.report()
    prior = None if wanted.path is None else "the path that the clip was drawn along"
    write_json(desk.out / REPORT, {**report, "notes": sentences, "prior": prior, "width": config.width})


def read_run_clips(run: Path) -> tuple[Clips, float]:
    """The clips of a run with the cameras that were found, and the frames a second of the reference.

    Raises:
        FourRealError: if a file is missing or does not fit the others.
    """
    report, given = read_json(run / REPORT), read_cameras_json(run / CAMERAS)
    clips = _clips(run, int(report["width"]))
    freeze = Targets(clips.freeze.frames, given.groups["freeze"].cameras)
    seen = None
    if clips.reference is not None and "ref" in given.groups:
        seen = Targets(clips.reference.frames, given.groups["ref"].cameras)
    canonical, instant = int(report["freeze_frame"]), int(report["reference_frame"])
    return Clips(freeze, seen, canonical, instant, given=bool(report["freeze"].get("given"))), given.fps


def _clips(run: Path, width: int) -> Prepared:
    if not (run / FREEZE).is_file():
        raise FourRealError(f"{run / FREEZE} does not exist; a lift needs a freeze-time clip: see `4real video --help`")
    reference = read_video(run / REFERENCE) if (run / REFERENCE).is_file() else None
    return prepare_clips(read_video(run / FREEZE), reference, width=width, trim=not (run / GIVEN).is_file())


def _wanted(config: PosesConfig, run: Path, clips: Prepared, device: torch.device) -> tuple[Wanted, str]:
    """What is known: cameras that were given, or the path along which an untouched clip was drawn; and a sentence."""
    given = read_cameras_json(run / GIVEN) if (run / GIVEN).is_file() else None
    methods: tuple[Method, ...] = METHODS if config.method == "auto" else (config.method,)
    freeze, reference, told = config.freeze_frame, config.reference_frame, _Told()
    notes = read_json(run / NOTES) if (run / NOTES).is_file() else {}
    drawn = _untouched(run, notes)
    moves = config.moves
    if FREEZE in drawn and given is None and len(notes["camera_path"]) == len(clips.freeze):
        told = _told(notes, config, clips.freeze, device)
        if REFERENCE in drawn:
            freeze = notes["canonical"] if freeze is None else freeze
            reference = notes["frozen_frame"] if reference is None else reference
        if told.path is not None and config.method == "auto":
            methods = ("orbit",)
    if REFERENCE in drawn and moves is None:
        moves = False  # the recipe of the dynamic context is a camera at rest
    return Wanted(
        given, freeze, reference, told.path, told.focal, moves, methods, told.turned, told.elevation
    ), told.note


def _untouched(run: Path, notes: dict[str, Any]) -> set[str]:
    """The clips that are as they were drawn."""
    return {name for name, known in notes.get("files", {}).items() if digest(run / name) == known}


class _Told(NamedTuple):
    """What the drawing of a clip says.

    path: [N, 3]. turned: its turning is certain. focal: in pixels. elevation: in degrees where the path is 0. note: a
    sentence for the user.
    """

    path: Tensor | None = None
    turned: bool = False
    focal: float | None = None
    elevation: float | None = None
    note: str = ""


def _told(notes: dict[str, Any], config: PosesConfig, clip: Video, device: torch.device) -> _Told:
    """The path that the model was told, if it was told one, turning as far as the clip does.

    The lens stays as it is guessed: points that slide along outlines make it long or short, and then no ground is found
    (of nine drawn clips two, `docs/poses.md`).
    """
    if not notes.get("camera_told"):
        return _Told()
    path = torch.tensor(notes["camera_path"], dtype=torch.float32)
    if config.turn != "auto":
        share, turned = config.turn, True
    elif notes.get("closed"):  # it goes all the way round
        share, turned = 1.0, False
    else:
        share, turned = settled_share(clip, path, device)
    walk, focal = turned_by(path, share), FOCAL_PRIOR * clip.width
    told = _Told(walk, turned, focal, floor_elevation(clip, walk, focal))
    if share == 1:
        return told
    asked = float(torch.rad2deg(path[:, 0].max() - path[:, 0].min()))
    return told._replace(
        note=f"the clip turns by about {share * asked:.0f} of the {asked:.0f} degrees that were asked for"
    )
