"""The paper's deformation network: a plain MLP of encoded position and time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import skip_init

from fourreal.core.checks import check_int

from .base import Index, Offsets, as_indices, check_span, shaped
from .half import network
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

    def offsets(self, means: Float[Tensor, "*T N 3"], index: Index) -> Offsets:
        """See `DeformField`; times may be fractional. With means [T, N, 3] each index has Gaussians of its own."""
        times, single = as_indices(index, self.frames, means)
        position = encode(Space(self.centre, self.unit).contract(means), self.config.x_frequencies)
        if self.config.discrete:
            found = self._network(position, times)
        elif position.dim() == 2:
            found = self._network(position, torch.cat([times, times.new_full((1,), self.canonical)]))
            found = found[:-1] - found[-1:]
        else:
            found = self._network(position, times) - self._network(position, torch.full_like(times, self.canonical))
        found = torch.where((times == self.canonical)[:, None, None], torch.zeros_like(found), found)
        means_, quats, log_scales = found.split([3, 4, 3], -1)
        return shaped(Offsets(self.unit * means_, quats, log_scales), single)

    def _network(self, position: Tensor, times: Tensor) -> Tensor:
        """[T, N, 10] of encoded positions [N, P] or [T, N, P]."""
        clock = encode(times[:, None] / max(self.frames - 1, 1) * 2 - 1, self.config.t_frequencies)
        layers = [layer for layer in self.hidden if isinstance(layer, nn.Linear)]
        if position.is_cuda:
            return network(position, clock, layers, self.heads, self.config.skip)
        return self.heads(self._layers(position, clock, layers))

    def _layers(self, position: Tensor, clock: Tensor, layers: list[nn.Linear]) -> Tensor:
        """[T, N, width] the last hidden layer in full precision. What positions give is computed once for all times."""
        sizes = [position.shape[-1], clock.shape[1]]
        hidden = position.new_zeros(0)
        for number, layer in enumerate(layers):
            if number not in (0, self.config.skip):
                hidden = F.relu(layer(hidden))
                continue
            of_position, of_clock, of_hidden = layer.weight.split([*sizes, layer.in_features - sum(sizes)], 1)
            mixed = F.linear(position, of_position, layer.bias) + F.linear(clock, of_clock)[:, None]
            hidden = F.relu(mixed + F.linear(hidden, of_hidden) if number else mixed)
        return hidden


def _linear(inputs: int, outputs: int, like: Tensor) -> nn.Linear:
    """A layer with undefined weights, made without drawing from torch's global generator."""
    return skip_init(nn.Linear, inputs, outputs, device=like.device)  # type: ignore[return-value]


def encode(values: Float[Tensor, "*B D"], frequencies: int) -> Float[Tensor, "*B E"]:
    """(v, sin v, cos v, sin 2v, ..., cos 2^(L-1) v): the positional encoding of Deformable-3D-Gaussians (no pi)."""
    scales = 2.0 ** torch.arange(frequencies, dtype=values.dtype, device=values.device)
    phases = (values[..., None, :] * scales[:, None]).flatten(-2)
    return torch.cat([values, phases.sin(), phases.cos()], -1)
