"""Gaussian splats as PLY files, as 3D Gaussian Splatting (arXiv 2308.04079) writes and viewers read them.

One `vertex` element of float32 properties, little endian: x y z, nx ny nz (zero), f_dc_0..2 (colour as the
constant spherical harmonic), opacity (logit), scale_0..2 (natural logarithm), rot_0..3 (wxyz).
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import torch
from torch import Tensor

from fourreal.core.errors import FieldError, FileFormatError
from fourreal.core.gaussians import Gaussians
from fourreal.core.storage import atomic_path

SH_C0 = 0.28209479177387814  # the constant spherical harmonic, 1 / (2 sqrt(pi))
_NAMES = {
    "means": ("x", "y", "z"),
    "normals": ("nx", "ny", "nz"),
    "dc": ("f_dc_0", "f_dc_1", "f_dc_2"),
    "logit_opacities": ("opacity",),
    "log_scales": ("scale_0", "scale_1", "scale_2"),
    "quats": ("rot_0", "rot_1", "rot_2", "rot_3"),
}
_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_MAX_HEADER = 1 << 20


class _Element(NamedTuple):
    name: str
    size: int
    properties: list[tuple[str, str]]  # (name, numpy type), "" as the type of a list


def write_ply(path: Path | str, gaussians: Gaussians) -> None:
    """Write splats as a 3DGS PLY (binary little endian), atomically; quaternions are normalised."""
    count = len(gaussians)
    columns = {
        "means": gaussians.means,
        "normals": torch.zeros(count, 3),
        "dc": (gaussians.colors - 0.5) / SH_C0,
        "logit_opacities": gaussians.logit_opacities[:, None],
        "log_scales": gaussians.log_scales,
        "quats": torch.nn.functional.normalize(gaussians.quats, dim=1),
    }
    table = np.concatenate([columns[k].detach().cpu().numpy() for k in _NAMES], axis=1)
    names = [name for group in _NAMES.values() for name in group]
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {count}"]
    header += [f"property float {name}" for name in names] + ["end_header"]
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(("\n".join(header) + "\n").encode("ascii"))
        file.write(table.astype("<f4").tobytes())


def read_ply(path: Path | str) -> Gaussians:
    """Read splats from a 3DGS PLY: ascii or binary of either byte order, properties in any order.

    Other properties are passed over, among them the view-dependent colours `f_rest_*`: this program's splats look
    the same from everywhere. Colours outside [0, 1] are clamped, as are log scales outside [-30, 30] and logit
    opacities outside [-50, 50].

    Raises:
        FileFormatError: if the file is missing, no PLY, truncated, lacks a property, or has NaN or zero rotations.
    """
    columns = _read_vertices(Path(path))

    def gather(group: str) -> Tensor:
        missing = [name for name in _NAMES[group] if name not in columns]
        if missing:
            hint = "it is a compressed PLY, decompress it first" if "packed_position" in columns else "is it of splats?"
            raise FileFormatError(f"{path} lacks the vertex property {missing[0]!r} of a 3DGS PLY; {hint}")
        stacked = np.stack([columns[name] for name in _NAMES[group]], axis=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # doubles beyond float32 become inf, reported below
            return torch.from_numpy(np.ascontiguousarray(stacked.astype(np.float32)))

    try:
        return Gaussians(
            means=gather("means"),
            quats=gather("quats"),
            log_scales=gather("log_scales").clamp(-30, 30),
            logit_opacities=gather("logit_opacities")[:, 0].clamp(-50, 50),
            colors=(gather("dc") * SH_C0 + 0.5).clamp(0, 1),
        )
    except FieldError as error:
        raise FileFormatError(f"{path}: {error}") from None


def _read_vertices(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise FileFormatError(f"{path} does not exist or is not a file")
    with path.open("rb") as file:
        order, elements = _read_header(file, path)
        for element in elements:
            if any(not kind for _, kind in element.properties):
                raise FileFormatError(f"{path}: element {element.name!r} before the vertices' end holds lists")
            dtype = np.dtype([(name, _ORDERS[order] + kind) for name, kind in element.properties])
            table = _read_ascii(file, element, path) if order == "ascii" else _read_binary(file, element, dtype, path)
            if element.name == "vertex":
                return table
    raise FileFormatError(f"{path} has no vertex element")


def _read_binary(file: IO[bytes], element: _Element, dtype: np.dtype, path: Path) -> dict[str, np.ndarray]:
    # Compare with the file's size first: a damaged count must not ask for the memory.
    left = path.stat().st_size - file.tell()
    if left < element.size * dtype.itemsize:
        _truncated(path, element, left // max(dtype.itemsize, 1))
    table = np.frombuffer(file.read(element.size * dtype.itemsize), dtype, element.size)
    return {name: table[name] for name, _ in element.properties}


def _read_ascii(file: IO[bytes], element: _Element, path: Path) -> dict[str, np.ndarray]:
    width = len(element.properties)
    rows: list[list[float]] = []
    while len(rows) < element.size and (line := file.readline()):
        words = line.split()
        if not words:
            continue
        try:
            rows.append([float(w) for w in words])
        except ValueError:
            raise FileFormatError(f"{path}: {element.name} {len(rows)} is not a row of numbers") from None
        if len(words) != width:
            raise FileFormatError(f"{path}: {element.name} {len(rows) - 1} has {len(words)} values, wanted {width}")
    if len(rows) < element.size:
        _truncated(path, element, len(rows))
    table = np.array(rows, np.float64).reshape(element.size, width)
    return {name: table[:, i] for i, (name, _) in enumerate(element.properties)}


def _truncated(path: Path, element: _Element, found: int) -> None:
    raise FileFormatError(f"{path} is truncated: {found} of {element.size} entries of {element.name!r} are there")


def _read_header(file: IO[bytes], path: Path) -> tuple[str, list[_Element]]:
    """The format and the elements in order of appearance; the file is then at the first byte of data."""
    if file.readline(16).strip() != b"ply":
        raise FileFormatError(f"{path} is not a PLY file (its first line is not 'ply')")
    order = ""
    elements: list[_Element] = []
    while file.tell() < _MAX_HEADER:
        line = file.readline(4096)
        try:
            words = line.decode("ascii").split()
        except UnicodeDecodeError:
            break
        if words == ["end_header"]:
            if order not in _ORDERS:
                raise FileFormatError(f"{path}: format {order!r} is not one of {', '.join(_ORDERS)}")
            return order, elements
        match words:
            case ["format", order, "1.0"]:
                pass
            case ["element", name, count] if count.isdigit():
                elements.append(_Element(name, int(count), []))
            case ["property", "list", _, _, name] if elements:
                elements[-1].properties.append((name, ""))
            case ["property", kind, name] if elements and kind in _TYPES:
                _add_property(elements[-1], name, _TYPES[kind], path)
            case ["comment" | "obj_info", *_]:
                pass
            case _:
                break
    raise FileFormatError(f"{path}: the PLY header is damaged at byte {file.tell()}")


def _add_property(element: _Element, name: str, kind: str, path: Path) -> None:
    if any(name == known for known, _ in element.properties):
        raise FileFormatError(f"{path}: property {name!r} of {element.name!r} is listed twice")
    element.properties.append((name, kind))
