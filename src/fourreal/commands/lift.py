"""`4real lift`: two clips become a 4D scene."""

from __future__ import annotations

import time
from pathlib import Path

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
