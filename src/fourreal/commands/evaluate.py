"""`4real render` and `4real evaluate`: look at a lifted scene from given cameras, and judge it against truth."""

from __future__ import annotations

import json
from pathlib import Path

import tyro

from fourreal.core.errors import FourRealError

from .device import DeviceName, resolve_device


def render(
    run: tyro.conf.Positional[Path],
    cameras: Path,
    group: str,
    out: Path,
    device: DeviceName = "auto",
    align: bool = False,
) -> int:
    """Render a lifted scene from the cameras and at the times of a group of a cameras.json, as 000.png and so on.

    Args:
        run: folder of `4real lift`.
        cameras: the cameras.json.
        group: which group of it.
        out: folder for the pictures.
        device: auto takes a CUDA GPU if torch and gsplat can use it.
        align: the cameras are in another frame than the scene, as when its poses were estimated: fit a similarity
            between both sets of freeze-time cameras first.
    """
    where = resolve_device(device)
    from rich.console import Console

    from fourreal.io.images import write_images
    from fourreal.stages.lift_views import render_group

    paths = write_images(out, render_group(run, cameras, group, where, align=align))
    Console().print(f"{len(paths)} pictures in {out}", markup=False, highlight=False)
    return 0


def evaluate(
    run: tyro.conf.Positional[Path],
    cameras: Path,
    groups: str,
    truth: Path,
    out: Path | None = None,
    device: DeviceName = "auto",
    align: bool = False,
    lpips: Path | None = None,
) -> int:
    """Compare renders of a lifted scene with true pictures: PSNR and SSIM for each group, as a table and as JSON.

    Args:
        run: folder of `4real lift`.
        cameras: the cameras.json; in the scene's frame (it was given to `lift` as well), or else with --align.
        groups: names of groups, separated by commas.
        truth: folder with GROUP.mp4 or a folder GROUP of pictures for each.
        out: JSON file (default: evaluation.json in the run).
        device: auto takes a CUDA GPU if torch and gsplat can use it.
        align: fit a similarity between the scene's freeze-time cameras and those of group "freeze" first, and say
            what it leaves: for scenes whose poses were estimated.
        lpips: safetensors file with the weights of LPIPS, which is then measured as well.
    """
    where = resolve_device(device)
    from rich.console import Console
    from rich.table import Table

    from fourreal.core.storage import write_json
    from fourreal.metrics import Lpips
    from fourreal.stages.lift_views import judge_run

    names = [name.strip() for name in groups.split(",") if name.strip()]
    if not names:
        raise FourRealError("--groups names no group; for example --groups heldout0,heldout1")
    perceptual = None if lpips is None else Lpips.load(lpips)
    judged = judge_run(run, cameras, names, truth, where, aligned=align, lpips=perceptual)
    console = Console()
    for note in judged.notes:
        console.print(note, markup=False, highlight=False)
    table = Table("group", "frames", "PSNR", "SSIM", *(["LPIPS"] if lpips else []))
    for name, row in judged.groups.items():
        more = [f"{row['lpips']:.4f}"] if lpips else []
        table.add_row(name, str(row["frames"]), f"{row['psnr']:.2f}", f"{row['ssim']:.4f}", *more)
    console.print(table)
    path = run / "evaluation.json" if out is None else out
    write_json(path, {"groups": judged.groups, "alignment": judged.alignment, "notes": list(judged.notes)})
    console.print(f"also in {path}; in short:", markup=False, highlight=False, soft_wrap=True)
    short = {
        name: {k: round(row[k], 4) for k in ("psnr", "ssim", "lpips") if k in row}
        for name, row in judged.groups.items()
    }
    print(json.dumps(short))  # noqa: T201 (one line, for scripts)
    return 0
