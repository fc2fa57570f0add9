"""`transforms.json` of instant-ngp and nerfstudio: OpenGL camera-to-world matrices and one lens, or one a frame.

https://docs.nerf.studio/quickstart/data_conventions.html. OpenGL cameras look along -z with y up, so their y and z
axes are ours negated. The world is taken as it is: an "applied_transform" is not undone.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FieldError, FileFormatError
from fourreal.core.geometry import rigid_inverse
from fourreal.core.storage import read_json, write_json

from .relative import check_relative

_FLIP = torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64)  # OpenGL <-> OpenCV camera axes
_DISTORTION = ("k1", "k2", "k3", "k4", "p1", "p2")
_PINHOLES = ("PINHOLE", "SIMPLE_PINHOLE", "OPENCV", "SIMPLE_RADIAL", "RADIAL")  # the latter if undistorted


def read_transforms(path: Path | str, *, n_times: int = 1) -> tuple[Cameras, tuple[str, ...]]:
    """Read cameras (OpenCV world-to-camera) and the file name of each, in the file's order.

    Focal lengths come from "fl_x"/"fl_y", else from "camera_angle_x"/"camera_angle_y"; a frame's own values win over
    the shared ones. Without "w" and "h" the size is that of the first image, which must then exist. A frame's "time",
    if any, runs from 0 to 1 and becomes 0 to `n_times` - 1.

    Raises:
        FileFormatError: if the file is missing or malformed, sizes differ, a camera has lens distortion (undistort
            the images first), or a file name leads out of the folder.
    """
    path = Path(path)
    data = read_json(path)
    frames = data.get("frames") if isinstance(data, dict) else None
    if not isinstance(frames, list) or not frames or not all(isinstance(f, dict) for f in frames):
        raise FileFormatError(f'{path}: "frames" must be a non-empty list of objects')
    shared = {k: v for k, v in data.items() if k != "frames"}
    merged = [shared | frame for frame in frames]
    names = tuple(check_relative(f.get("file_path"), path) for f in merged)
    if "w" not in merged[0] or "h" not in merged[0]:
        width, height = _size_of_image(path, names[0])
        merged = [{"w": width, "h": height} | frame for frame in merged]
    lenses = [_lens(frame, f"{path}: {name}") for frame, name in zip(merged, names, strict=True)]
    sizes = sorted({lens[4:] for lens in lenses})
    if len(sizes) > 1:
        raise FileFormatError(f"{path}: all images must have one size, got {sizes[:4]}")
    Ks = torch.tensor([[[fx, 0, cx], [0, fy, cy], [0, 0, 1]] for fx, fy, cx, cy, _, _ in lenses])
    poses = torch.stack([_pose(f, f"{path}: {name}") for f, name in zip(merged, names, strict=True)])
    times = torch.tensor([_number(f, "time", f"{path}", 0.0) * (n_times - 1) for f in merged])
    try:
        return Cameras(rigid_inverse(poses * _FLIP).float(), Ks, *sizes[0], times), names
    except FieldError as error:
        raise FileFormatError(f"{path}: {error}") from None


def write_transforms(path: Path | str, cameras: Cameras, names: tuple[str, ...], *, n_times: int = 1) -> None:
    """Write cameras and the file name of each, atomically; with `n_times` > 1 also "time" from 0 to 1.

    Raises `FieldError` if there is not one name a camera, `FileFormatError` for names that lead out of the folder.
    """
    if len(names) != len(cameras):
        raise FieldError(f"write_transforms: wanted one name for each of {len(cameras)} cameras, got {len(names)}")
    poses = (rigid_inverse(cameras.viewmats.detach().cpu().double()) * _FLIP).tolist()
    lenses = [_lens_keys(K) for K in cameras.Ks.detach().cpu().double()]
    same = all(lens == lenses[0] for lens in lenses)
    frames = []
    for i, (pose, lens) in enumerate(zip(poses, lenses, strict=True)):
        frame = {"file_path": check_relative(names[i], path), "transform_matrix": pose}
        if n_times > 1:
            frame["time"] = float(cameras.moments[i]) / (n_times - 1)
        frames.append(frame | ({} if same else lens))
    size = {"w": cameras.width, "h": cameras.height}
    write_json(path, {"camera_model": "PINHOLE", **size, **(lenses[0] if same else {}), "frames": frames})


def _lens_keys(K: Tensor) -> dict[str, float]:
    return {"fl_x": float(K[0, 0]), "fl_y": float(K[1, 1]), "cx": float(K[0, 2]), "cy": float(K[1, 2])}


def _lens(frame: dict[str, Any], where: str) -> tuple[float, float, float, float, int, int]:
    """(fx, fy, cx, cy, width, height) of a frame that has the shared keys too."""
    model = frame.get("camera_model", "PINHOLE")
    distortion = {k: frame[k] for k in _DISTORTION if frame.get(k)}
    if model not in _PINHOLES or distortion or frame.get("is_fisheye"):
        what = f"lens distortion {distortion}" if distortion else f"camera model {model!r} or a fisheye lens"
        raise FileFormatError(f"{where}: {what}; wanted a pinhole, undistort the images first")
    width, height = (_number(frame, key, where) for key in ("w", "h"))
    if min(width, height) < 1 or width != int(width) or height != int(height):
        raise FileFormatError(f'{where}: "w" and "h" must be whole numbers of at least 1, got {width} and {height}')
    if "fl_x" in frame:
        fx = _number(frame, "fl_x", where)
    elif "camera_angle_x" in frame:
        fx = width / 2 / math.tan(_number(frame, "camera_angle_x", where) / 2)
    else:
        raise FileFormatError(f'{where}: neither "fl_x" nor "camera_angle_x" gives a focal length')
    fy = _number(frame, "fl_y", where, fx)
    if "fl_y" not in frame and "fl_x" not in frame and "camera_angle_y" in frame:
        fy = height / 2 / math.tan(_number(frame, "camera_angle_y", where) / 2)
    cx, cy = _number(frame, "cx", where, width / 2), _number(frame, "cy", where, height / 2)
    return fx, fy, cx, cy, int(width), int(height)


def _pose(frame: dict[str, Any], where: str) -> Tensor:
    try:
        pose = torch.tensor(frame.get("transform_matrix"), dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        pose = torch.empty(0)
    if pose.shape == (3, 4):
        pose = torch.cat([pose, torch.eye(4, dtype=torch.float64)[3:]])
    if pose.shape != (4, 4):
        raise FileFormatError(f'{where}: "transform_matrix" must be 4 rows (or 3) of 4 numbers')
    # Inverting by transposing hides what is not a rotation, so look before.
    off = (pose[:3, :3] @ pose[:3, :3].T - torch.eye(3, dtype=torch.float64)).abs().max()
    if not off < 1e-3 or (pose[3] - torch.eye(4, dtype=torch.float64)[3]).abs().max() > 1e-6:
        raise FileFormatError(f'{where}: "transform_matrix" is not rigid ({float(off):.2g} away from orthonormal)')
    return pose


def _number(frame: dict[str, Any], key: str, where: str, default: float | None = None) -> float:
    value = frame.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise FileFormatError(f'{where}: "{key}" must be a number, got {value!r}')
    return float(value)


def _size_of_image(path: Path, name: str) -> tuple[int, int]:
    """Size of the first image; some files leave the suffix .png away, as Blender's synthetic scenes do."""
    from .images import open_image

    image = next((p for p in (path.parent / name, path.parent / f"{name}.png") if p.is_file()), None)
    if image is None:
        raise FileFormatError(f'{path} states no size ("w" and "h") and its first image {name!r} is not there')
    with open_image(image) as picture:
        return picture.size
