"""Contact sheets and the gallery of `generate.py`."""

from __future__ import annotations

import io
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from _generate_runs import Job
from _generate_views import OFF, Seen
from torch import Tensor

from fourreal.core.storage import atomic_path, read_json
from fourreal.io.frames import resize_frames
from fourreal.io.images import to_bytes

_ACROSS, _WIDTH, _BAR, _GAP = 6, 160, 16, 3  # pictures in a row, and pixels
_BYTES = 150_000
_QUALITIES = (88, 80, 70, 60, 45, 30)


def write_sheet(path: Path, seen: Seen, title: str) -> None:
    """A JPEG below 150 kB: clips, renders from their cameras, and renders from elsewhere; a row each."""
    from PIL import Image, ImageDraw

    rows = _rows(seen)
    height = max(2, round(_WIDTH * seen.reference.shape[-2] / seen.reference.shape[-1]))
    size = _ACROSS * (_WIDTH + _GAP) + _GAP, _BAR + len(rows) * (height + _BAR + _GAP)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, 2), title, fill="black", font_size=11)
    for i, (label, frames) in enumerate(rows.items()):
        top = _BAR + i * (height + _BAR + _GAP)
        draw.text((_GAP, top + 2), label, fill="black", font_size=11)
        for j, picture in enumerate(to_bytes(resize_frames(frames.clamp(0, 1), height, _WIDTH))):
            sheet.paste(Image.fromarray(picture), (_GAP + j * (_WIDTH + _GAP), top + _BAR))
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_bytes(_small(sheet))


def _small(sheet: Any) -> bytes:
    """A picture of Pillow as JPEG, as good as the limit allows."""
    data = b""
    for quality in _QUALITIES:
        held = io.BytesIO()
        sheet.save(held, format="JPEG", quality=quality, optimize=True)
        data = held.getvalue()
        if len(data) < _BYTES:
            break
    return data


def _rows(seen: Seen) -> dict[str, Tensor]:
    rows = {
        "the generated clip: time runs": _spaced(seen.reference),
        "the scene from the same camera": _spaced(seen.seen),
        f"the generated clip: time stands still, {seen.arc:.0f} degrees": _spaced(seen.freeze),
        "the scene from these cameras, no warps": _spaced(seen.frozen),
        f"the scene while time runs, {OFF:.0f} degrees to the left and to the right": _both(seen.side),
    }
    if seen.beyond:
        rows[f"the same {OFF:.0f} degrees beyond what the clips show"] = _both(seen.beyond)
    return rows


def _spaced(clip: Tensor, count: int = _ACROSS) -> Tensor:
    return clip[torch.linspace(0, len(clip) - 1, count).round().long()]


def _both(views: Mapping[str, Tensor]) -> Tensor:
    return torch.cat([_spaced(views[name], _ACROSS // 2) for name in ("left", "right")])


def write_gallery(folder: Path, done: Sequence[tuple[Job, Mapping[str, Any]]], heading: str) -> None:
    """Sheets and `index.md`: each prompt with the first of its seeds, which nobody chose for its looks."""
    folder.mkdir(parents=True, exist_ok=True)
    first: dict[str, tuple[Job, Mapping[str, Any]]] = {}
    for job, row in done:
        first.setdefault(job.prompt.text, (job, row))
    lines = ["# Gallery", "", heading, ""]
    for job, row in first.values():
        name = f"{job.prompt.name}.jpg"
        with atomic_path(folder / name) as temporary:
            shutil.copyfile(job.sheet, temporary)
        lines += [f"## {job.prompt.text}", "", _words(job, row), "", f"![{job.prompt.text}]({name})", ""]
    with atomic_path(folder / "index.md") as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")


def _words(job: Job, row: Mapping[str, Any]) -> str:
    """How the prompt was understood, and what came of it."""
    understood = read_json(job.run / "videos" / "videos.json").get("understood", "")
    fit = row["psnr"]
    reached = f"{row['coverage']['arc']:.0f} degrees"
    return (
        f"Seed {job.seed}, {job.prompt.kind}; {understood or 'taken as it is'}. "
        f"Against the clips: {fit['reference']:.1f} dB while time runs, "
        f"{fit['freeze, no warps']:.1f} dB frozen over {reached}."
    )
