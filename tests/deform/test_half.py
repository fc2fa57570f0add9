"""The network in half floats is the network, up to the ten bits that TF32 keeps too."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from fourreal.deform import MlpConfig
from fourreal.deform.half import network
from fourreal.deform.mlp import MlpField, encode
from fourreal.deform.space import Space

POINTS, TIMES = 96, 3


def filled(layers: int = 5, width: int = 40, skip: int = 2, discrete: bool = False) -> MlpField:
    """A field of odd sizes whose heads say something."""
    field = MlpConfig(layers, width, skip, discrete=discrete).build(torch.randn(POINTS, 3), TIMES)
    with torch.no_grad():
        field.heads.weight.normal_(0, 0.3)
        field.heads.bias.normal_()
    return field


def given(field: MlpField, own: bool) -> tuple[Tensor, Tensor]:
    """Encoded positions, one set for all times or `own` ones, and encoded times."""
    places = torch.randn(*([TIMES] if own else []), POINTS, 3)
    position = encode(Space(field.centre, field.unit).contract(places), field.config.x_frequencies)
    return position.requires_grad_(), encode(torch.linspace(-1, 1, TIMES)[:, None], field.config.t_frequencies)


def both(field: MlpField, own: bool, scale: float = 1.0) -> list[list[Tensor]]:
    """Outputs and gradients (of the positions, then of the weights) in full precision and in half floats."""
    position, clock = given(field, own)
    layers: list[torch.nn.Linear] = list(field.hidden)  # type: ignore[arg-type]
    pull = scale * torch.randn(TIMES, POINTS, 10)
    found = []
    for out in (
        field.heads(field._layers(position, clock, layers)),
        network(position, clock, layers, field.heads, field.config.skip),
    ):
        found.append([out.detach(), *torch.autograd.grad((out * pull).sum(), [position, *field.parameters()])])
    return found


def apart(a: Tensor, b: Tensor) -> float:
    return float((b - a).norm() / a.norm())


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("skip", [1, 4, 7])  # also where no layer has that number
def test_the_gradient_by_hand_is_autograds(own: bool, skip: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fourreal.deform.half._KIND", torch.float32)
    exact, ours = both(filled(skip=skip), own)
    assert [v.shape for v in exact] == [v.shape for v in ours]
    for a, b in zip(exact, ours, strict=True):
        torch.testing.assert_close(b, a, rtol=1e-4, atol=1e-5 * float(a.abs().max()))


@pytest.mark.parametrize("own", [False, True])
def test_half_floats_hardly_change_it(own: bool) -> None:
    exact, half = both(filled(), own)
    assert all(v.dtype == torch.float32 for v in half)
    assert apart(exact[0], half[0]) < 1e-3
    # A unit in two thousand is so near to zero that rounding switches it on or off.
    assert max(apart(a, b) for a, b in zip(exact[1:], half[1:], strict=True)) < 0.06


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_gradients_of_any_size_fit(scale: float) -> None:
    """Means over all pixels and Gaussians have gradients far below what half floats reach."""
    exact, half = both(filled(), own=False, scale=scale)
    assert max(apart(a, b) for a, b in zip(exact[1:], half[1:], strict=True)) < 0.06


def test_no_gradient_at_all_is_zero_and_not_lost() -> None:
    _, half = both(filled(), own=False, scale=0.0)
    assert all(not v.any() for v in half[1:])


def test_frozen_weights_and_frozen_positions_ask_for_nothing() -> None:
    field = filled()
    position, clock = given(field, own=True)
    layers: list[torch.nn.Linear] = list(field.hidden)  # type: ignore[arg-type]

    def run(places: Tensor) -> None:
        network(places, clock, layers, field.heads, field.config.skip).square().sum().backward()

    run(position.detach())
    assert all(p.grad is not None for p in field.parameters())
    for p in field.parameters():
        p.grad = None
        p.requires_grad_(False)
    run(position)
    assert position.grad is not None
    assert all(p.grad is None for p in field.parameters())
