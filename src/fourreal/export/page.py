"""`scene.html`: a 4D player and its scene in one file that needs no network."""

from __future__ import annotations

import base64
import gzip
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.geometry import matrix_to_quat
from fourreal.core.storage import atomic_path
from fourreal.fit.coverage import Coverage
from fourreal.raster.base import ALPHA_MIN

from .coverage import seen_share
from .lifted import Lifted
from .motion_data import motion_data

_CODE = ("data.js", "camera.js", "painter.js", "main.js")
_LABELS = {"ref": "Reference", "freeze": "Freeze-time clip"}


def write_page(path: Path, lifted: Lifted, *, title: str = "A 4D scene", coverage: Coverage | None = None) -> None:
    """Write the player with the scene in it, atomically.

    Gaussians that are never drawn (opacity below 1/255) are left out. Positions are stored as float32, rotations,
    scales and opacities in 16 bits, colours in 8; see `motion_data` for the motion.

    Args:
        path: the HTML file.
        lifted: the scene.
        title: its name on the page, such as the prompt.
        coverage: how often the clips show each Gaussian; adds a button that colours by it.
    """
    about, arrays = _scene_data(lifted, coverage)
    layout, blob = _packed(arrays)
    about |= {"arrays": layout}
    player = files("fourreal.export") / "player"
    text = {name: (player / name).read_text("utf-8") for name in ("page.html", "page.css", "sorter.js", *_CODE)}
    parts = {
        "title": _escaped(title),
        "subtitle": _escaped(_subtitle(lifted, about["count"])),
        "style": text["page.css"],
        "about": json.dumps(about, allow_nan=False).replace("<", "\\u003c"),
        "sorter": text["sorter.js"].replace("</", "<\\/"),
        "scene": base64.b64encode(blob).decode("ascii"),
        "code": "\n".join(text[name] for name in _CODE).replace("</script", "<\\/script"),
    }
    page = text["page.html"]
    for name, value in parts.items():
        before, *after = page.split(f"{{{{ {name} }}}}")
        page = value.join((before, *after))
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _escaped(text: str) -> str:
    import html

    return html.escape(text, quote=True).replace("{{", "{ {")


def _subtitle(lifted: Lifted, count: int) -> str:
    scene = lifted.scene
    number = f"{count:,}".replace(",", "\u202f")
    if lifted.motion is None:
        return f"{number} Gaussians, a frozen moment"
    return f"{number} Gaussians, {scene.n_times} moments in {(scene.n_times - 1) / scene.fps:.1f} s"


def _scene_data(lifted: Lifted, coverage: Coverage | None) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    scene, g = lifted.scene, lifted.scene.gaussians
    keep = (g.opacities >= ALPHA_MIN).nonzero().flatten()
    low, high = (float(v) for v in torch.aminmax(g.log_scales[keep])) if len(keep) else (0.0, 1.0)
    high = max(high, low + 1e-6)
    quats = torch.nn.functional.normalize(g.quats[keep], dim=1)
    arrays = {
        "means": _array(g.means[keep], "<f4"),
        "quats": _array((quats * 32767).round(), "<i2"),
        "log_scales": _array(((g.log_scales[keep] - low) / (high - low) * 65535).round(), "<u2"),
        "opacities": _array((g.opacities[keep] * 65535).round(), "<u2"),
        "colors": _array((g.colors[keep] * 255).round(), "u1"),
    }
    if coverage is not None:
        arrays["coverage"] = _array((seen_share(coverage)[keep] * 255).round(), "u1")
    about: dict[str, Any] = {
        "count": len(keep),
        "frames": scene.n_times,
        "fps": scene.fps,
        "start": 0,
        "instant": lifted.instant,
        "background": scene.background.tolist(),
        "logScales": [low, high],
        "coverage": coverage is not None,
        "motion": None,
        **_whereabouts(lifted),
    }
    if lifted.motion is not None:
        found = motion_data(lifted.motion, g.means.to(lifted.device), keep.to(lifted.device))
        about["motion"] = found.about
        arrays |= found.arrays
    return about, arrays


def _whereabouts(lifted: Lifted) -> dict[str, Any]:
    """Cameras and directions for the player; lenses are scaled to the size of the home camera's pictures."""
    size = lifted.home.width, lifted.home.height
    azimuth = lifted.angles(lifted.walk)[:, 0]
    groups = [
        {"name": name, "label": _LABELS.get(name, name), "poses": _poses(_distinct(cameras).resized(*size))}
        for name, cameras in sorted(lifted.scene.cameras.items(), key=lambda item: item[0] != "ref")
        if len(cameras)
    ]
    return {
        "size": size,
        "pivot": lifted.pivot.tolist(),
        "up": lifted.up.tolist(),
        "home": _poses(lifted.home)[0],
        "path": _poses(lifted.walk.resized(*size)),
        "arc": float(azimuth.max() - azimuth.min()),
        "groups": groups,
    }


def _distinct(cameras: Cameras) -> Cameras:
    """One camera if all stand at the same place: a reference clip from a tripod."""
    centres = cameras.positions
    reach = float(centres.norm(dim=1).max()) + 1.0
    return cameras[0] if float((centres - centres[0]).norm(dim=1).max()) < 1e-4 * reach else cameras


def _poses(cameras: Cameras) -> list[dict[str, list[float]]]:
    turns = matrix_to_quat(cameras.c2w[:, :3, :3].double())
    lenses = cameras.Ks[:, [0, 1, 0, 1], [0, 1, 2, 2]]
    rows = zip(cameras.positions.tolist(), turns.tolist(), lenses.tolist(), strict=True)
    return [{"eye": eye, "turn": turn, "lens": lens} for eye, turn, lens in rows]


def _array(values: Tensor, kind: str) -> np.ndarray:
    return values.detach().cpu().contiguous().numpy().astype(kind)


def _packed(arrays: dict[str, np.ndarray]) -> tuple[list[dict[str, Any]], bytes]:
    """Where each array lies (aligned to 8 bytes), and all of them, compressed."""
    layout, blob = [], bytearray()
    for name, values in arrays.items():
        blob += bytes(-len(blob) % 8)
        layout.append({"name": name, "kind": values.dtype.str[1:], "start": len(blob), "length": values.size})
        blob += np.ascontiguousarray(values).tobytes()
    return layout, gzip.compress(bytes(blob), 9, mtime=0)
