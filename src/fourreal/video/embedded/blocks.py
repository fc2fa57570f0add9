"""Building blocks of the networks: rotary attention with adaptive norms, residual convolutions, Fourier features."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


def fourier(values: Float[Tensor, "*B"], count: int, highest: float) -> Float[Tensor, "*B N"]:
    """Sines and cosines of `values` at `count` frequencies from 1 to `highest`, geometrically spaced; N = 2 count."""
    steps = torch.arange(count, device=values.device, dtype=values.dtype) / max(count - 1, 1)
    angle = values[..., None] * highest**steps
    return torch.cat((angle.sin(), angle.cos()), -1)


def rotary(shape: tuple[int, int, int], extra: int, head: int) -> Float[Tensor, "2 N D"]:
    """Cosines and sines of axial rotary positions (arXiv 2104.09864, one part of the head for each axis).

    Args:
        shape: tokens along time, rows and columns.
        extra: tokens before them that have no position.
        head: channels of a head, a multiple of 16.
    """
    parts = (head // 8, head * 3 // 16, head * 3 // 16)  # pairs for time, rows, columns
    grid = torch.meshgrid(*(torch.arange(n, dtype=torch.float32) for n in shape), indexing="ij")
    angles = torch.cat(
        [g.reshape(-1, 1) * 50.0 ** (-torch.arange(p) / p) for g, p in zip(grid, parts, strict=True)], -1
    )
    angles = torch.cat((torch.zeros(extra, head // 2), angles))
    return torch.stack((angles.cos(), angles.sin()))


def turned(x: Float[Tensor, "B h N d"], table: Float[Tensor, "2 N p"]) -> Float[Tensor, "B h N d"]:
    """`x` with the pairs (i, i + d/2) of its channels rotated by the angles of `table`."""
    cos, sin = table.to(x.dtype)
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), -1)


class Block(nn.Module):
    """A transformer block whose norms and gates follow a condition shared by all blocks (PixArt's adaLN-single)."""

    def __init__(self, width: int, head: int) -> None:
        super().__init__()
        self.head = head
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.q_norm, self.k_norm = nn.RMSNorm(head, eps=1e-6), nn.RMSNorm(head, eps=1e-6)
        self.out = nn.Linear(width, width, bias=False)
        hidden = 7 * width // 2
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.shift = nn.Parameter(torch.randn(6, width) * 0.02)

    def forward(
        self, x: Float[Tensor, "B N d"], condition: Float[Tensor, "B 6 d"], table: Float[Tensor, "2 N p"] | None
    ) -> Float[Tensor, "B N d"]:
        """`condition` holds scale, shift and gate of attention, then of the MLP; `table` the rotary positions."""
        scale, shift, gate, scale2, shift2, gate2 = (condition + self.shift)[:, :, None].unbind(1)
        x = x + gate * self.attend(self.norm(x) * (1 + scale) + shift, table)
        return x + gate2 * self.down(F.gelu(self.up(self.norm(x) * (1 + scale2) + shift2), approximate="tanh"))

    def attend(self, x: Tensor, table: Tensor | None) -> Tensor:
        """Self-attention of all tokens, queries and keys normalised."""
        batch, count, width = x.shape
        q, k, v = self.qkv(x).view(batch, count, 3, -1, self.head).permute(2, 0, 3, 1, 4)
        q, k = self.q_norm(q.float()), self.k_norm(k.float())
        if table is not None:
            q, k = turned(q, table), turned(k, table)
        mixed = F.scaled_dot_product_attention(q.to(v.dtype), k.to(v.dtype), v)
        return self.out(mixed.transpose(1, 2).reshape(batch, count, width))


class ResBlock(nn.Module):
    """Two convolutions on frames, modulated by a condition for each frame."""

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.film = nn.Linear(condition, 2 * channels)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Float[Tensor, "N c h w"], condition: Float[Tensor, "N d"]) -> Float[Tensor, "N c h w"]:
        """N frames of any clips."""
        scale, shift = self.film(condition)[:, :, None, None].chunk(2, 1)
        hidden = self.first(F.silu(self.norm(x) * (1 + scale) + shift))
        return x + self.second(F.silu(hidden))


class FrameMix(nn.Module):
    """Attention of every pixel to itself at all moments of its clip."""

    def __init__(self, channels: int, frames: int, head: int = 32) -> None:
        super().__init__()
        self.frames, self.head = frames, head
        self.norm = nn.GroupNorm(8, channels)
        self.place = nn.Parameter(torch.randn(frames, channels) * 0.02)
        self.qkv = nn.Linear(channels, 3 * channels, bias=False)
        self.out = nn.Linear(channels, channels)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Float[Tensor, "N c h w"]) -> Float[Tensor, "N c h w"]:
        """N is a multiple of the clip's length, clip by clip."""
        count, channels, height, width = x.shape
        tokens = self.norm(x).view(-1, self.frames, channels, height * width).permute(0, 3, 1, 2) + self.place
        qkv = self.qkv(tokens).flatten(0, 1).view(-1, self.frames, 3, channels // self.head, self.head)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2)
        mixed = self.out(mixed.reshape(-1, height * width, self.frames, channels))
        return x + mixed.permute(0, 2, 3, 1).reshape(count, channels, height, width)
