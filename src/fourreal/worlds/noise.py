"""Procedural noise on integer lattices, equal on all devices; it never repeats within a scene."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int32
from torch import Tensor

_X, _Y, _Z, _M = 374761393, 668265263, 1103515245, 1274126177


def lattice(x: Tensor, y: Tensor, z: Tensor, salt: Tensor) -> Int32[Tensor, "*N"]:
    """Hash of integer lattice points (int32, wrapping), 24 usable bits."""
    return _stir(x * _X + y * _Y + z * _Z + salt)


def _stir(h: Tensor) -> Tensor:
    h = (h ^ (h >> 13)) * _M
    return (h ^ (h >> 16)) & 0xFFFFFF


def _corners(cell: Tensor, salt: Tensor) -> list[tuple[int, int, int, Tensor]]:
    """The eight corners of a cell and their hashes."""
    x, y, z = (cell[..., i] * m for i, m in enumerate((_X, _Y, _Z)))
    plane = {(j, k): (y + j * _Y) + (z + k * _Z) + salt for j in (0, 1) for k in (0, 1)}
    return [(i, j, k, _stir(plane[j, k] + (x + i * _X))) for i in (0, 1) for j in (0, 1) for k in (0, 1)]


def unit(h: Tensor) -> Float[Tensor, "*N"]:
    """A hash as a number in [0, 1)."""
    return h.to(torch.float32) * 2.0**-24


def rehash(h: Tensor) -> Tensor:
    """Another hash made from a hash, for a second number of the same lattice point."""
    h = (h ^ (h >> 11)) * _M
    return (h ^ (h >> 15)) & 0xFFFFFF


def _floors(p: Float[Tensor, "*N 3"]) -> tuple[Tensor, Tensor]:
    base = p.floor()
    return base.to(torch.int32), p - base


def value(p: Float[Tensor, "*N 3"], salt: Tensor) -> Float[Tensor, "*N"]:
    """Value noise in [0, 1] with features of size about 1."""
    cell, f = _floors(p)
    w = f * f * (3 - 2 * f)
    sides = [((1 - w[..., i]), w[..., i]) for i in range(3)]
    out = torch.zeros_like(f[..., 0])
    for i, j, k, h in _corners(cell, salt):
        out = out + sides[0][i] * sides[1][j] * sides[2][k] * h
    return out * 2.0**-24


def fractal(p: Float[Tensor, "*N 3"], salt: Tensor, foot: Float[Tensor, "*N"]) -> tuple[Tensor, Tensor]:
    """Three octaves of value noise: their sum in [0, 1], and the finest alone.

    An octave fades to its mean as `foot`, the size of a pixel in units of `p`, grows to its features (A. Norton 1982).
    """
    shares = (0.52, 0.3, 0.18)
    total, octave = torch.zeros_like(p[..., 0]), torch.zeros_like(p[..., 0])
    for share, rate, shift in zip(shares, (1.0, 2.17, 4.9), (0.0, 7.3, 3.1), strict=True):
        octave = 0.5 + (value(p * rate + shift, salt) - 0.5) * keep(foot * (rate / 1.5))
        total = total + share * octave
    return total, octave


def cells(p: Float[Tensor, "*N 3"], salt: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Nearest and second nearest distance to one jittered point a cell, and a number in [0, 1) of the nearest cell.

    Looks at the eight cells about the point with a jitter of half a cell, which finds the right ones nearly always
    (S. Worley 1996 looks at 27).
    """
    shifted = p - 0.5
    cell, f = _floors(shifted)
    first = torch.full_like(f[..., 0], 8.0)
    second, number = first, torch.zeros_like(first)
    for i, j, k, h in _corners(cell, salt):
        jz = unit(rehash(h))
        dx = f[..., 0] - i + 0.7 * ((h & 0xFFF) * 2.0**-12 - 0.5)
        dy = f[..., 1] - j + 0.7 * ((h >> 12) * 2.0**-12 - 0.5)
        dz = f[..., 2] - k + 0.7 * (jz - 0.5)
        d = dx * dx + dy * dy + dz * dz
        nearer = d < first
        second = torch.where(nearer, first, torch.minimum(second, d))
        number = torch.where(nearer, jz, number)
        first = torch.minimum(first, d)
    return first.sqrt(), second.sqrt(), number


def keep(periods: Tensor) -> Tensor:
    """Contrast left of a pattern when a pixel spans so many of its periods: 1 below a third, 0 from one on."""
    return smooth(1.0, 0.35, periods)


def smooth(low: float, high: float, x: Tensor) -> Tensor:
    """Smooth step from 0 at `low` to 1 at `high` (or the other way round if `low` > `high`)."""
    t = ((x - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)
