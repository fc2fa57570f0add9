"""Regularisers: zero where they should be, right values on small cases, exact gradients."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from fourreal.core.errors import FieldError
from fourreal.core.geometry import quat_exp, quat_multiply, quat_to_matrix
from fourreal.deform import Offsets
from fourreal.deform.losses import (
    Neighbours,
    arap,
    diff,
    neighbourhood,
    norm,
    rigidity,
    rotation_similarity,
    small,
    turns_of,
)


def points(count: int = 30) -> Tensor:
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def rigid_clip(seed: int, base: Tensor, times: int = 4) -> tuple[Tensor, Tensor]:
    """Means and quats of a set that moves as one body."""
    g = torch.Generator().manual_seed(seed)
    turns = quat_exp(2 * torch.randn(times, 3, generator=g, dtype=torch.float64))
    shifts = torch.randn(times, 1, 3, generator=g, dtype=torch.float64)
    own = torch.randn(len(base), 4, generator=g, dtype=torch.float64)
    return base @ quat_to_matrix(turns).transpose(1, 2) + shifts, quat_multiply(turns[:, None], own)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_a_rigid_motion_costs_nothing(seed: int) -> None:
    near = neighbourhood(points(), 5)
    means, quats = rigid_clip(seed, points())
    assert float(rigidity(means, quats, near)) < 1e-9
    assert float(rotation_similarity(quats, near)) < 1e-9


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 100))
def test_nodes_that_move_as_one_body_cost_nothing_and_units_do_not_matter(seed: int, scale: float) -> None:
    g = torch.Generator().manual_seed(seed)
    near = neighbourhood(points(), 5)
    turns = quat_exp(2 * torch.randn(3, 1, 3, generator=g, dtype=torch.float64)).expand(3, 30, 4)
    body = points() @ quat_to_matrix(turns[:, 0]).transpose(1, 2) + 7
    assert float(arap(points(), body, turns, near)) < 1e-9
    bent = body + 0.3 * torch.randn(3, 30, 3, generator=g, dtype=torch.float64)
    plain, other = (arap(k * points(), k * bent, turns, near, k) for k in (1.0, scale))
    torch.testing.assert_close(plain, other, rtol=1e-7, atol=1e-9)


def test_a_body_that_stretches_slowly_pays_for_all_of_it() -> None:
    near = neighbourhood(points(), 5)
    still = torch.tensor([1.0, 0, 0, 0], dtype=torch.float64).expand(11, 30, 4)
    stretched = torch.stack([(1 + 0.05 * t) * points() for t in range(11)])
    costs = [float(arap(points(), stretched[[t]], still[:1], near)) for t in (1, 10)]
    assert costs[1] == pytest.approx(10 * costs[0], rel=1e-6)
    assert float(rigidity(stretched, still, near)) == pytest.approx(costs[0], rel=1e-6), "by steps it is cheap"


def test_what_no_picture_shows_turns_with_what_one_does() -> None:
    """A camera sees the near half of a body turn; rigidity takes the far half along, the other way."""
    near = neighbourhood(points(), 8)
    turn = quat_exp(torch.tensor([0.0, 0.5, 0.0], dtype=torch.float64))
    truth = points() @ quat_to_matrix(turn).T
    front = points()[:, 2] > 0
    shifts, vectors = (torch.zeros(1, 30, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    optimizer = torch.optim.Adam([shifts, vectors], 0.1)
    for step in range(600):
        optimizer.param_groups[0]["lr"] = 0.1 * 0.01 ** (step / 600)
        moved = points() + shifts
        loss = (moved - truth)[0, front, :2].abs().mean() + arap(points(), moved, quat_exp(vectors), near)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    left = (points() + shifts.detach()[0] - truth)[~front].norm(dim=1).mean()
    assert float(left) < 0.2 * float((points() - truth)[~front].norm(dim=1).mean())


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 100))
def test_values_do_not_depend_on_units_nor_on_a_common_motion(seed: int, scale: float) -> None:
    g = torch.Generator().manual_seed(seed)
    near = neighbourhood(points(), 5)
    means = points() + 0.3 * torch.randn(3, 30, 3, generator=g, dtype=torch.float64)
    quats = torch.randn(3, 30, 4, generator=g, dtype=torch.float64)
    turn = quat_exp(torch.randn(3, generator=g, dtype=torch.float64))
    turned = scale * means @ quat_to_matrix(turn).T + 7
    again = neighbourhood(scale * points(), 5)
    plain, moved = rigidity(means, quats, near), rigidity(turned, quat_multiply(turn, quats), again, unit=scale)
    torch.testing.assert_close(plain, moved, rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(diff(scale * means, scale), diff(means))


def test_stretching_and_turning_apart_cost() -> None:
    near = neighbourhood(points(), 5)
    still = torch.tensor([1.0, 0, 0, 0], dtype=torch.float64).expand(2, 30, 4)
    assert float(rigidity(torch.stack([points(), 1.5 * points()]), still, near)) > 0.01
    apart = torch.stack([still[0], quat_exp(points())])
    assert float(rotation_similarity(apart, near)) > 0.01
    assert float(rigidity(torch.stack([points()] * 2), apart, near)) > 0.01, "arms do not follow the rotation"


def test_small_cases_by_hand() -> None:
    means = torch.tensor([[[1.0, -2, 0]], [[0.0, 0, 0]]])
    offsets = Offsets(means, torch.full((2, 1, 4), -0.5), torch.full((2, 1, 3), 0.1))
    assert float(small(offsets)) == pytest.approx(1.5 + 2)
    assert float(small(offsets, unit=2.0)) == pytest.approx(0.75 + 2)
    assert float(norm(offsets)) == pytest.approx(1.5 + 2 + 0.3)
    assert float(diff(means)) == pytest.approx(3)
    pair = Neighbours(torch.tensor([0]), torch.tensor([[1]]), torch.tensor([[0.5]]))
    two = torch.tensor([[[0.0, 0, 0], [1, 0, 0]], [[0.0, 0, 0], [4, 0, 0]]])
    still = torch.tensor([1.0, 0, 0, 0]).expand(2, 2, 4)
    assert float(rigidity(two, still, pair)) == pytest.approx(0.5 * 3)


def test_opposite_quaternions_are_one_rotation() -> None:
    quats = rigid_clip(3, points())[1]
    flipped = quats * torch.tensor([1.0, -1.0], dtype=torch.float64)[torch.randint(2, quats.shape[:2])][..., None]
    near = neighbourhood(points(), 4)
    mixed = quats + 0.1 * torch.randn_like(quats)
    same = mixed * (flipped / quats)
    torch.testing.assert_close(rotation_similarity(mixed, near), rotation_similarity(same, near))


def test_turns_replace_the_deformed_quats() -> None:
    own = torch.randn(30, 4, dtype=torch.float64)
    offsets = Offsets(*(0.3 * torch.randn(3, 30, d, dtype=torch.float64) for d in (3, 4, 3)))
    means, quats, _ = offsets.apply(points(), own, torch.zeros(30, 3, dtype=torch.float64))
    near = neighbourhood(points(), 4)
    torch.testing.assert_close(rigidity(means, quats, near), rigidity(means, turns_of(offsets), near))
    torch.testing.assert_close(rotation_similarity(quats, near), rotation_similarity(turns_of(offsets), near))


@pytest.mark.parametrize("name", ["small", "norm", "diff", "rigidity", "arap", "rotation_similarity"])
def test_gradients(name: str) -> None:
    near = neighbourhood(points(8), 3)
    base = points(8)

    def run(*parts: Tensor) -> Tensor:
        offsets = Offsets(*parts)
        losses = {
            "small": lambda: small(offsets, 2.0),
            "norm": lambda: norm(offsets),
            "diff": lambda: diff(base + offsets.means),
            "rigidity": lambda: rigidity(base + offsets.means, turns_of(offsets), near, 0.7),
            "arap": lambda: arap(base, base + offsets.means, turns_of(offsets), near, 0.7),
            "rotation_similarity": lambda: rotation_similarity(turns_of(offsets), near),
        }
        return losses[name]()

    parts = [(0.3 * torch.randn(3, 8, d, dtype=torch.float64)).requires_grad_() for d in (3, 4, 3)]
    assert torch.autograd.gradcheck(run, parts)


def test_gradients_at_rest_are_finite() -> None:
    parts = [torch.zeros(3, 8, d, requires_grad=True) for d in (3, 4, 3)]
    offsets, near = Offsets(*parts), neighbourhood(points(8).float(), 3)
    means = points(8).float() + offsets.means
    turns = turns_of(offsets)
    total = rigidity(means, turns, near) + rotation_similarity(turns, near) + norm(offsets)
    total = total + arap(points(8).float(), means, turns, near)
    (total + diff(means)).backward()
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in parts)
    assert float(total.detach()) < 1e-6


def test_samples_of_pairs_estimate_the_whole() -> None:
    near = neighbourhood(points(), 5)
    part = near.sample(10, torch.Generator().manual_seed(0))
    assert part.indices.shape == part.weights.shape == (10, 5)
    assert torch.equal(near.indices[part.rows], part.indices)
    assert len(near.sample(99, torch.Generator()).rows) == 30


def test_neighbours_of_some_are_weighted_by_their_own_median() -> None:
    whole, some = neighbourhood(points(), 5), neighbourhood(points(), 5, rows=torch.tensor([4, 17, 9]))
    assert some.rows.tolist() == [4, 17, 9]
    assert torch.equal(some.indices, whole.indices[some.rows])
    assert float(some.weights.median()) == pytest.approx(0.3679, abs=1e-4)


def test_weights_fall_with_the_distance() -> None:
    near = neighbourhood(points(), 5, lambda_w=2.0)
    gaps = (points()[near.indices] - points()[:, None]).square().sum(-1)
    torch.testing.assert_close(near.weights, torch.exp(-2 * gaps))
    median = float(neighbourhood(points(), 5).weights.median())
    assert median == pytest.approx(0.3679, abs=0.01)


def test_impossible_requests() -> None:
    with pytest.raises(FieldError, match="lambda_w"):
        neighbourhood(points(), 3, lambda_w=-1.0)
    with pytest.raises(FieldError, match="at least two, got 1"):
        diff(points()[None])
    with pytest.raises(FieldError, match="k must lie"):
        neighbourhood(points(3), 3)
