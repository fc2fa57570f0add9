"""A deformation network's layers in half floats, with their gradient by hand.

On a GPU such a network is bound by memory: a layer of 256 units multiplies 0.4 MFLOP a point, forward and backward, and
written down plainly in float32 moves 12 kB for it (H100: 1 ns against 4). Half floats have the ten bits of mantissa to
which TF32 products round what they read, so that storing them loses nothing more; bias and ReLU join the product before
them, and only the layers' outputs are kept for the gradient: 5 kB.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_KIND = torch.half
_ROUND = 8  # tensor cores want rows of multiples of 16 bytes
_OUT = 16  # the heads' units are filled up to a multiple of so many
_PARTS = 32  # a sum over all points is taken in so many parts at once: its few tiles alone would leave a GPU idle
_LARGEST = 64.0  # of the gradient, which is scaled so: half floats reach from 6e-8 to 65504


def network(
    position: Float[Tensor, "*T N P"],
    clock: Float[Tensor, "T E"],
    hidden: Sequence[nn.Linear],
    heads: nn.Linear,
    skip: int,
) -> Float[Tensor, "T N O"]:
    """`heads` of `hidden` layers with ReLU on (position, clock), which the layer number `skip` is given again, first.

    float32 in and out, half floats between; products are summed in float32. Differentiable once, in `position` and in
    all weights.

    Args:
        position: encoded positions, the same for each time or [T, N, P].
        clock: encoded times.
        hidden, heads: layers.
        skip: see above.
    """
    weights = [v for layer in (*hidden, heads) for v in (layer.weight, layer.bias)]
    return _Network.apply(position, clock, skip, *weights)  # type: ignore[no-any-return]


class _Network(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, position: Tensor, clock: Tensor, skip: int, *weights: Tensor) -> Tensor:
        x, units, width = _given(position, clock), len(weights[-1]), position.shape[-1] + clock.shape[1]
        matrices = [
            _matrix(w, width, x.shape[1]) if i in (0, skip) else w.to(_KIND) for i, w in enumerate(weights[:-2:2])
        ]
        out: list[Tensor] = []
        for i, (matrix, bias) in enumerate(zip(matrices, weights[1:-2:2], strict=True)):
            below = x if i == 0 else torch.cat([x, out[-1]], 1) if i == skip else out[-1]
            out.append(torch.ops.aten._addmm_activation(bias.to(_KIND), below, matrix.T))  # that is ReLU
        heads = F.pad(weights[-2].to(_KIND), (0, 0, 0, -units % _OUT))
        ctx.save_for_backward(x, heads, *matrices, *out)
        ctx.skip, ctx.shape, ctx.width = skip, position.shape, width
        return (_product(out[-1], heads.T)[:, :units] + weights[-1]).unflatten(0, (len(clock), -1))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore
        (x, heads, *rest), exact = ctx.saved_tensors, grad_outputs[0].flatten(0, 1)
        layers, of_position, of_weights = len(rest) // 2, ctx.needs_input_grad[0], any(ctx.needs_input_grad[3:])
        matrices, out = rest[:layers], rest[layers:]
        scale = _LARGEST / exact.abs().amax().clamp_min(1e-30)
        grad = F.pad((exact * scale).to(_KIND), (0, -exact.shape[1] % _OUT))
        found = [_summed(grad, out[-1])[: exact.shape[1]], exact.sum(0) * scale] if of_weights else []
        grad, of_given = grad @ heads, []
        for i in reversed(range(layers)):
            grad = torch.ops.aten.threshold_backward(grad, out[i], 0)
            fed = i in (0, ctx.skip)
            if of_weights:
                parts = [_summed(grad, x)[:, : ctx.width]] * fed + ([_summed(grad, out[i - 1])] if i else [])
                found = [torch.cat(parts, 1), grad.sum(0, dtype=torch.float32), *found]
            if of_position and fed:
                of_given.append(grad @ matrices[i][:, : x.shape[1]])
            if i:
                grad = grad @ matrices[i][:, -out[i - 1].shape[1] :]
        first = _of_position(of_given, ctx.shape, len(grad_outputs[0])) / scale if of_position else None
        return first, None, None, *([v / scale for v in found] if of_weights else [None] * (2 * layers + 2))


def _given(position: Tensor, clock: Tensor) -> Tensor:
    """[T * N, P + E] and zeros up to a multiple of `_ROUND`, halves."""
    places, width = position.shape[-1], position.shape[-1] + clock.shape[1]
    x = position.new_zeros(len(clock), position.shape[-2], width + -width % _ROUND, dtype=_KIND)
    x[..., :places] = position
    x[..., places:width] = clock[:, None]
    return x.flatten(0, 1)


def _of_position(of_given: Sequence[Tensor], shape: torch.Size, times: int) -> Tensor:
    """The gradient of positions of that shape, from the parts of that of what the layers were given."""
    grad = sum(of_given[1:], of_given[0])[:, : shape[-1]].unflatten(0, (times, -1))
    return grad.float() if len(shape) == 3 else grad.sum(0, dtype=torch.float32)


def _matrix(weight: Tensor, width: int, filled: int) -> Tensor:
    """A layer's weights, with zeros for what `_given` is filled up with."""
    half = weight.to(_KIND)
    return torch.cat([F.pad(half[:, :width], (0, filled - width)), half[:, width:]], 1)


def _product(a: Tensor, b: Tensor) -> Tensor:
    """a @ b as float32, summed in float32."""
    if a.is_cuda and "dtype" in torch.ops.aten.mm.overloads():  # torch 2.8 or newer
        return torch.mm(a, b, out_dtype=torch.float32)
    return a.float() @ b.float()


def _summed(a: Float[Tensor, "P m"], b: Float[Tensor, "P n"]) -> Float[Tensor, "m n"]:
    """a^T b as float32, summed in float32."""
    if len(a) % _PARTS or not a.is_cuda or "dtype" not in torch.ops.aten.bmm.overloads():
        return _product(a.T, b)
    a, b = (v.unflatten(0, (_PARTS, -1)) for v in (a, b))
    return torch.bmm(a.transpose(1, 2), b, out_dtype=torch.float32).sum(0)
