"""Numba kernels of `combine`: what is bound by memory in torch, because it gathers rows or sums on one thread."""

from __future__ import annotations

from fourreal.core.kernels import Array, Share, kernel


@kernel(fast=True)
def products(index: Array, grad: Array, table: Array, out: Array, share: Share) -> None:
    """Fill out [N, J], the inner products of grad [N, C] with the rows index [N, J] of table [R, C]."""
    lane, lanes = share
    count, width = grad.shape
    for n in range(count * lane // lanes, count * (lane + 1) // lanes):
        mine = grad[n]
        for j in range(index.shape[1]):
            row, total = table[index[n, j]], grad[n, 0] * table[index[n, j], 0]
            for c in range(1, width):
                total += mine[c] * row[c]
            out[n, j] = total


@kernel(fast=True)
def sums(order: Array, starts: Array, grad: Array, out: Array, share: Share) -> None:
    """Fill out [R], zero at the start: the sum of the entries of grad [N * J] that order lists from starts [R] on."""
    lane, lanes = share
    for r in range(lane, out.shape[0], lanes):
        end = starts[r + 1] if r + 1 < out.shape[0] else order.shape[0]
        total = out[r]
        for k in range(starts[r], end):
            total += grad[order[k]]
        out[r] = total
