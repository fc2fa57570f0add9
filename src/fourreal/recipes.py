"""Recipes: whole phase tables as functions. A preset is a function, not a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fourreal.fit.phases import Growth, Guidance, Phase, Rate, batched

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
_BASE = 256  # width at which clips are fitted before the last phases see them as large as they are
_MOTION = {"norm": 0.01, "diff": 0.01, "rigid": 0.01, "rotation": 0.01}  # 4Real: each regulariser weighs 0.01
# Nodes move as rigidly as possible. Neighbouring Gaussians share their nodes, so their own rigidity hardly binds.
_NODES = {**_MOTION, "arap": 0.3}
# A score costs a network and 16 renders: every fifth step, and with less noise than the paper's, because it changes a
# scene that is reconstructed already. Renders are as large as the clips: splats drawn at half the size are wider by the
# rasterizer's blur, which a teacher then takes away from the scene (docs/guidance.md).
_SCORE: dict[str, Any] = {"every": 5, "highest": 0.5}


@dataclass(frozen=True)
class Ablations:
    """Parts of the method that can be left out, each by itself (4Real, ablations).

    Attributes:
        warp: per-frame deformation of the freeze-time clip.
        small_motion: the pull of that deformation towards zero.
        refine_poses: joint refinement of the cameras.
        rigidity: neighbours, and control nodes, move alike.
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


def canonical_default(effort: float = 1.0, parts: Ablations = Ablations(), guided: bool = False) -> tuple[Phase, ...]:
    """The frozen instant on two CPU cores: coarse, then with per-frame deformation and cameras (4Real, section 3).

    With `guided`, for fits that have a teacher, multi-view score distillation comes last.

    Warps are slow and their pull towards zero is strong (the paper's 0.01 is on sums over the frames): faster or freer
    ones take over the parallax that the geometry should explain. One world at 128x72, 40 % of the steps, canonical
    scene against the truth at the clip's cameras: rate 3e-3 28.8 dB, 5e-4 31.0, as here 37.7, no warp 38.5; with the
    clip spoiled at strength 0.5 31.9, 31.8, 32.1 and 32.1, and at the canonical frame 33 to 37 dB with and 27 without.
    """
    prune = Growth(max_gaussians=0)
    coarse = Phase(
        "coarse", _steps(360, effort), _RATES, {"l1": 1.0, "haze": 0.003}, views=4, shrink=2, most=_BASE, growth=prune
    )
    rates, losses = dict(_RATES), dict(_LOSSES)
    fields = ("warp",) if parts.warp else ()
    if parts.warp:
        rates["warp"] = Rate(2e-4, 2e-4)
        losses |= {"small": 0.3} if parts.small_motion else {}
    if parts.refine_poses:
        rates["poses"] = Rate(1e-4, 1e-5)
    first, last = ({k: _part(v, *share) for k, v in rates.items()} for share in ((0, 0.7), (0.7, 1)))
    fine = Phase(
        "canonical", _steps(480, effort), first, losses, views=2, most=_BASE, fields=fields,
        growth=Growth(max_gaussians=32_000, stop=1.0),
    )  # fmt: skip
    detail = Phase(
        "detail",
        _steps(220, effort),
        last,
        losses,
        views=2,
        fields=fields,
        growth=Growth(max_gaussians=50_000, stop=0.5),
    )
    score = Phase(
        "multi-view score", _steps(80, effort), _late(_RATES), losses, views=2, most=_BASE, fields=fields,
        guidance=Guidance("multi-view", 5.0, **_SCORE),
    )  # fmt: skip
    return (coarse, fine, detail, score) if guided and parts.multi_view_score else (coarse, fine, detail)


def temporal_default(effort: float = 1.0, parts: Ablations = Ablations(), guided: bool = False) -> tuple[Phase, ...]:
    """Motion alone; new Gaussians for what it reveals, the others held; then all on both clips (4Real, section 4).

    With `guided`, for fits that have a teacher, joint score distillation comes last.
    """
    regular = {k: v for k, v in _NODES.items() if parts.rigidity or k not in {"rigid", "rotation", "arap"}}
    losses = {"l1": 0.8, "dssim": 0.2, **regular}
    motion = Phase(
        "motion", _steps(500, effort), {"motion": Rate(2e-3, 2e-4)}, losses, views=0, frames=2, fields=("motion",),
        most=_BASE,
    )  # fmt: skip
    views, fields = (2 if parts.freeze_clip else 0), (("warp", "motion") if parts.warp else ("motion",))
    reveal = Phase(
        "reveal", _steps(150, effort), {**_RATES, "motion": Rate(2e-4, 2e-4)}, {**_LOSSES, **regular},
        views=1 if views else 0, frames=2, fields=fields, most=_BASE, hold=True,
        growth=Growth(every=25, stop=0.8, max_gaussians=54_000, max_share=0.03, min_opacity=1e-2),
    )  # fmt: skip
    slow = {k: Rate(v.start * 0.5, v.end) for k, v in _RATES.items()} | {"motion": Rate(6e-4, 6e-5)}
    first, last = ({k: _part(v, *share) for k, v in slow.items()} for share in ((0, 0.7), (0.7, 1)))
    growth = Growth(max_gaussians=58_000, stop=0.85, min_opacity=1e-2) if parts.growth else None
    joint = Phase(
        "joint", _steps(350, effort), first, {**_LOSSES, **regular}, views=views, frames=2, fields=fields, most=_BASE,
        growth=growth,
    )  # fmt: skip
    detail = Phase("joint detail", _steps(150, effort), last, joint.losses, views=views, frames=2, fields=fields)
    score = Phase(
        "joint score", _steps(80, effort), {**_late(slow), "motion": Rate(6e-5, 6e-5)}, joint.losses,
        views=views, frames=2, fields=fields, most=_BASE, guidance=Guidance("joint", 20.0, **_SCORE),
    )  # fmt: skip
    closing = (score,) if guided and parts.joint_score else ()
    return (motion, *((reveal,) if parts.growth else ()), joint, detail, *closing)


# The paper's rates, 3DGS's where it says nothing.
_PAPER = {
    "means": Rate(1.6e-4, 1.6e-6),
    "quats": Rate(1e-3, 1e-3),
    "log_scales": Rate(1e-3, 1e-3),
    "logit_opacities": Rate(5e-2, 5e-2),
    "colors": Rate(2.5e-3, 2.5e-3),
}
_PAPER_FIELD = Rate(1e-3, 1e-5)


def canonical_paper(
    effort: float = 1.0, parts: Ablations = Ablations(), guided: bool = False, images: int = 1
) -> tuple[Phase, ...]:
    """The paper's canonical stage: 3 000 steps without warp, 15 000 with growth, 5 000 with a score (section 3).

    One image a step; or several, and as many fewer steps (`batched`). L_small is a sum over the frames, which a mean
    over those drawn stands for times their number: 0.01 becomes 0.3. The densification threshold is 3DGS's for plain
    gradients; ours is for absolute ones.
    """
    growth = Growth(max_gaussians=200_000, stop=1.0)
    total = 23_000
    fields = ("warp",) if parts.warp else ()
    losses = {"l1": 1.0, **({"small": 0.3} if parts.warp and parts.small_motion else {})}

    def rates(begin: int, end: int) -> dict[str, Rate]:
        out = {k: _part(v, begin / total, end / total) for k, v in _PAPER.items()}
        share = ((begin - 3000) / 20_000, (end - 3000) / 20_000)
        out |= {"warp": _part(_PAPER_FIELD, *share)} if parts.warp else {}
        return out | ({"poses": Rate(1e-4, 1e-5)} if parts.refine_poses else {})

    first = {k: _part(v, 0, 3000 / total) for k, v in _PAPER.items()}
    warm = Phase("warm-up", _steps(3000, effort), first, {"l1": 1.0}, growth=growth)
    warped = Phase("canonical", _steps(15_000, effort), rates(3000, 18_000), losses, fields=fields, growth=growth)
    guidance = Guidance("multi-view", 5.0) if guided and parts.multi_view_score else None
    last = Phase(
        "multi-view score", _steps(5000, effort), rates(18_000, total), losses, fields=fields, guidance=guidance
    )
    return tuple(batched(p, images) for p in (warm, warped, last))


def temporal_paper(
    effort: float = 1.0, parts: Ablations = Ablations(), guided: bool = False, images: int = 1
) -> tuple[Phase, ...]:
    """The paper's temporal stage: 10 000 steps of motion, 5 000 of growth, 5 000 of all with a score (section 4).

    One image a step, as in the canonical stage; or several, and as many fewer steps (`batched`). L_diff and rigidity
    ask where the Gaussians are at a neighbouring time, not for a picture of it, so a single image needs no second one;
    several are pairs of successive times. The last two phases look at both clips, half of the images each: at two a
    step, at least.
    """
    regular = {k: v for k, v in _MOTION.items() if parts.rigidity or k not in {"rigid", "rotation"}}
    losses = {"l1": 0.8, "dssim": 0.2, **regular}
    fields = ("warp", "motion") if parts.warp else ("motion",)
    frames = max(1, images // 4 * 2) if parts.freeze_clip else images
    views = max(1, images - frames) if parts.freeze_clip else 0

    def motion(begin: int, end: int) -> Rate:
        return _part(_PAPER_FIELD, begin / 20_000, end / 20_000)

    alone = Phase(
        "motion", _steps(10_000, effort), {"motion": motion(0, 10_000)}, losses, views=0, frames=1, fields=("motion",)
    )
    growth = Growth(max_gaussians=250_000, stop=1.0, min_opacity=1e-2) if parts.growth else None
    reveal = Phase(
        "reveal", _steps(5000, effort), {**_PAPER, "motion": motion(10_000, 15_000)}, losses, fields=fields,
        growth=growth, hold=True,
    )  # fmt: skip
    slow = {k: Rate(v.end, v.end) for k, v in _PAPER.items()}
    guidance = Guidance("joint", 20.0) if guided and parts.joint_score else None
    joint = Phase(
        "joint score", _steps(5000, effort), {**slow, "motion": motion(15_000, 20_000)}, losses, fields=fields,
        guidance=guidance,
    )  # fmt: skip
    both = (*((reveal,) if parts.growth else ()), joint)
    return (batched(alone, 0, images), *(batched(p, views, frames) for p in both))


def _part(rate: Rate, begin: float, end: float) -> Rate:
    """The stretch of a decay between two shares of its way."""
    return Rate(rate.at(begin), rate.at(end))


def _late(rates: Mapping[str, Rate]) -> dict[str, Rate]:
    """Rates for a phase after the others."""
    return {k: Rate(0.3 * v.start, v.end) for k, v in rates.items()}


def _steps(count: int, effort: float) -> int:
    return max(1, round(count * effort))


def detail_default(effort: float = 1.0) -> tuple[Phase, ...]:
    """Fine-tuning on pictures that the video model drew again, beside both clips, at the rates at which fits end.

    No new Gaussians, and hardly a move: only details are looked for (4Real, section 4, the optional last step).
    """
    ends = {k: Rate(v.end, 0.3 * v.end) for k, v in _RATES.items()}
    rates = {**ends, "means": Rate(8e-6, 1.6e-6), "motion": Rate(6e-5, 2e-5)}
    phase = Phase(
        "redrawn", _steps(120, effort), rates, {**_LOSSES, **_NODES}, views=1, frames=2, fields=("warp", "motion")
    )
    return (phase,)
