"""Causal convolutions over whole clips, [N, F, H, W, C] in memory, with all that a layer does before them.

Frame t of a causal convolution sees frames t - 2, t - 1 and t, and nothing is known before the first. Its gradient is
the same convolution with mirrored weights in which frame t sees t, t + 1 and t + 2: so both ways are one function.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import ModuleType
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from fourreal.core.replay import best_convolutions

Way = Literal["conv3d", "joined", "summed"]
WAYS: tuple[Way, ...] = ("conv3d", "joined", "summed")
TAPS = 3  # frames that a convolution sees
_HALVES = (torch.float16, torch.bfloat16)
_LEAST = 1e-12  # of a norm, as in `F.normalize`


@dataclass(frozen=True, eq=False)
class Kernel:
    """The weights of a causal convolution, arranged for a way to compute it.

    "conv3d": in three dimensions. "joined": the three frames' channels side by side, then a convolution of pictures
    with three times the channels. "summed": a convolution of pictures that makes each frame's share of three frames,
    and the sum of shares (in half precision the shares are rounded first).

    Attributes:
        weight: arranged weights, channels last; channels are filled up with zeros to multiples of 8.
        way: how.
        given, made: channels that come and go, without filling.
        after: whether a frame sees the two frames after it (a gradient's way) instead of those before.
    """

    weight: Tensor
    way: Way
    given: int
    made: int
    after: bool = False

    @staticmethod
    def of(weight: Float[Tensor, "O I 3 k l"], way: Way, *, after: bool = False) -> Kernel:
        """Arrange the weights of a convolution in three dimensions."""
        made, given = weight.shape[:2]
        full = F.pad(weight.detach(), (0,) * 7 + (filled(given) - given,) + (0, filled(made) - made))
        if way == "conv3d":
            return Kernel(full.contiguous(memory_format=torch.channels_last_3d), way, given, made, after)
        sides_by_side = full.transpose(1, 2).flatten(1, 2)
        flat = sides_by_side if way == "joined" else full.permute(2, 0, 1, 3, 4).flatten(0, 1)
        return Kernel(flat.contiguous(memory_format=torch.channels_last), way, given, made, after)

    def arranged(self, x: Float[Tensor, "N F H W I"]) -> Tensor:
        """What the convolution of this way takes."""
        x = F.pad(x, (0, filled(self.given) - self.given))
        if self.way == "summed":
            return x
        count, room = x.shape[1], (0, TAPS - 1) if self.after else (TAPS - 1, 0)
        x = F.pad(x, (0, 0, 0, 0, 0, 0, *room))
        return x if self.way == "conv3d" else torch.cat([x[:, k : k + count] for k in range(TAPS)], -1)

    def __call__(self, arranged: Tensor) -> Float[Tensor, "N F H W O"]:
        """The convolution of what `arranged` returned; without a bias."""
        sides = tuple(side // 2 for side in self.weight.shape[-2:])
        with best_convolutions():
            if self.way == "conv3d":
                x = arranged.permute(0, 4, 1, 2, 3)
                return F.conv3d(x, self.weight, padding=(0, *sides)).permute(0, 2, 3, 4, 1)[..., : self.made]
            pictures = F.conv2d(arranged.flatten(0, 1).permute(0, 3, 1, 2), self.weight, padding=sides)
        made = pictures.permute(0, 2, 3, 1).unflatten(0, arranged.shape[:2])
        return (made if self.way == "joined" else self._sum(made))[..., : self.made]

    def _sum(self, shares: Tensor) -> Tensor:
        """Share k of frame t belongs to frame t + 2 - k, or t - k."""
        shares = shares.unflatten(-1, (TAPS, -1))
        count, total = shares.shape[1], shares[..., 0 if self.after else TAPS - 1, :].clone()
        for back in range(1, min(TAPS, count)):
            if self.after:
                total[:, : count - back] += shares[:, back:, ..., back, :]
            else:
                total[:, back:] += shares[:, : count - back, ..., TAPS - 1 - back, :]
        return total


def filled(channels: int) -> int:
    """The next multiple of 8: other numbers of channels keep a GPU from its matrix units."""
    return -(-channels // 8) * 8


def wide(x: Tensor) -> Tensor:
    """In single precision, or double."""
    return x.float() if x.dtype in _HALVES else x


def normed(x: Float[Tensor, "*n C"], gamma: Float[Tensor, " C"]) -> Float[Tensor, "*n C"]:
    """Each pixel's channels with a root mean square of gamma."""
    return (F.normalize(wide(x), dim=-1) * (x.shape[-1] ** 0.5 * gamma)).to(x.dtype)


def activated(x: Float[Tensor, "*n C"], bias: Float[Tensor, " C"], gamma: Float[Tensor, " C"]) -> Float[Tensor, "*n C"]:
    """SiLU of the normed x + bias."""
    return F.silu(normed(wide(x) + bias, gamma)).to(x.dtype)


def activated_back(x: Tensor, bias: Tensor, gamma: Tensor, grad: Tensor) -> Tensor:
    """The gradient with regard to x.

    With size = |v| / sqrt C, n = v / size and u = gamma n, SiLU has the slope s (1 + u (1 - s)), s = sigmoid u, and
    dn / dv = (1 - n n^T / C) / size.
    """
    v = wide(x) + bias
    size = torch.linalg.vector_norm(v, dim=-1, keepdim=True).clamp_min(_LEAST) / v.shape[-1] ** 0.5
    n = v / size
    u = n * gamma
    s = torch.sigmoid(u)
    d = wide(grad) * s * (1 + u * (1 - s)) * gamma
    return ((d - n * (n * d).mean(-1, keepdim=True)) / size).to(x.dtype)


@lru_cache(maxsize=1)
def kernels() -> ModuleType | None:
    """`causal_gpu`, or None where Triton is missing."""
    try:
        return importlib.import_module(".causal_gpu", __package__)
    except ImportError:
        return None


def fused(x: Tensor) -> ModuleType | None:
    """The Triton kernels, if they serve x."""
    return kernels() if x.is_cuda and x.dtype != torch.float64 else None


@dataclass(frozen=True, eq=False)
class Step:
    """A causal convolution, without its bias, of what is normed and activated first.

    Attributes:
        weight: of the convolution.
        way: how it is computed.
        gamma: of the norm; None if there is no activation, and no bias.
        bias: added before: that of the convolution before.
    """

    weight: Float[Tensor, "O I 3 k l"]
    way: Way
    gamma: Float[Tensor, " I"] | None = None
    bias: Float[Tensor, " I"] | None = None

    @cached_property
    def ahead(self) -> Kernel:
        """The convolution."""
        return Kernel.of(self.weight, self.way)

    @cached_property
    def back(self) -> Kernel:
        """Its gradient with regard to what it is given; arranged when first asked for."""
        return Kernel.of(self.weight.flip(2, 3, 4).transpose(0, 1), self.way, after=True)

    def __call__(self, x: Float[Tensor, "N F H W I"]) -> Float[Tensor, "N F H W O"]:
        """Differentiable in x, of which nothing but x itself is kept."""
        return _Stepped.apply(x.contiguous(), self)  # type: ignore[return-value]

    def forward(self, x: Tensor) -> Tensor:
        """The value for a contiguous x."""
        quick = fused(x)
        if quick is not None:
            return self.ahead(quick.arranged(x, self.ahead, self.gamma, self.bias)).contiguous()
        if self.gamma is not None and self.bias is not None:
            x = activated(x, self.bias, self.gamma)
        return self.ahead(self.ahead.arranged(x)).contiguous()

    def backward(self, x: Tensor, grad: Tensor) -> Tensor:
        """The gradient at x."""
        quick, grad = fused(x), grad.contiguous()
        inner = self.back(quick.arranged(grad, self.back, None, None) if quick else self.back.arranged(grad))
        if self.gamma is None or self.bias is None:
            return inner.contiguous()
        slope = activated_back if quick is None else quick.activated_back
        return slope(x, self.bias, self.gamma, inner.contiguous())


class _Stepped(torch.autograd.Function):
    """A step to autograd: what is cheap to have again is not kept."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, step: Step) -> Tensor:
        ctx.step = step
        ctx.save_for_backward(x)
        return step.forward(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # pyright: ignore
        return ctx.step.backward(ctx.saved_tensors[0], grad), None


class _Sum(torch.autograd.Function):
    """x + y + bias."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, bias: Tensor) -> Tensor:
        quick = fused(x)
        return x + (y + bias.to(y)) if quick is None else quick.summed(x, y, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:  # pyright: ignore
        return grad, grad, None


def summed(x: Float[Tensor, "*n C"], y: Float[Tensor, "*n C"], bias: Float[Tensor, " C"]) -> Float[Tensor, "*n C"]:
    """x + y + bias, differentiable in x and y."""
    return _Sum.apply(x.contiguous(), y.contiguous(), bias)  # type: ignore[return-value]
