"""Regularisers of deformations, each a scalar mean, so that weights do not depend on how many Gaussians there are.

Lengths are divided by `unit` (world units, e.g. `DeformField.unit`), so that weights do not depend on the scale of the
scene either. The paper's weight of each is 0.01 (4Real, supplement); it does not state the reductions.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from fourreal.core.errors import FieldError
from fourreal.core.geometry import knn, quat_conjugate, quat_multiply, quat_normalize, quat_to_matrix

from .base import Offsets

Length = float | Tensor


def small(offsets: Offsets, unit: Length = 1.0) -> Float[Tensor, ""]:
    """|dx|_1 + |dq|_1, mean over Gaussians and frames (4Real's L_small, which sums over the frames)."""
    return (offsets.means / unit).abs().sum(-1).mean() + offsets.quats.abs().sum(-1).mean()


def norm(offsets: Offsets, unit: Length = 1.0) -> Float[Tensor, ""]:
    """|dx|_1 + |dq|_1 + |ds|_1, mean over Gaussians and times (4Real's L_norm)."""
    return small(offsets, unit) + offsets.log_scales.abs().sum(-1).mean()


def diff(means: Float[Tensor, "T N 3"], unit: Length = 1.0) -> Float[Tensor, ""]:
    """|x_t - x_(t-1)|_1, mean over Gaussians and pairs of successive times (4Real's L_diff).

    Means or their offsets: the difference is the same. Raises `FieldError` for fewer than two times.
    """
    _check_times(means)
    return ((means[1:] - means[:-1]) / unit).abs().sum(-1).mean()


class Neighbours(NamedTuple):
    """Pairs of Gaussians that should move together."""

    rows: Tensor  # [M] int64 the Gaussians i
    indices: Tensor  # [M, k] int64 their neighbours j
    weights: Tensor  # [M, k] in (0, 1]

    def sample(self, count: int, generator: torch.Generator) -> Neighbours:
        """The pairs of at most `count` Gaussians drawn at random (CPU generator): the cost is per pair and time."""
        chosen = torch.randperm(len(self.rows), generator=generator)[:count].to(self.rows.device)
        return Neighbours(self.rows[chosen], self.indices[chosen], self.weights[chosen])


def neighbourhood(
    means: Float[Tensor, "N 3"], k: int = 20, lambda_w: float | None = None, rows: Int64[Tensor, " M"] | None = None
) -> Neighbours:
    """Each Gaussian's k nearest, weighted by w_ij = exp(-lambda_w |x_j - x_i|^2) (Dynamic 3D Gaussians).

    Not differentiable, and nothing in it waits for a GPU. That paper has k = 20 and lambda_w = 2000 for scenes in
    metres.

    Args:
        means: canonical centres.
        k: neighbours of each.
        lambda_w: in 1 / world units^2; by default 1 over the median squared distance of the pairs, whatever the scale.
        rows: the Gaussians whose neighbours are wanted; None for all.

    Raises:
        FieldError: unless 1 <= k < N and lambda_w is finite and not negative.
    """
    if lambda_w is not None and not (math.isfinite(lambda_w) and lambda_w >= 0):
        raise FieldError(f"lambda_w must be finite and not negative, got {lambda_w!r}")
    distances, indices = knn(means.detach(), k, rows)
    square = distances.square()
    steep = 1 / square.median().clamp_min(1e-20) if lambda_w is None else lambda_w
    rows = torch.arange(len(means), device=means.device) if rows is None else rows
    return Neighbours(rows, indices, torch.exp(-steep * square))


def rigidity(
    means: Float[Tensor, "T N 3"], turns: Float[Tensor, "T N 4"], neighbours: Neighbours, unit: Length = 1.0
) -> Float[Tensor, ""]:
    """w_ij |(x_j,t-1 - x_i,t-1) - R_i,t-1 R_i,t^-1 (x_j,t - x_i,t)|_2, mean over pairs and steps of time.

    The local-rigidity loss of Dynamic 3D Gaussians (arXiv 2308.09713): neighbours follow the rotation of i from one
    time to the next.

    Args:
        means: deformed centres at successive times.
        turns: rotations in wxyz of any norm: the deformed quats, or `turns_of(offsets)`, which gives the same.
        neighbours: the pairs.
        unit: world units that lengths are divided by.

    Raises:
        FieldError: for fewer than two times.
    """
    _check_times(means)
    arms = (_taken(means, neighbours.indices) - _taken(means, neighbours.rows)[:, :, None]) / unit  # [T, M, k, 3]
    matrices = quat_to_matrix(_taken(turns, neighbours.rows))
    back = matrices[:-1] @ matrices[1:].transpose(-1, -2)
    apart = arms[:-1] - arms[1:] @ back.transpose(-1, -2)
    return (neighbours.weights * _length(apart)).mean()


def arap(
    points: Float[Tensor, "M 3"],
    means: Float[Tensor, "T M 3"],
    turns: Float[Tensor, "T M 4"],
    neighbours: Neighbours,
    unit: Length = 1.0,
) -> Float[Tensor, ""]:
    """w_ij |R_i,t (p_j - p_i) - (x_j,t - x_i,t)|_2, mean over pairs and times: as rigid as possible.

    O. Sorkine and M. Alexa, SGP 2007, on control nodes as in SC-GS (arXiv 2312.14937, section 3.3), but not squared, so
    that a body rather bends at a few joints than everywhere. Against the places at rest: steps that are each nearly
    rigid do not add up to a stretched body.

    Args:
        points: places at rest.
        means: places at some times.
        turns: rotations since, wxyz of any norm.
        neighbours: pairs of `points`.
        unit: world units that lengths are divided by.
    """
    rest = _taken(points[None], neighbours.indices) - _taken(points[None], neighbours.rows)[:, :, None]
    arms = _taken(means, neighbours.indices) - _taken(means, neighbours.rows)[:, :, None]  # [T, M, k, 3]
    apart = rest @ quat_to_matrix(_taken(turns, neighbours.rows)).transpose(-1, -2) - arms
    return (neighbours.weights * _length(apart / unit)).mean()


def rotation_similarity(turns: Float[Tensor, "T N 4"], neighbours: Neighbours) -> Float[Tensor, ""]:
    """w_ij |q_j,t q_j,t-1^-1 - q_i,t q_i,t-1^-1|_2, mean over pairs and steps of time.

    The rotational-similarity loss of Dynamic 3D Gaussians: neighbours turn alike. Steps are taken with a real part that
    is not negative, because q and -q are one rotation. Raises `FieldError` for fewer than two times.
    """
    _check_times(turns)
    unit = quat_normalize(turns)
    steps = quat_multiply(unit[1:], quat_conjugate(unit[:-1]))
    steps = torch.where(steps[..., :1] < 0, -steps, steps)
    apart = _taken(steps, neighbours.indices) - _taken(steps, neighbours.rows)[:, :, None]
    return (neighbours.weights * _length(apart)).mean()


def turns_of(offsets: Offsets) -> Float[Tensor, "*T N 4"]:
    """The rotations that `offsets` apply: (1, 0, 0, 0) + dq, wxyz of any norm."""
    return torch.cat([offsets.quats[..., :1] + 1, offsets.quats[..., 1:]], -1)


def _taken(values: Float[Tensor, "T N C"], index: Tensor) -> Tensor:
    """values[:, index]: [T, *index.shape, C]. As an embedding: the gradient of plain indexing sums what comes to one
    Gaussian in the order of the threads, which is another on every run."""
    found = F.embedding(index, values.transpose(0, 1).flatten(1))
    return found.unflatten(-1, (len(values), -1)).movedim(-2, 0)


def _check_times(values: Tensor) -> None:
    if len(values) < 2:
        raise FieldError(f"a loss between successive times needs at least two, got {len(values)}")


def _length(vectors: Tensor) -> Tensor:
    """The Euclidean norm, with a gradient of zero at zero."""
    return (vectors.square().sum(-1) + 1e-20).sqrt()
