"""Control nodes with skinning: a few hundred rigid motions that the Gaussians follow. Fast enough for a CPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from fourreal.core.checks import check_int
from fourreal.core.errors import FieldError
from fourreal.core.geometry import quat_exp, quat_to_matrix

from .base import Index, Offsets, as_indices, check_span, shaped
from .combine import Pattern, combine, pick
from .room import ROOM, Room
from .space import Space

Interpolation = Literal["linear", "cubic"]
_BUSY = 0.75  # of the nodes are for Gaussians that move
_SPACING = 3  # a node's first radius is half the mean distance to so many nearest nodes


@dataclass(frozen=True)
class NodeConfig:
    """Sparse control points (as in SC-GS, arXiv 2312.14937), each with a table of rigid motions by time.

    The paper keeps an MLP for generality and names skinning as an alternative (4Real, section "Deformable 3DGS"); this
    one is for machines on which an MLP of 8 x 256 would take most of the time.

    Attributes:
        nodes: how many; fewer if there are fewer Gaussians.
        neighbours: nodes that a Gaussian follows.
        interpolation: between the frames of the table; "cubic" is Catmull-Rom.
        scaling: whether nodes also scale the Gaussians (the supplement's ds).
        centred: whether the motions of each node have mean zero over the frames beside the canonical one. Without an
            order of frames nothing else says where between them the canonical set lies: shifting it and all motions
            against each other changes no picture but the canonical frame's.

    Raises:
        FieldError: if a number is not positive or the interpolation is unknown.
    """

    nodes: int = 256
    neighbours: int = 4
    interpolation: Interpolation = "linear"
    scaling: bool = False
    centred: bool = False

    def __post_init__(self) -> None:
        check_int("NodeConfig.nodes", self.nodes, low=1)
        check_int("NodeConfig.neighbours", self.neighbours, low=1)
        if self.interpolation not in ("linear", "cubic"):
            raise FieldError(f"NodeConfig.interpolation must be 'linear' or 'cubic', got {self.interpolation!r}")

    def build(
        self,
        means: Float[Tensor, "N 3"],
        frames: int,
        canonical: int = 0,
        *,
        seed: int = 0,
        space: Space | None = None,
        busy: Bool[Tensor, " N"] | None = None,
    ) -> NodeField:
        """A field at rest whose nodes are spread over `means`; `seed` changes nothing. `space`: see `DeformConfig`.

        Where `busy` says which Gaussians move, three quarters of the nodes are spread over those alone, and the others
        never move: they hold the surroundings still.
        """
        space = Space.around(means) if space is None else space
        points = space.contract(means.detach())
        chosen = farthest_points(points, self.nodes)
        moves = points.new_ones(len(chosen))
        if busy is not None and busy.any() and not busy.all():
            where, rest = busy.nonzero()[:, 0], (~busy).nonzero()[:, 0]
            most = farthest_points(points[where], max(1, round(_BUSY * self.nodes)))
            others = rest[farthest_points(points[rest], max(1, self.nodes - len(most)))]
            chosen = torch.cat([where[most], others])
            moves = torch.cat([points.new_ones(len(most)), points.new_zeros(len(others))])
        field = NodeField(self, frames, canonical, means.detach()[chosen].clone(), space)
        field.moves.copy_(moves)
        field.rebind(means)
        return field


class NodeField(nn.Module):
    """x_t = sum_k w_k (R_k,t (x - p_k) + p_k + tau_k,t) over the nearest nodes k, w_k ~ exp(-|x - p_k|^2 / 2 r_k^2).

    Linear blend skinning (SC-GS, section 3.2); rotations are blended as quaternions with the same weights. Distances in
    the weights, and in the choice of the nearest, are those of the contracted scene (`Space`), where a node of the sky
    has no farther reach than one of the subject.
    R and tau interpolate a table of rotation vectors and translations by frame, of which the row of the canonical
    frame is left out. So the offsets there are sums of exact zeros, and no row is determined only up to a constant.

    Attributes:
        config, frames, canonical, extent: see `NodeConfig`, `DeformField` (extent is its unit).
        nodes: [M, 3] world positions, fixed.
        motions: [frames, M, 6 or 7] parameter: translation in units, rotation vector in radians, d log scale.
        log_radii: [M] parameter: logarithm of r_k in the contracted scene.
        centre: [3] middle of the scene, world units.
        moves: [M] 1 for nodes that may move, 0 for those that hold still.
        room: [8] upright cylinder (`Room`) outside of which Gaussians follow still nodes alone; zeros for everywhere.
    """

    extent: Tensor
    centre: Tensor
    nodes: Tensor
    moves: Tensor
    room: Tensor

    def __init__(self, config: NodeConfig, frames: int, canonical: int, nodes: Tensor, space: Space) -> None:
        super().__init__()
        check_span(frames, canonical)
        self.config, self.frames, self.canonical = config, frames, canonical
        self.register_buffer("nodes", nodes)
        self.register_buffer("moves", nodes.new_ones(len(nodes)))
        self.register_buffer("room", nodes.new_zeros(ROOM))
        self.register_buffer("centre", space.centre.clone())
        self.register_buffer("extent", space.extent.clone())
        self.log_radii = nn.Parameter((spacing(space.contract(nodes)) / 2).clamp_min(1e-4).log())
        self.motions = nn.Parameter(nodes.new_zeros(frames, len(nodes), 7 if config.scaling else 6))
        self._nearest: Pattern | None = None
        self._arms: Pattern | None = None

    @property
    def unit(self) -> Tensor:
        """See `DeformField`. Python from 3.12 on does not see buffers when it asks whether this is one."""
        return self.extent

    def rebind(self, means: Float[Tensor, "N 3"]) -> None:
        """Choose the nearest nodes of each Gaussian anew; for as many Gaussians as before, in the same memory."""
        count = min(self.config.neighbours, len(self.nodes))
        index = self._followed(means.detach(), count)
        self._nearest = Pattern.of(index, len(self.nodes)).placed_as(self._nearest)
        arms = index[..., None] * 4 + torch.arange(4, device=index.device)
        self._arms = Pattern.of(arms.flatten(1), 4 * len(self.nodes)).placed_as(self._arms)

    def _followed(self, means: Tensor, count: int) -> Int64[Tensor, "N k"]:
        points, nodes = self._space.contract(means), self._space.contract(self.nodes)
        index = nearest(points, nodes, count)
        still = (self.moves == 0).nonzero()[:, 0]
        if not self.room.any() or len(still) < count:
            return index
        outside = ~Room.of(self.room).holds(means)
        index[outside] = still[nearest(points[outside], nodes[still], count)]
        return index

    def offsets(self, means: Float[Tensor, "N 3"], index: Index) -> Offsets:
        """See `DeformField`; times may be fractional. Log scales are exact zeros unless `scaling` is on."""
        nearest, arms = self._bound(means)
        times, single = as_indices(index, self.frames, means)
        turns, columns = self._tables(times)
        local = means[:, None] - _rows(self.nodes, nearest.rows)  # [N, K, 3]
        weights = self._weights(means, nearest)
        # The sum over a node's matrix columns joins the one over nodes: its weights are w_k times (x - p_k, 1).
        levers = weights[..., None] * torch.cat([local, torch.ones_like(local[..., :1])], -1)
        moved = combine(arms, levers.flatten(1), columns).unflatten(1, (len(times), 3))
        turned = combine(nearest, weights, turns).unflatten(1, (len(times), -1))
        scaled = turned[..., 4:] if self.config.scaling else means.new_zeros(())
        parts = moved, turned[..., :4], scaled.expand_as(moved)
        return shaped(Offsets(*(v.transpose(0, 1) for v in parts)), single)

    def skinning(self, means: Float[Tensor, "N 3"]) -> tuple[Int64[Tensor, "N k"], Float[Tensor, "N k"]]:
        """The nodes that each Gaussian follows, and their weights (sum 1): what a player elsewhere needs."""
        nearest = self._bound(means)[0]
        return nearest.rows, self._weights(means, nearest)

    def placed(
        self, index: Int64[Tensor, " m"]
    ) -> tuple[Float[Tensor, "m 3"], Float[Tensor, "T m 3"], Float[Tensor, "T m 4"]]:
        """Nodes `index`: where they rest, where they are in all frames but the canonical, and how they are turned."""
        points = self.nodes[index]
        motions = torch.cat([self.motions[: self.canonical], self.motions[self.canonical + 1 :]])[:, index]
        return points, points + self.unit * motions[..., :3], quat_exp(motions[..., 3:6])

    def _bound(self, means: Tensor) -> tuple[Pattern, Pattern]:
        bound = 0 if self._nearest is None else len(self._nearest.rows)
        if self._nearest is None or self._arms is None or bound != len(means):
            raise FieldError(f"the nodes are bound to {bound} Gaussians, got {len(means)}; call rebind(means) first")
        return self._nearest, self._arms

    @property
    def _space(self) -> Space:
        return Space(self.centre, self.unit)

    def _weights(self, means: Tensor, nearest: Pattern) -> Tensor:
        """[N, K] summing to 1; a softmax, so that Gaussians far from every node do not lose them all."""
        apart = self._space.contract(means)[:, None] - _rows(self._space.contract(self.nodes), nearest.rows)
        precision = pick(nearest, torch.exp(-2 * self.log_radii))
        return torch.softmax(-0.5 * apart.square().sum(-1) * precision, -1)

    def _tables(self, times: Tensor) -> tuple[Tensor, Tensor]:
        """[M, T * (4 or 5)] quaternions minus identity (and scales), and [4 M, T * 3] columns of R - 1 and tau."""
        basis = _basis(times, self.frames, self.config.interpolation)
        keep = torch.arange(self.frames, device=basis.device) != self.canonical
        motions = self.motions * self.moves[:, None]
        if self.config.centred and self.frames > 2:
            motions = motions - torch.cat([motions[: self.canonical], motions[self.canonical + 1 :]]).mean(0)
        motions = torch.einsum("tf,fmc->tmc", (basis * keep).to(motions.dtype), motions)
        quats = quat_exp(motions[..., 3:6])
        turns = torch.cat([quats[..., :1] - 1, quats[..., 1:], motions[..., 6:]], -1)
        matrices = quat_to_matrix(quats) - torch.eye(3, dtype=quats.dtype, device=quats.device)
        columns = torch.cat([matrices, self.unit * motions[..., :3, None]], -1)  # [T, M, 3, 4]
        return turns.transpose(0, 1).flatten(1), columns.permute(1, 3, 0, 2).flatten(0, 1).flatten(1)


def _rows(table: Tensor, index: Tensor) -> Tensor:
    """table[index]; plain indexing by so many takes several times as long."""
    return table.index_select(0, index.flatten()).unflatten(0, index.shape)


def _basis(times: Tensor, frames: int, interpolation: Interpolation) -> Tensor:
    """[T, frames] weights of the frames at `times`, summing to 1; a unit row at a whole number."""
    first = times.floor().clamp(0, max(frames - 2, 0))
    u = (times - first)[:, None]
    if interpolation == "linear" or frames < 3:
        weights, reach = torch.cat([1 - u, u], 1), range(2)
    else:
        # Catmull-Rom: tangents are half the difference of the neighbours; the ends are repeated.
        terms = [-u + 2 * u**2 - u**3, 2 - 5 * u**2 + 3 * u**3, u + 4 * u**2 - 3 * u**3, -(u**2) + u**3]
        weights, reach = torch.cat(terms, 1) / 2, range(-1, 3)
    basis = times.new_zeros(len(times), frames)
    for column, step in enumerate(reach):
        at = (first.long() + step).clamp(0, frames - 1)[:, None]
        basis = basis.scatter_add(1, at, weights[:, column : column + 1])
    return basis


def farthest_points(points: Float[Tensor, "N 3"], count: int) -> Int64[Tensor, " M"]:
    """Indices of min(count, N) points, each the farthest from those before it; the first is the nearest to the mean."""
    count = min(count, len(points))
    start = (points - points.mean(0)).square().sum(1).argmin()
    chosen = [start]
    gap = (points - points[start]).square().sum(1)
    for _ in range(count - 1):
        chosen.append(gap.argmax())
        gap = torch.minimum(gap, (points - points[chosen[-1]]).square().sum(1))
    return torch.stack(chosen)


def nearest(points: Float[Tensor, "N 3"], nodes: Float[Tensor, "M 3"], count: int) -> Int64[Tensor, "N k"]:
    """Indices of the `count` nodes nearest to each point, nearest first."""
    parts = [torch.cdist(part, nodes).topk(count, 1, largest=False).indices for part in points.split(8192)]
    return torch.cat(parts) if parts else torch.zeros(0, count, dtype=torch.long, device=points.device)


def spacing(nodes: Float[Tensor, "M 3"]) -> Float[Tensor, " M"]:
    """Mean distance of each node to its three nearest others (1 for a single node)."""
    count = min(_SPACING, len(nodes) - 1)
    if count < 1:
        return nodes.new_ones(len(nodes))
    return torch.cdist(nodes, nodes).topk(count + 1, 1, largest=False).values[:, 1:].mean(1)
