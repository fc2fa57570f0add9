"""The paper's deformation network: a plain MLP of encoded position and time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.utils import skip_init

from fourreal.core.checks import check_int

from .base import Index, Offsets, as_indices, check_span, shaped
from .space import Space


@dataclass(frozen=True)
class MlpConfig:
    """Deformable-3D-Gaussians' network (arXiv 2309.13101), which 4Real uses (supplement).

    Positions are taken relative to the scene and folded into a cube first (`Space`), so that neither units nor a far
    sky matter; that paper feeds world coordinates.

    Attributes:
        layers, width: hidden layers and units in each.
        skip: the input is given again to the layer after this many.
        x_frequencies, t_frequencies: octaves of the positional encodings; that paper has 6 or 10 for time.
        discrete: indices are frames without an order (w_multi-view) instead of times: nothing connects the frames at
            the canonical one, so it is left out instead of subtracted, which halves the cost of a single index.

    Raises:
        FieldError: if a number is not positive.
    """

    layers: int = 8
    width: int = 256
    skip: int = 4
    x_frequencies: int = 10
    t_frequencies: int = 6
    discrete: bool = False

    def __post_init__(self) -> None:
        for name in ("layers", "width", "skip", "x_frequencies", "t_frequencies"):
            check_int(f"MlpConfig.{name}", getattr(self, name), low=1)

    def build(
        self,
        means: Float[Tensor, "N 3"],
        frames: int,
        canonical: int = 0,
        *,
        seed: int = 0,
        space: Space | None = None,
    ) -> MlpField:
        """A field that is zero everywhere; `seed` draws the hidden layers. `space`: see `DeformConfig`."""
        return MlpField(self, frames, canonical, Space.around(means) if space is None else space, seed)


class MlpField(nn.Module):
    """w(x, t) - w(x, t0): three linear heads (dx in units, dq, ds) on hidden layers with ReLU.

    The difference is zero at t0 for every w and smooth in t. Gates g(t) w(x, t) with g(t0) = 0 cost less for few times,
    but fitted swinging bodies worse: mean errors at whole times were 1.2 to 1.6 times as large (g = 0 at t0 and 1
    elsewhere, (t - t0) / sqrt(1 + (t - t0)^2), 1 - exp(-(t - t0)^2); canonical in the middle and at the start).
    Equal numbers may round differently in different places of a batch, so rows at t0 are set to zero besides. Zero
    heads make it zero everywhere at first (4Real does not say how it starts).

    Attributes:
        config, frames, canonical, extent: see `MlpConfig`, `DeformField` (extent is its unit).
        centre: [3] middle of the scene, world units.
    """

    extent: Tensor
    centre: Tensor

    def __init__(self, config: MlpConfig, frames: int, canonical: int, space: Space, seed: int = 0) -> None:
        super().__init__()
        check_span(frames, canonical)
        self.config, self.frames, self.canonical = config, frames, canonical
        self.register_buffer("centre", space.centre.clone())
        self.register_buffer("extent", space.extent.clone())
        given = 3 * (1 + 2 * config.x_frequencies) + 1 + 2 * config.t_frequencies
        inputs = [given] + [config.width + given * (i == config.skip) for i in range(1, config.layers)]
        self.hidden = nn.ModuleList(_linear(n, config.width, space.centre) for n in inputs)
        self.heads = _linear(config.width, 10, space.centre)  # the three heads, side by side
        self._start(torch.Generator().manual_seed(seed))

    @torch.no_grad()
    def _start(self, generator: torch.Generator) -> None:
        """Hidden layers as torch draws them by default (uniform, 1 / sqrt(inputs)), heads at zero."""
        for layer in self.hidden:
            assert isinstance(layer, nn.Linear)
            reach = 1 / math.sqrt(layer.in_features)
            for values in (layer.weight, layer.bias):
                values.copy_((torch.rand(values.shape, generator=generator) * 2 - 1) * reach)
        self.heads.weight.zero_()
        self.heads.bias.zero_()

    @property
    def unit(self) -> Tensor:
        """See `DeformField`. Python from 3.12 on does not see buffers when it asks whether this is one."""
        return self.extent

    def rebind(self, means: Float[Tensor, "N 3"]) -> None:
        """Nothing to do: the network knows no particular Gaussians."""

    def offsets(self, means: Float[Tensor, "N 3"], index: Index) -> Offsets:
        """See `DeformField`; times may be fractional."""
        times, single = as_indices(index, self.frames, means)
        position = encode(Space(self.centre, self.unit).contract(means), self.config.x_frequencies)
        if self.config.discrete:
            found = self._network(position, times)
        else:
            found = self._network(position, torch.cat([times, times.new_full((1,), self.canonical)]))
            found = found[:-1] - found[-1:]
        found = torch.where((times == self.canonical)[:, None, None], torch.zeros_like(found), found)
        means_, quats, log_scales = found.split([3, 4, 3], -1)
        return shaped(Offsets(self.unit * means_, quats, log_scales), single)

    def _network(self, position: Tensor, times: Tensor) -> Tensor:
        """[T, N, 10] of encoded positions [N, P]. Their part of a layer is computed once for all times."""
        clock = encode(times[:, None] / max(self.frames - 1, 1) * 2 - 1, self.config.t_frequencies)
        sizes = [position.shape[1], clock.shape[1]]
        hidden = position.new_zeros(0)
        for number, layer in enumerate(self.hidden):
            assert isinstance(layer, nn.Linear)
            if number not in (0, self.config.skip):
                hidden = F.relu(product(hidden, layer.weight, layer.bias))
                continue
            of_position, of_clock, of_hidden = layer.weight.split([*sizes, layer.in_features - sum(sizes)], 1)
            mixed = product(position, of_position, layer.bias) + F.linear(clock, of_clock)[:, None]
            hidden = F.relu(mixed + product(hidden, of_hidden) if number else mixed)
        return self.heads(hidden)


def product(values: Float[Tensor, "*B I"], weight: Float[Tensor, "O I"], bias: Tensor | None = None) -> Tensor:
    """`F.linear`; on a GPU in TF32 (10 bits of mantissa), which is enough for a network, though not for cameras.

    A step of `paper` multiplies 0.2 TFLOP: in float32 that alone would take minutes of a fit.
    """
    return _Product.apply(values, weight, bias) if values.is_cuda else F.linear(values, weight, bias)  # type: ignore[no-any-return]


class _Product(torch.autograd.Function):
    """torch's switch holds for all products while it is set, of the backward pass by itself."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(values, weight)
        with _tensor_float():
            return F.linear(values, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore
        values, weight = ctx.saved_tensors
        (grad,) = grad_outputs
        rows = grad.flatten(0, -2)
        wants = ctx.needs_input_grad
        with _tensor_float():
            of_values = grad @ weight if wants[0] else None
            of_weight = rows.T @ values.flatten(0, -2) if wants[1] else None
        return of_values, of_weight, rows.sum(0) if wants[2] else None


@contextmanager
def _tensor_float() -> Iterator[None]:
    switch = torch.backends.cuda.matmul
    name, fast = ("fp32_precision", "tf32") if hasattr(switch, "fp32_precision") else ("allow_tf32", True)
    before = getattr(switch, name)
    setattr(switch, name, fast)
    try:
        yield
    finally:
        setattr(switch, name, before)


def _linear(inputs: int, outputs: int, like: Tensor) -> nn.Linear:
    """A layer with undefined weights, made without drawing from torch's global generator."""
    return skip_init(nn.Linear, inputs, outputs, device=like.device)  # type: ignore[return-value]


def encode(values: Float[Tensor, "*B D"], frequencies: int) -> Float[Tensor, "*B E"]:
    """(v, sin v, cos v, sin 2v, ..., cos 2^(L-1) v): the positional encoding of Deformable-3D-Gaussians (no pi)."""
    scales = 2.0 ** torch.arange(frequencies, dtype=values.dtype, device=values.device)
    phases = (values[..., None, :] * scales[:, None]).flatten(-2)
    return torch.cat([values, phases.sin(), phases.cos()], -1)
