"""Recipes: whole phase tables as functions. A preset is a function, not a file."""

from __future__ import annotations

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
