"""COLMAP models in and out: cameras, images and points3D, as binary or text (https://colmap.github.io/format.html).

COLMAP's conventions are ours: world-to-camera, x right, y down, z forward, quaternions wxyz, pixel centres at +0.5.
Tracks, observations and reprojection errors are neither kept nor written; nor are the rigs and frames of COLMAP 3.12
and later, which reads models without them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.checks import check_tensor
from fourreal.core.errors import FieldError, FileFormatError
from fourreal.core.geometry import matrix_to_quat, quat_to_matrix, rigid
from fourreal.core.storage import atomic_path

from .images import natural_key
from .relative import check_relative

# Models by COLMAP's number: name and count of parameters. The leading ones are the pinhole's.
_MODELS = {
    0: ("SIMPLE_PINHOLE", 3), 1: ("PINHOLE", 4), 2: ("SIMPLE_RADIAL", 4), 3: ("RADIAL", 5), 4: ("OPENCV", 8),
    5: ("OPENCV_FISHEYE", 8), 6: ("FULL_OPENCV", 12), 7: ("FOV", 5), 8: ("SIMPLE_RADIAL_FISHEYE", 4),
    9: ("RADIAL_FISHEYE", 5), 10: ("THIN_PRISM_FISHEYE", 12), 11: ("RAD_TAN_THIN_PRISM_FISHEYE", 16),
}  # fmt: skip
_ONE_FOCAL = ("SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL")
_TWO_FOCAL = ("PINHOLE", "OPENCV", "FULL_OPENCV")


@dataclass(frozen=True, eq=False)
class ColmapModel:
    """What we use of a COLMAP model.

    Attributes:
        cameras: the registered views, all of one size.
        names: of their images, unique, relative to the image folder; one a camera.
        points: [P, 3] float32 sparse points.
        colors: [P, 3] float32 RGB in [0, 1].

    Raises:
        FieldError: if a field is out of shape or range.
    """

    cameras: Cameras
    names: tuple[str, ...]
    points: Tensor = field(default_factory=lambda: torch.zeros(0, 3))
    colors: Tensor = field(default_factory=lambda: torch.zeros(0, 3))

    def __post_init__(self) -> None:
        if len(self.names) != len(self.cameras) or len(set(self.names)) != len(self.names):
            raise FieldError(f"ColmapModel.names must be {len(self.cameras)} unique names, got {self.names[:8]}")
        check_tensor("ColmapModel.points", self.points, ("P", 3))
        check_tensor("ColmapModel.colors", self.colors, (len(self.points), 3), low=0.0, high=1.0)


class _Image(NamedTuple):
    quat: tuple[float, ...]
    shift: tuple[float, ...]
    camera: int
    name: str


class _Camera(NamedTuple):
    model: str
    width: int
    height: int
    params: tuple[float, ...]


def read_colmap(folder: Path | str) -> ColmapModel:
    """Read the model in `folder` (or in its `sparse/0` or `sparse`), views in natural order of their names.

    Raises:
        FileFormatError: if files are missing or damaged, no image is registered, image sizes differ, or a camera has
            lens distortion (undistort the images first).
    """
    folder = _find(Path(folder))
    binary = (folder / "images.bin").is_file()
    try:
        if binary:
            cameras = _cameras_bin(_Cursor(folder / "cameras.bin"))
            images = _images_bin(_Cursor(folder / "images.bin"))
            points = _points_bin(_Cursor(folder / "points3D.bin"))
        else:
            cameras = _cameras_txt(folder / "cameras.txt")
            images = _images_txt(folder / "images.txt")
            points = _points_txt(folder / "points3D.txt")
        return _model(folder, cameras, images, points)
    except FieldError as error:
        raise FileFormatError(f"{folder}: {error}") from None


def write_colmap(folder: Path | str, model: ColmapModel, *, binary: bool = True) -> None:
    """Write cameras, images and points3D (a PINHOLE camera for each distinct lens), each file atomically.

    Raises `FileFormatError` for names that lead out of their folder, and for spaces in names unless `binary`.
    """
    folder = Path(folder)
    lenses: dict[tuple[float, ...], int] = {}
    owners = []
    for K in model.cameras.Ks.detach().cpu().double():
        lens = (float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2]))
        owners.append(lenses.setdefault(lens, len(lenses) + 1))
    size = (model.cameras.width, model.cameras.height)
    viewmats = model.cameras.viewmats.detach().cpu().double()
    quats, shifts = matrix_to_quat(viewmats[:, :3, :3]).tolist(), viewmats[:, :3, 3].tolist()
    names = [check_relative(name, folder) for name in model.names]
    spaced = [name for name in names if any(c.isspace() for c in name)]
    if spaced and not binary:
        raise FileFormatError(f"COLMAP's text form cannot hold spaces in names such as {spaced[0]!r}; write binary")
    images = [(i + 1, *rest) for i, rest in enumerate(zip(quats, shifts, owners, names, strict=True))]
    bytes_ = (model.colors.detach().cpu() * 255).round().int().tolist()
    points = list(zip(model.points.detach().cpu().double().tolist(), bytes_, strict=True))
    encode = _encode_bin if binary else _encode_txt
    for name, content in encode(lenses, size, images, points).items():
        with atomic_path(folder / name) as temporary:
            temporary.write_bytes(content)


def _find(folder: Path) -> Path:
    for candidate in (folder, folder / "sparse" / "0", folder / "sparse"):
        if any((candidate / f"images.{kind}").is_file() for kind in ("bin", "txt")):
            return candidate
    raise FileFormatError(f"{folder} holds no COLMAP model: no images.bin or images.txt there or in sparse/0")


def _model(folder: Path, cameras: dict[int, _Camera], images: list[_Image], points: np.ndarray) -> ColmapModel:
    if not images:
        raise FileFormatError(f"{folder}: the model has no registered image")
    images = sorted(images, key=lambda image: natural_key(image.name))
    missing = [image.name for image in images if image.camera not in cameras]
    if missing:
        raise FileFormatError(f"{folder}: image {missing[0]!r} refers to a camera that is not listed")
    used = [cameras[image.camera] for image in images]
    sizes = sorted({(c.width, c.height) for c in used})
    if len(sizes) > 1:
        shown = ", ".join(f"{w}x{h}" for w, h in sizes[:4])
        raise FileFormatError(f"{folder}: all images must have one size, got {shown}; resize them and run COLMAP again")
    Ks = torch.tensor([_intrinsics(c, folder) for c in used], dtype=torch.float64)
    quats = torch.tensor([image.quat for image in images], dtype=torch.float64)
    shifts = torch.tensor([image.shift for image in images], dtype=torch.float64)
    names = tuple(check_relative(image.name, folder) for image in images)
    views = Cameras(rigid(quat_to_matrix(quats), shifts).float(), Ks.float(), *sizes[0])
    table = torch.from_numpy(points)
    return ColmapModel(views, names, table[:, :3].float(), table[:, 3:].float() / 255)


def _intrinsics(camera: _Camera, folder: Path) -> list[list[float]]:
    model, params = camera.model, camera.params
    if model not in (*_ONE_FOCAL, *_TWO_FOCAL):
        raise FileFormatError(f"{folder}: camera model {model} is not a pinhole; {_UNDISTORT}")
    fx, fy, cx, cy, *distortion = (params[0], *params) if model in _ONE_FOCAL else params
    if any(distortion):
        raise FileFormatError(f"{folder}: camera model {model} has lens distortion {distortion}; {_UNDISTORT}")
    return [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]


_UNDISTORT = "undistort the images first (colmap image_undistorter), which gives a PINHOLE model"


class _Cursor:
    """Reads little-endian values off a file in memory; the end of the file is a `FileFormatError`."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise FileFormatError(f"{path} does not exist")
        self.path, self.data, self.at = path, path.read_bytes(), 0

    def take(self, layout: str) -> tuple[Any, ...]:
        """The next values of a struct layout."""
        layout = "<" + layout
        self.skip(struct.calcsize(layout))
        return struct.unpack_from(layout, self.data, self.at - struct.calcsize(layout))

    def skip(self, size: int) -> None:
        """Move on by `size` bytes."""
        if self.at + size > len(self.data):
            raise FileFormatError(f"{self.path} is truncated at byte {len(self.data)}, or no COLMAP file")
        self.at += size

    def text(self) -> str:
        """Text up to a NUL."""
        end = self.data.find(b"\0", self.at)
        if end < 0:
            raise FileFormatError(f"{self.path} is truncated within the name of an image")
        start, self.at = self.at, end + 1
        return self.data[start:end].decode("utf-8", "replace")


def _cameras_bin(cursor: _Cursor) -> dict[int, _Camera]:
    cameras = {}
    for _ in range(*cursor.take("Q")):
        number, model, width, height = cursor.take("iiQQ")
        if model not in _MODELS:
            raise FileFormatError(f"{cursor.path}: camera model number {model} is not a pinhole; {_UNDISTORT}")
        name, count = _MODELS[model]
        cameras[number] = _Camera(name, width, height, cursor.take(f"{count}d"))
    return cameras


def _images_bin(cursor: _Cursor) -> list[_Image]:
    images = []
    for _ in range(*cursor.take("Q")):
        _, *pose, camera = cursor.take("i7di")
        images.append(_Image(tuple(pose[:4]), tuple(pose[4:]), camera, cursor.text()))
        cursor.skip(24 * cursor.take("Q")[0])
    return images


def _points_bin(cursor: _Cursor) -> np.ndarray:
    rows = []
    for _ in range(*cursor.take("Q")):
        _, *row, _, track = cursor.take("Q3d3BdQ")
        rows.append(row)
        cursor.skip(8 * track)
    return np.array(rows, np.float64).reshape(-1, 6)


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise FileFormatError(f"{path} does not exist")
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise FileFormatError(f"{path} is not a text file") from None


def _is_data(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _cameras_txt(path: Path) -> dict[int, _Camera]:
    counts = dict(_MODELS.values())
    cameras = {}
    for line in filter(_is_data, _lines(path)):
        try:
            number, model, width, height, *params = line.split()
            camera = _Camera(model, int(width), int(height), tuple(float(p) for p in params))
            cameras[int(number)] = camera
        except ValueError:
            raise FileFormatError(f"{path}: cannot read the line {line[:80]!r}") from None
        if len(params) != counts.get(model, len(params)):
            raise FileFormatError(f"{path}: {model} has {counts[model]} parameters, got {len(params)}")
    return cameras


def _images_txt(path: Path) -> list[_Image]:
    images = []
    lines = iter(_lines(path))
    for line in lines:
        if not _is_data(line):
            continue
        next(lines, None)  # the observations; the line is there even if empty
        try:
            _, *pose, camera, name = line.split(maxsplit=9)
            values = tuple(float(p) for p in pose)
            images.append(_Image(values[:4], values[4:], int(camera), name.strip()))
        except ValueError:
            raise FileFormatError(f"{path}: cannot read the line {line[:80]!r}") from None
    return images


def _points_txt(path: Path) -> np.ndarray:
    rows = []
    for line in filter(_is_data, _lines(path)):
        try:
            rows.append([float(v) for v in line.split()[1:7]])
        except ValueError:
            rows.append([])
        if len(rows[-1]) != 6:
            raise FileFormatError(f"{path}: cannot read the line {line[:80]!r}")
    return np.array(rows, np.float64).reshape(-1, 6)


def _encode_bin(lenses: dict, size: tuple[int, int], images: list, points: list) -> dict[str, bytes]:
    pack = struct.pack
    cameras = [pack("<iiQQ4d", number, 1, *size, *lens) for lens, number in lenses.items()]
    views = [pack("<i7di", i, *q, *t, owner) + f"{name}\0".encode() + pack("<Q", 0) for i, q, t, owner, name in images]
    cloud = [pack("<Q3d3BdQ", i + 1, *xyz, *rgb, 0.0, 0) for i, (xyz, rgb) in enumerate(points)]
    parts = {"cameras.bin": cameras, "images.bin": views, "points3D.bin": cloud}
    return {name: pack("<Q", len(rows)) + b"".join(rows) for name, rows in parts.items()}


def _encode_txt(lenses: dict, size: tuple[int, int], images: list, points: list) -> dict[str, bytes]:
    def row(*values: float | str) -> str:
        return " ".join(repr(v) if isinstance(v, float) else str(v) for v in values) + "\n"

    cameras = [row(number, "PINHOLE", *size, *lens) for lens, number in lenses.items()]
    views = [row(i, *quat, *shift, owner, name) + "\n" for i, quat, shift, owner, name in images]
    cloud = [row(i + 1, *xyz, *rgb, 0.0) for i, (xyz, rgb) in enumerate(points)]
    parts = {"cameras.txt": cameras, "images.txt": views, "points3D.txt": cloud}
    return {name: "".join(rows).encode() for name, rows in parts.items()}
