"""`4real render` and `4real evaluate`: look at a lifted scene from given cameras, and judge it against truth."""

from __future__ import annotations

from pathlib import Path

import tyro

from fourreal.core.errors import FourRealError

from .device import DeviceName, resolve_device


def render(run: tyro.conf.Positional[Path], cameras: Path, group: str, out: Path, device: DeviceName = "auto") -> int:
    """Render a lifted scene from the cameras and at the times of a group of a cameras.json, as 000.png and so on.

    Args:
        run: folder of `4real lift`.
        cameras: the cameras.json.
        group: which group of it.
        out: folder for the pictures.
        device: auto takes a CUDA GPU if torch and gsplat can use it.
    """
    where = resolve_device(device)
    from rich.console import Console

    from fourreal.io.images import write_images
    from fourreal.stages.lift_views import render_group

    paths = write_images(out, render_group(run, cameras, group, where))
    Console().print(f"{len(paths)} pictures in {out}", markup=False, highlight=False)
    return 0


def evaluate(
    run: tyro.conf.Positional[Path],
    cameras: Path,
    groups: str,
    truth: Path,
    out: Path | None = None,
    device: DeviceName = "auto",
) -> int:
    """Compare renders of a lifted scene with true pictures: PSNR and SSIM for each group, as a table and as JSON.

    Args:
        run: folder of `4real lift`.
        cameras: the cameras.json, in the scene's frame (give it to `lift` as well).
        groups: names of groups, separated by commas.
        truth: folder with GROUP.mp4 or a folder GROUP of pictures for each.
        out: JSON file (default: evaluation.json in the run).
        device: auto takes a CUDA GPU if torch and gsplat can use it.
    """
    where = resolve_device(device)
    from rich.console import Console
    from rich.table import Table

    from fourreal.core.storage import write_json
    from fourreal.stages.lift_views import compare_group

    names = [name.strip() for name in groups.split(",") if name.strip()]
    if not names:
        raise FourRealError("--groups names no group; for example --groups heldout0,heldout1")
    rows = {name: compare_group(run, cameras, name, truth, where) for name in names}
    table = Table("group", "frames", "PSNR", "SSIM")
    for name, row in rows.items():
        table.add_row(name, str(row["frames"]), f"{row['psnr']:.2f}", f"{row['ssim']:.4f}")
    console = Console()
    console.print(table)
    path = run / "evaluation.json" if out is None else out
    write_json(path, rows)
    console.print(f"also in {path}", markup=False, highlight=False)
    return 0
