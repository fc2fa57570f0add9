"""Counter-based random numbers: the same (seed, slot) gives the same number on every device and in every batch."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

# splitmix64 (Steele, Lea & Flood 2014), with its unsigned constants written as signed 64-bit integers
_GAMMA = -7046029254386353131
_MIX_A = -4658895280553007687
_MIX_B = -7723592293110705685


def _shift(x: Tensor, bits: int) -> Tensor:
    """Logical right shift: torch's is arithmetic, so the copied sign bits are masked off."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _mix(x: Tensor) -> Tensor:
    x = (x ^ _shift(x, 30)) * _MIX_A
    x = (x ^ _shift(x, 27)) * _MIX_B
    return x ^ _shift(x, 31)


def bits(seeds: Int64[Tensor, " B"], slot: int) -> Int64[Tensor, " B"]:
    """64 random bits for every seed and one `slot` (any non-negative integer; each use has its own)."""
    return _mix(_mix(seeds + _GAMMA) + (slot + 1) * 1_000_003 + _GAMMA)


def uniform(seeds: Int64[Tensor, " B"], slot: int) -> Float[Tensor, " B"]:
    """Uniform float32 in [0, 1), a multiple of 2^-24, so that it is exact and equal on all devices."""
    return _shift(bits(seeds, slot), 40).to(torch.float32) * 2.0**-24


def uniforms(seeds: Int64[Tensor, " B"], slot: int, count: int) -> Float[Tensor, "B count"]:
    """`count` independent uniforms per seed, from slots `slot` .. `slot + count - 1`."""
    return torch.stack([uniform(seeds, slot + i) for i in range(count)], -1)
