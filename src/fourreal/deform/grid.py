"""Dense grids of offsets by frame: what one frame of a freeze-time clip has bent, smooth in space, free in time."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fourreal.core.checks import check_int
from fourreal.core.errors import FieldError

from .base import Index, Offsets, as_indices, check_span, shaped
from .combine import Pattern, combine
from .space import Space

_CORNERS = tuple(itertools.product((0, 1), repeat=3))


@dataclass(frozen=True)
class GridConfig:
    """Trilinear grids over the contracted scene, one table for each frame: w_multi-view(x, k) without a network.

    Attributes:
        sizes: vertices along an edge of each level; the levels add up.
        turning: whether the grids also hold rotations (dq); a few percent of bending show little of them.

    Raises:
        FieldError: if there is no level, or one of fewer than 2 vertices.
    """

    sizes: tuple[int, ...] = (8, 16)
    turning: bool = True

    def __post_init__(self) -> None:
        if not self.sizes:
            raise FieldError("GridConfig.sizes must name at least one level, as in (8, 16)")
        for size in self.sizes:
            check_int("GridConfig.sizes", size, low=2)

    def build(self, means: Float[Tensor, "N 3"], frames: int, canonical: int = 0, *, seed: int = 0) -> GridField:
        """A field that is zero everywhere; `seed` changes nothing."""
        return GridField(self, frames, canonical, Space.around(means))


class GridField(nn.Module):
    """Offsets at x for frame k: trilinear in the contracted x, summed over the levels.

    Only whole indices mean something. The rows of the canonical frame are left out, so its offsets are sums of exact
    zeros. The size of the cells grows with the distance from the scene's middle.

    Attributes:
        config, frames, canonical, unit: see `GridConfig`, `DeformField`.
        centre: [3] middle of the scene, world units.
        table: [frames, V, 3 or 7] parameter: dx in units, dq, at the vertices of all levels.
    """

    unit: Tensor
    centre: Tensor

    def __init__(self, config: GridConfig, frames: int, canonical: int, space: Space) -> None:
        super().__init__()
        check_span(frames, canonical)
        self.config, self.frames, self.canonical = config, frames, canonical
        self.register_buffer("centre", space.centre.clone())
        self.register_buffer("unit", space.extent.clone())
        vertices = sum(size**3 for size in config.sizes)
        self.table = nn.Parameter(space.centre.new_zeros(frames, vertices, 7 if config.turning else 3))

    def rebind(self, means: Float[Tensor, "N 3"]) -> None:
        """Nothing to do: the grids know no particular Gaussians."""

    def offsets(self, means: Float[Tensor, "N 3"], index: Index) -> Offsets:
        """See `DeformField`; an index is rounded to the nearest frame. Log scales are exact zeros."""
        times, single = as_indices(index, self.frames, means)
        rows = times.round().long()
        keep = (rows != self.canonical).to(self.table.dtype)[:, None, None]
        table = (self.table[rows] * keep).transpose(0, 1).flatten(1)  # [V, T * C]
        corners, weights = self._corners(means)
        found = combine(Pattern.of(corners, len(table)), weights, table)
        found = found.unflatten(1, (len(times), -1)).transpose(0, 1)
        zero = means.new_zeros(())
        quats = found[..., 3:] if self.config.turning else zero.expand(len(times), len(means), 4)
        return shaped(Offsets(self.unit * found[..., :3], quats, zero.expand(len(times), len(means), 3)), single)

    def _corners(self, means: Tensor) -> tuple[Tensor, Tensor]:
        """Vertices [N, 8 * levels] around each point, and their weights."""
        place = (Space(self.centre, self.unit).contract(means) + 2) / 4  # [N, 3] in [0, 1]
        steps = torch.tensor(_CORNERS, device=means.device)  # [8, 3]
        indices, weights, first = [], [], 0
        for size in self.config.sizes:
            scaled = place * (size - 1)
            cell = scaled.detach().floor().clamp(0, size - 2)
            u = (scaled - cell)[:, None]
            weights.append(torch.where(steps == 1, u, 1 - u).prod(-1))
            x, y, z = (cell.long()[:, None] + steps).unbind(-1)
            indices.append(first + (x * size + y) * size + z)
            first += size**3
        return torch.cat(indices, 1), torch.cat(weights, 1)
