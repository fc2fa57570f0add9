"""`cameras.json`: groups of cameras with the file and the moment of each, the form in which cameras are exchanged.

    {"convention": "OpenCV: ...", "width": 512, "height": 288, "K": 3x3, "fps": 8, "n_times": 16, "t_freeze": 0,
     "groups": {"ref": [{"file": "ref/000.png", "time": 0, "w2c": 4x4}, ...], "freeze": [...]}}

An entry may have its own "K", and names its picture by "file", or by "video" and "frame". Other keys are passed over.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.checks import check_int
from fourreal.core.errors import FieldError, FileFormatError
from fourreal.core.storage import read_json, write_json

from .relative import check_relative

CONVENTION = "OpenCV: x right, y down, z forward; X_cam = R X_world + t; w2c row-major 4x4; pixel centres at +0.5"
_CLIPS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".gif")


class CameraGroup(NamedTuple):
    """Cameras and, if known, where the picture of each is."""

    cameras: Cameras
    files: tuple[str, ...] = ()  # one a camera, or none at all: an image or a clip, relative to the file's folder
    frames: tuple[int, ...] = ()  # one a camera, or none at all: the frame of a clip


@dataclass(frozen=True, eq=False)
class CameraSet:
    """What a `cameras.json` holds.

    Attributes:
        groups: non-empty groups by name; all cameras have one image size.
        fps: moments a second, positive.
        n_times: moments of the reference clip; times lie in [0, n_times - 1].
        t_freeze: the moment at which the freeze-time clip stands still.

    Raises:
        FieldError: if a field is out of range.
    """

    groups: Mapping[str, CameraGroup]
    fps: float = 8.0
    n_times: int = 1
    t_freeze: float = 0.0

    def __post_init__(self) -> None:
        check_int("CameraSet.n_times", self.n_times, low=1)
        if not (math.isfinite(self.fps) and self.fps > 0):
            raise FieldError(f"CameraSet.fps must be a positive number, got {self.fps!r}")
        if not self.groups:
            raise FieldError("CameraSet.groups is empty, wanted at least one group of cameras")
        if not 0 <= self.t_freeze <= self.n_times - 1:
            raise FieldError(f"CameraSet.t_freeze must lie in [0, {self.n_times - 1}], got {self.t_freeze!r}")
        sizes = {(g.cameras.width, g.cameras.height) for g in self.groups.values()}
        if len(sizes) > 1:
            raise FieldError(f"CameraSet.groups: all cameras must have one image size, got {sorted(sizes)}")
        for name, group in self.groups.items():
            self._check_group(f"CameraSet.groups[{name!r}]", group)

    def _check_group(self, name: str, group: CameraGroup) -> None:
        count = len(group.cameras)
        if count == 0:
            raise FieldError(f"{name} is empty, wanted at least one camera")
        for part, values in (("files", group.files), ("frames", group.frames)):
            if len(values) not in (0, count):
                raise FieldError(f"{name}.{part} must have one entry for each of {count} cameras, got {len(values)}")
        low, high = (float(v) for v in torch.aminmax(group.cameras.moments))
        if low < 0 or high > self.n_times - 1:
            raise FieldError(f"{name}: times must lie in [0, {self.n_times - 1}], but span [{low:g}, {high:g}]")


def read_cameras_json(path: Path | str) -> CameraSet:
    """Read cameras; "fps" is 8, "t_freeze" 0 and "n_times" just enough for the times, where the file does not say.

    Raises `FileFormatError` naming the entry if the file is missing, malformed, not OpenCV, or a file name in it leads
    out of its folder.
    """
    data = read_json(path)
    _check_convention(data, path)
    width, height = (_whole(data, key, path) for key in ("width", "height"))
    named = data.get("groups")
    if not isinstance(named, dict) or not named:
        raise FileFormatError(f'{path}: "groups" must name at least one list of cameras')
    groups = {name: _read_group(f"{path}: groups[{name!r}]", entries, data.get("K"), (width, height))
              for name, entries in named.items()}  # fmt: skip
    last = max(float(group.cameras.moments.max()) for group in groups.values())
    n_times = _whole(data, "n_times", path) if "n_times" in data else math.ceil(last) + 1
    try:
        return CameraSet(groups, float(data.get("fps", 8.0)), n_times, float(data.get("t_freeze") or 0.0))
    except (FieldError, TypeError, ValueError) as error:
        raise FileFormatError(f"{path}: {error}") from None


def write_cameras_json(path: Path | str, cameras: CameraSet) -> None:
    """Write cameras atomically; reading them gives the same float32 values. Raises `FileFormatError` for file names
    that would lead out of the folder."""
    first = next(iter(cameras.groups.values())).cameras
    shared = first.Ks[0].cpu()
    data = {
        "convention": CONVENTION,
        "width": first.width,
        "height": first.height,
        "K": shared.tolist(),
        "fps": cameras.fps,
        "n_times": cameras.n_times,
        "t_freeze": cameras.t_freeze,
        "groups": {name: _entries(group, shared, path) for name, group in cameras.groups.items()},
    }
    write_json(path, data)


def _entries(group: CameraGroup, shared: Tensor, path: Path | str) -> list[dict[str, Any]]:
    entries = []
    for i, (viewmat, time) in enumerate(zip(group.cameras.viewmats, group.cameras.moments.tolist(), strict=True)):
        entry: dict[str, Any] = {}
        if group.files:
            file = check_relative(group.files[i], path)
            entry["video" if file.lower().endswith(_CLIPS) else "file"] = file
        if group.frames:
            entry["frame"] = group.frames[i]
        entry |= {"time": time, "w2c": viewmat.tolist()}
        K = group.cameras.Ks[i].cpu()
        if not torch.equal(K, shared):
            entry["K"] = K.tolist()
        entries.append(entry)
    return entries


def _check_convention(data: object, path: Path | str) -> None:
    if not isinstance(data, dict):
        raise FileFormatError(f"{path} must hold a JSON object with cameras, got {type(data).__name__}")
    text = data.get("convention")
    if isinstance(text, str) and text.strip().lower().startswith("opencv"):
        return
    hint = 'wanted text that begins with "OpenCV" (x right, y down, z forward, world-to-camera)'
    if isinstance(text, str) and any(word in text.lower() for word in ("opengl", "blender", "nerf")):
        hint += "; from OpenGL axes, negate rows 1 and 2 (y and z) of each world-to-camera matrix"
    raise FileFormatError(f'{path}: "convention" is {text!r}, {hint}')


def _whole(data: dict[str, Any], key: str, path: Path | str) -> int:
    value = data.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value) or value < 1:
        raise FileFormatError(f'{path}: "{key}" must be a whole number of at least 1, got {value!r}')
    return int(value)


def _read_group(where: str, entries: object, shared: object, size: tuple[int, int]) -> CameraGroup:
    if not isinstance(entries, list) or not entries or not all(isinstance(e, dict) for e in entries):
        raise FileFormatError(f"{where} must be a non-empty list of objects")
    views = [_matrix(e.get("w2c"), 4, f'{where}[{i}]: "w2c"') for i, e in enumerate(entries)]
    Ks = [_matrix(e.get("K", shared), 3, f'{where}[{i}]: "K"') for i, e in enumerate(entries)]
    times = [_number(e.get("time", 0), f'{where}[{i}]: "time"') for i, e in enumerate(entries)]
    files = [e.get("file", e.get("video")) for e in entries]
    frames = [e.get("frame") for e in entries]
    try:
        cameras = Cameras(torch.stack(views), torch.stack(Ks), *size, torch.tensor(times))
    except FieldError as error:
        raise FileFormatError(f"{where}: {error}") from None
    known = all(f is not None for f in files)
    counted = all(isinstance(f, int) and f >= 0 for f in frames)
    safe = tuple(check_relative(f, where) for f in files if f is not None)
    return CameraGroup(cameras, safe if known else (), tuple(frames) if counted else ())


def _matrix(value: object, size: int, where: str) -> Tensor:
    try:
        matrix = torch.tensor(value, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        matrix = None
    if matrix is None or matrix.shape != (size, size):
        raise FileFormatError(f"{where} must be {size} rows of {size} numbers, got {_short(value)}")
    return matrix.float()


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise FileFormatError(f"{where} must be a number, got {value!r}")
    return float(value)


def _short(value: object) -> str:
    text = repr(value)
    if isinstance(value, Sequence) and not isinstance(value, str) and len(text) > 80:
        return f"a list of {len(value)}"
    return text[:80]
