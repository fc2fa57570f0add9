"""Recipes: whole phase tables as functions. A preset is a function, not a file."""

from __future__ import annotations

from dataclasses import dataclass

from fourreal.fit.phases import Growth, Phase, Rate

# 3DGS's rates (arXiv 2308.04079), colours faster for fewer steps; rotation at 1e-3 as in 4Real.
_RATES = {
    "means": Rate(1.6e-4, 1.6e-6),
    "quats": Rate(1e-3, 1e-3),
    "log_scales": Rate(5e-3, 1e-3),
    "logit_opacities": Rate(5e-2, 1e-2),
    "colors": Rate(5e-3, 5e-4),
}


def static_preview(effort: float = 1.0) -> tuple[Phase, ...]:
    """A static scene from posed images in two to three minutes on two CPU cores, at about 144 x 256.

    Half the size first, with the seeds as they are; then full size with growth. `effort` scales the steps.
    """
    prune = Growth(max_gaussians=0)
    losses = {"l1": 1.0, "haze": 0.003}
    coarse = Phase("coarse", max(1, int(300 * effort)), _RATES, losses, views=4, shrink=2, growth=prune)
    growth = Growth(max_gaussians=32_000, stop=0.6)
    losses = {"l1": 0.8, "dssim": 0.2, "haze": 0.003}
    fine = Phase("fine", max(1, int(1300 * effort)), _RATES, losses, views=2, growth=growth)
    return coarse, fine


_LOSSES = {"l1": 0.8, "dssim": 0.2, "haze": 0.003}
_MOTION = {"norm": 0.01, "diff": 0.01, "rigid": 0.01, "rotation": 0.01}  # 4Real: each regulariser weighs 0.01


@dataclass(frozen=True)
class Ablations:
    """Parts of the method that can be left out, each by itself (4Real, ablations).

    Attributes:
        warp: per-frame deformation of the freeze-time clip.
        small_motion: the pull of that deformation towards zero.
        refine_poses: joint refinement of the cameras.
        rigidity: neighbours move alike.
        growth: new Gaussians in the temporal stage.
        freeze_clip: the freeze-time clip in the joint phase.
        multi_view_score: score distillation in the canonical stage; needs a teacher.
        joint_score: score distillation in the temporal stage; needs a teacher.
    """

    warp: bool = True
    small_motion: bool = True
    refine_poses: bool = True
    rigidity: bool = True
    growth: bool = True
    freeze_clip: bool = True
    multi_view_score: bool = True
    joint_score: bool = True


def canonical_default(effort: float = 1.0, parts: Ablations = Ablations()) -> tuple[Phase, ...]:
    """The frozen instant on two CPU cores: coarse, then with per-frame deformation and cameras (4Real, section 3).

    Warps are slow and their pull towards zero is strong (the paper's 0.01 is on sums over the frames): faster or freer
    ones take over the parallax that the geometry should explain. One world at 128x72, 40 % of the steps, canonical
    scene against the truth at the clip's cameras: rate 3e-3 28.8 dB, 5e-4 31.0, as here 37.7, no warp 38.5; with the
    clip spoiled at strength 0.5 31.9, 31.8, 32.1 and 32.1, and at the canonical frame 33 to 37 dB with and 27 without.
    """
    prune = Growth(max_gaussians=0)
    growth = Growth(max_gaussians=32_000, stop=0.7)
    coarse = Phase("coarse", _steps(400, effort), _RATES, {"l1": 1.0, "haze": 0.003}, views=4, shrink=2, growth=prune)
    rates, losses = dict(_RATES), dict(_LOSSES)
    fields = ("warp",) if parts.warp else ()
    if parts.warp:
        rates["warp"] = Rate(2e-4, 2e-4)
        losses |= {"small": 0.3} if parts.small_motion else {}
    if parts.refine_poses:
        rates["poses"] = Rate(1e-4, 1e-5)
    fine = Phase("canonical", _steps(800, effort), rates, losses, views=2, fields=fields, growth=growth)
    return coarse, fine


def temporal_default(effort: float = 1.0, parts: Ablations = Ablations()) -> tuple[Phase, ...]:
    """Motion alone; new Gaussians for what it reveals, the others held; then all on both clips (4Real, section 4)."""
    regular = {k: v for k, v in _MOTION.items() if parts.rigidity or k not in {"rigid", "rotation"}}
    losses = {"l1": 0.8, "dssim": 0.2, **regular}
    motion = Phase(
        "motion", _steps(500, effort), {"motion": Rate(2e-3, 2e-4)}, losses, views=0, frames=2, fields=("motion",)
    )
    views, fields = (2 if parts.freeze_clip else 0), (("warp", "motion") if parts.warp else ("motion",))
    reveal = Phase(
        "reveal", _steps(150, effort), {**_RATES, "motion": Rate(2e-4, 2e-4)}, {**_LOSSES, **regular},
        views=1 if views else 0, frames=2, fields=fields, hold=True,
        growth=Growth(every=25, stop=0.8, max_gaussians=36_000, max_share=0.03, min_opacity=1e-2),
    )  # fmt: skip
    slow = {k: Rate(v.start * 0.5, v.end) for k, v in _RATES.items()}
    growth = Growth(max_gaussians=40_000, stop=0.6, min_opacity=1e-2) if parts.growth else None
    joint = Phase(
        "joint", _steps(500, effort), {**slow, "motion": Rate(6e-4, 6e-5)}, {**_LOSSES, **regular},
        views=views, frames=2, fields=fields, growth=growth,
    )  # fmt: skip
    return (motion, reveal, joint) if parts.growth else (motion, joint)


def _steps(count: int, effort: float) -> int:
    return max(1, round(count * effort))
