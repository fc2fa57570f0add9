"""The player's form of a motion: control nodes as they are, any other field sampled at whole times.

Nodes keep the page small and lose nothing between frames: a table of a few hundred rigid motions and, per Gaussian,
four rows and weights (16 bytes) instead of ten numbers for each time. Other fields cost 10 or 13 bytes a Gaussian and
time before compression.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from fourreal.deform.nodes import NodeField
from fourreal.deform.storage import Field

_FINE, _COARSE = 32767, 127


class MotionData(NamedTuple):
    """A description for the player, and arrays by name."""

    about: dict[str, Any]
    arrays: dict[str, np.ndarray]


@torch.no_grad()
def motion_data(motion: Field, means: Tensor, keep: Tensor) -> MotionData:
    """The motion of the Gaussians `means[keep]`; `motion` must be bound to all of `means` (on its device)."""
    if isinstance(motion, NodeField):
        return _of_nodes(motion, means, keep)
    return _of_samples(motion, means, keep)


def _of_nodes(motion: NodeField, means: Tensor, keep: Tensor) -> MotionData:
    rows, weights = motion.skinning(means)
    moves = motion.motions.clone()
    moves[motion.canonical] = 0  # this row of the table is never used
    moves[..., :3] *= motion.unit
    about = {
        "kind": "nodes",
        "frames": motion.frames,
        "columns": moves.shape[2],
        "neighbours": rows.shape[1],
        "cubic": motion.config.interpolation == "cubic",
        "scaling": motion.config.scaling,
    }
    arrays = {
        "nodes": _numpy(motion.nodes).astype("<f4"),
        "moves": _numpy(moves).astype("<f4"),
        "rows": _numpy(rows[keep]).astype("<u2"),
        "weights": np.rint(_numpy(weights[keep]) * 65535).astype("<u2"),
    }
    return MotionData(about, arrays)


def _of_samples(motion: Field, means: Tensor, keep: Tensor) -> MotionData:
    frames = motion.frames
    each = [motion.offsets(means, float(t)) for t in range(frames)]
    shifts, turns, stretches = (
        torch.stack([getattr(o, name)[keep].T for o in each]) for name in ("means", "quats", "log_scales")
    )
    scaling = bool(stretches.any())
    arrays: dict[str, np.ndarray] = {}
    parts = [("shift", shifts, _FINE), ("turn", turns, _COARSE)] + [("stretch", stretches, _COARSE)] * scaling
    for name, values, steps in parts:
        size = values.abs().amax((0, 1)) / steps  # [N] world units (or radians) of one step
        rounded = (values / size.clamp_min(1e-30)).round()
        plural = {"shift": "shifts", "turn": "turns", "stretch": "stretches"}[name]
        arrays[plural] = _numpy(rounded).astype("<i2" if steps == _FINE else "i1")
        arrays[f"{name}_size"] = _numpy(size).astype("<f4")
    return MotionData({"kind": "frames", "frames": frames, "scaling": scaling}, arrays)


def _numpy(values: Tensor) -> np.ndarray:
    return values.detach().cpu().contiguous().numpy()
