"""What `generate.py` looks at: the clips of a run, and renders of its scene from their cameras and others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FourRealError
from fourreal.core.paths import orbit
from fourreal.export.films import covered_arc
from fourreal.export.lifted import Lifted, load_warp, read_lifted
from fourreal.stages.poses import read_run_clips

OFF = 45.0  # degrees


@dataclass(frozen=True, eq=False)
class Seen:
    """Clips and renders, [F, 3, H, W] in [0, 1] on the CPU, all at the size of the fit.

    Attributes:
        reference, freeze: the generated clips.
        seen: the reference camera's render, frame by frame.
        bent, frozen: the freeze-time cameras' renders with and without the warp of each frame (bent is None if the run
            stores none).
        side: time runs, the camera rests 45 degrees left and right of the reference camera.
        beyond: the same 45 degrees beyond either end of the freeze-time clip, if the circle has room for that: nothing
            was shown from there.
        arc: degrees from end to end of the freeze-time clip.
    """

    reference: Tensor
    freeze: Tensor
    seen: Tensor
    bent: Tensor | None
    frozen: Tensor
    side: dict[str, Tensor]
    beyond: dict[str, Tensor]
    arc: float


def look(run: Path, device: torch.device) -> Seen:
    """Render what is measured.

    Raises:
        FourRealError: if the run is not finished, or has no clip in which time runs.
    """
    lifted, (clips, _) = read_lifted(run, device), read_run_clips(run)
    if clips.reference is None or "ref" not in lifted.scene.cameras:
        raise FourRealError(f"{run} has no clip in which time runs")
    reference, freeze = lifted.scene.cameras["ref"], lifted.scene.cameras["freeze"]
    warp, (low, high) = load_warp(run, lifted), covered_arc(lifted)
    room = 360 - (high - low) >= 2 * OFF
    return Seen(
        clips.reference.images.cpu(),
        clips.freeze.images.cpu(),
        lifted.render(reference),
        None if warp is None else lifted.render_warped(freeze, warp),
        lifted.render(_at(freeze, lifted.instant)),
        {name: _resting(lifted, turn, reference) for name, turn in (("left", -OFF), ("right", OFF))},
        {
            name: _resting(lifted, turn, reference)
            for name, turn in (("left", low - OFF), ("right", high + OFF))
            if room
        },
        high - low,
    )


def _at(cameras: Cameras, moment: float) -> Cameras:
    times = torch.full((len(cameras),), float(moment))
    return Cameras(cameras.viewmats, cameras.Ks, cameras.width, cameras.height, times)


def _resting(lifted: Lifted, degrees: float, reference: Cameras) -> Float[Tensor, "F 3 H W"]:
    """The scene at the reference clip's moments from `degrees` to the right of the home camera."""
    view = orbit(lifted.home, lifted.pivot, 2, degrees=degrees, up=lifted.up)[1]
    still = view[[0] * len(reference)]
    return lifted.render(Cameras(still.viewmats, still.Ks, still.width, still.height, reference.moments))
