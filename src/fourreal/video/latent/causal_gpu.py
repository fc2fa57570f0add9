# ruff: noqa: ANN001, ANN202, PLR0913, PLR0917 - kernels have no types in Python
# pyright: reportInvalidTypeForm=false
"""What comes before a causal convolution, as Triton kernels: each number is read once and written once.

The formulas are those of `causal`. Importing this module needs Triton, which comes with torch for CUDA.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from .causal import TAPS, Kernel, filled

triton: Any = importlib.import_module("triton")
tl: Any = importlib.import_module("triton.language")

_LEAST = tl.constexpr(1e-12)
_LAYOUTS = {"summed": 0, "conv3d": 1, "joined": 2}
_TILE = 2048  # numbers that a program holds at once


def _kernel(function: Callable[..., Any]) -> Any:
    """Compile by Triton; unwrapped first, because tools that check shapes at run time wrap every function they see."""
    return triton.jit(inspect.unwrap(function))


@_kernel
def _rows(x, row, c, inside, C: tl.constexpr):
    return tl.load(x + row[:, None] * C + c[None, :], mask=inside[:, None] & (c < C)[None, :], other=0.0).to(tl.float32)


@_kernel
def _arranged(
    x, bias, gamma, out, rows, frames, pixels,
    C: tl.constexpr, FILLED: tl.constexpr, BLOCK: tl.constexpr, ROWS: tl.constexpr,
    LAYOUT: tl.constexpr, AFTER: tl.constexpr, ACTIVE: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    c = tl.arange(0, BLOCK)
    inside = row < rows
    place = row.to(tl.int64)
    v = _rows(x, place, c, inside, C)
    if ACTIVE:
        v += tl.load(bias + c, mask=c < C, other=0.0).to(tl.float32)[None, :]
        size = tl.maximum(tl.sqrt(tl.sum(v * v, 1)), _LEAST)
        u = v / size[:, None] * (tl.load(gamma + c, mask=c < C, other=0.0).to(tl.float32) * C**0.5)[None, :]
        v = u * tl.sigmoid(u)
    value = v.to(out.dtype.element_ty)
    wanted = (c < FILLED)[None, :]
    if LAYOUT == 0:
        tl.store(out + place[:, None] * FILLED + c[None, :], value, mask=inside[:, None] & wanted)
    elif LAYOUT == 1:
        lead = place // (pixels * frames) * 2 * pixels + (0 if AFTER else 2) * pixels
        tl.store(out + (place + lead)[:, None] * FILLED + c[None, :], value, mask=inside[:, None] & wanted)
    else:
        t = row // pixels % frames
        for k in tl.static_range(3):
            move = -k if AFTER else 2 - k
            good = inside & (t + move >= 0) & (t + move < frames)
            there = (place + move * pixels)[:, None] * 3 * FILLED + k * FILLED + c[None, :]
            tl.store(out + there, value, mask=good[:, None] & wanted)
            bare = inside & ((t - move < 0) | (t - move >= frames))
            here = place[:, None] * 3 * FILLED + k * FILLED + c[None, :]
            tl.store(out + here, tl.zeros_like(value), mask=bare[:, None] & wanted)


@_kernel
def _slope(x, bias, gamma, grad, out, rows, C: tl.constexpr, BLOCK: tl.constexpr, ROWS: tl.constexpr):
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    c = tl.arange(0, BLOCK)
    inside = row < rows
    place = row.to(tl.int64)
    v = _rows(x, place, c, inside, C) + tl.load(bias + c, mask=c < C, other=0.0).to(tl.float32)[None, :]
    size = tl.maximum(tl.sqrt(tl.sum(v * v, 1)), _LEAST) * C**-0.5
    g = tl.load(gamma + c, mask=c < C, other=0.0).to(tl.float32)[None, :]
    n = v / size[:, None]
    u = n * g
    s = tl.sigmoid(u)
    d = _rows(grad, place, c, inside, C) * s * (1 + u * (1 - s)) * g
    found = (d - n * (tl.sum(n * d, 1) / C)[:, None]) / size[:, None]
    where = place[:, None] * C + c[None, :]
    tl.store(out + where, found.to(out.dtype.element_ty), mask=inside[:, None] & (c < C)[None, :])


@_kernel
def _summed(x, y, bias, out, rows, C: tl.constexpr, BLOCK: tl.constexpr, ROWS: tl.constexpr):
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    c = tl.arange(0, BLOCK)
    inside = row < rows
    place = row.to(tl.int64)
    total = _rows(x, place, c, inside, C) + _rows(y, place, c, inside, C)
    total += tl.load(bias + c, mask=c < C, other=0.0).to(tl.float32)[None, :]
    where = place[:, None] * C + c[None, :]
    tl.store(out + where, total.to(out.dtype.element_ty), mask=inside[:, None] & (c < C)[None, :])


def _tiles(x: Tensor, channels: int) -> tuple[tuple[int], int, dict[str, int]]:
    """The grid, the number of rows, and the tile for rows of so many channels."""
    rows, block = x.numel() // x.shape[-1], triton.next_power_of_2(channels)
    high = max(1, _TILE // block)
    return (triton.cdiv(rows, high),), rows, {"BLOCK": block, "ROWS": high}


def arranged(x: Float[Tensor, "N F H W I"], kernel: Kernel, gamma: Tensor | None, bias: Tensor | None) -> Tensor:
    """`kernel.arranged` of x, activated first if a gamma is given; see `causal.activated`."""
    x = x.contiguous()
    count, frames, high, across, channels = x.shape
    room, most = TAPS - 1 if kernel.way == "conv3d" else 0, filled(channels)
    out = x.new_empty(count, frames + room, high, across, TAPS * most if kernel.way == "joined" else most)
    if room:
        (out[:, -room:] if kernel.after else out[:, :room]).zero_()
    grid, rows, tile = _tiles(x, most)
    active = gamma is not None and bias is not None
    _arranged[grid](
        x, bias if active else x, gamma if active else x, out, rows, frames, high * across, C=channels, FILLED=most,
        LAYOUT=_LAYOUTS[kernel.way], AFTER=kernel.after, ACTIVE=active, **tile,
    )  # fmt: skip
    return out


def activated_back(
    x: Float[Tensor, "*n C"], bias: Float[Tensor, " C"], gamma: Float[Tensor, " C"], grad: Float[Tensor, "*n C"]
) -> Float[Tensor, "*n C"]:
    """See `causal.activated_back`."""
    out = torch.empty_like(x)
    grid, rows, tile = _tiles(x, x.shape[-1])
    _slope[grid](x, bias, gamma, grad, out, rows, C=x.shape[-1], **tile)
    return out


def summed(x: Float[Tensor, "*n C"], y: Float[Tensor, "*n C"], bias: Float[Tensor, " C"]) -> Float[Tensor, "*n C"]:
    """See `causal.summed`."""
    out = torch.empty_like(x)
    grid, rows, tile = _tiles(x, x.shape[-1])
    _summed[grid](x, y, bias, out, rows, C=x.shape[-1], **tile)
    return out
