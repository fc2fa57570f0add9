"""`4real lift`: two clips become a 4D scene; `4real render` and `4real evaluate` look at it from given cameras."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

import tyro

from fourreal.core.errors import FourRealError

from .device import DeviceName, resolve_device


def lift(
    freeze: Path,
    reference: Path | None = None,
    cameras: Path | None = None,
    out: Path = Path("out/lift"),
    freeze_frame: int | None = None,
    reference_frame: int | None = None,
    device: DeviceName = "auto",
    effort: float = 1.0,
) -> int:
    """Lift a reference clip (time runs) and a freeze-time clip (the camera walks round a frozen moment) to a 4D scene.

    Run the same command again after a stop: it goes on from its checkpoint. Without a reference the scene is static.

    Args:
        freeze: the freeze-time clip.
        reference: the reference clip.
        cameras: known cameras, a cameras.json with groups "freeze" and "ref"; without it they are estimated.
        out: folder of the run.
        freeze_frame: frame of the freeze clip that shows the same picture as reference_frame (default: most alike).
        reference_frame: see there.
        device: auto takes a CUDA GPU if torch and gsplat can use it.
        effort: factor on the number of steps.
    """
    if not 0 < effort <= 100:
        raise FourRealError(f"--effort must lie in (0, 100], got {effort:g}; 1 is the usual")
    where = resolve_device(device)
    from rich.console import Console

    from fourreal.recipes import canonical_default, temporal_default
    from fourreal.stages.lift import LiftConfig, fit_clips, read_clips, save_lift
    from fourreal.stages.lift_views import write_views

    from .display import FitDisplay

    console, begun = Console(), time.monotonic()
    config = LiftConfig(freeze, reference, cameras, freeze_frame, reference_frame)
    clips, notes = read_clips(config, lambda line: console.print(line, markup=False, highlight=False))
    clips = clips.to(where)
    checkpoint = out / "checkpoint.safetensors"
    out.mkdir(parents=True, exist_ok=True)
    with FitDisplay(console) as display:
        state = fit_clips(
            clips, config, canonical_default(effort), temporal_default(effort), where,
            checkpoint=checkpoint, on_progress=display,
        )  # fmt: skip
    save_lift(out, state, clips, 8.0, {**notes, "seconds": round(time.monotonic() - begun, 1)})
    checkpoint.unlink(missing_ok=True)
    quality = write_views(out, clips, where)
    figures = ", ".join(f"{name} {value:.1f} dB" for name, value in quality.items())
    console.print(f"fitted frames: {figures}; {time.monotonic() - begun:.0f} s in all")
    console.print(f"look at {out}/orbit.mp4, {out}/reference_vs_render.png and {out}/freeze_vs_render.png")
    return 0


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
    device: Literal["auto", "cpu", "cuda"] = "auto",
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
