"""The scene in a fixed frame: its middle and size, and all of space folded into a cube."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from fourreal.core.errors import FieldError

_SHARE = 0.8  # of the Gaussians lie within the inner cube; the rest may be as far away as the sky


class Space(NamedTuple):
    """Where a scene is."""

    centre: Tensor  # [3] world units
    extent: Tensor  # [] world units

    @classmethod
    def around(cls, means: Float[Tensor, "N 3"]) -> Space:
        """Median of the points, and the distance (largest coordinate) within which four fifths of them lie.

        Medians, because seeds of the sky may be hundreds of times as far away as the subject. Raises `FieldError`
        if there are no points.
        """
        if len(means) == 0:
            raise FieldError("a deformation field needs at least one Gaussian to find its place, got 0")
        points = means.detach()
        centre = points.median(0).values
        reach = (points - centre).abs().amax(1)
        extent = reach.sort().values[int(_SHARE * (len(reach) - 1))]
        return cls(centre, extent.clamp_min(1e-6))

    def contract(self, points: Float[Tensor, "*B 3"]) -> Float[Tensor, "*B 3"]:
        """All of space in [-2, 2]^3; the inner cube, of half-size `extent`, becomes [-1, 1]^3.

        Mip-NeRF 360 (arXiv 2111.12077, equation 10), with the largest coordinate for the norm, as boxes want it.
        """
        local = (points - self.centre) / self.extent
        size = local.abs().amax(-1, keepdim=True).clamp_min(1.0)
        return local * ((2 - 1 / size) / size)
