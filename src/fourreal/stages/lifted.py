"""The files of a lifted scene."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from fourreal.core.scene import Scene
from fourreal.core.storage import write_json
from fourreal.deform import load_field, save_field
from fourreal.deform.storage import Field
from fourreal.fit.clips import Clips
from fourreal.fit.lens import off_the_lens
from fourreal.fit.state import FitState
from fourreal.fit.stereo import focus_distance
from fourreal.raster import select

from .canonical import refined_cameras

SCENE, MOTION, WARP, NOTES = "scene.safetensors", "motion.safetensors", "warp.safetensors", "lift.json"
LIFTED = "temporal"  # folder of these files as the temporal stage leaves them


def save_lift(out: Path, state: FitState, clips: Clips, fps: float, notes: dict[str, Any]) -> None:
    """Write scene, fields and notes, the notes last: they say that the rest is whole.

    What hangs before the lens is left out (`fit.lens`).
    """
    walk = refined_cameras(state, clips.freeze)
    gaussians = state.gaussians()
    gaussians = off_the_lens(gaussians, walk, focus_distance(clips.freeze), select(gaussians.means.device))
    groups, frames = {"freeze": walk.to("cpu")}, 1
    if clips.reference is not None:
        groups["ref"] = clips.reference.cameras.to("cpu")
        frames = len(clips.reference.cameras)
        save_field(out / MOTION, state.modules["motion"])  # type: ignore[arg-type]
    save_field(out / WARP, state.modules["warp"])  # type: ignore[arg-type]
    Scene(gaussians.to("cpu"), groups, n_times=frames, fps=fps).save(out / SCENE)
    write_json(out / NOTES, notes)


def load_lift(run: Path, device: torch.device) -> tuple[Scene, Field | None]:
    """The scene and its motion (None if it is static). Raises `FileFormatError` if a file is missing or damaged."""
    scene = Scene.load(run / SCENE)
    if scene.n_times == 1:
        return scene, None
    motion = load_field(run / MOTION, device)
    motion.rebind(scene.gaussians.means.to(device))
    return scene, motion
