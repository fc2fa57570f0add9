"""Sky, and rain and snow."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from .model import Surroundings
from .noise import lattice, rehash, smooth, unit


def world(x: Tensor) -> Tensor:
    """[B, ...] -> [B, 1, 1, ...], to stand beside frames and rays."""
    return x[:, None, None]


def mix(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    """`a` where `share` [...] is 0, `b` [..., 3] where it is 1."""
    return a + (b - a) * share[..., None]


def sky_place(direction: Float[Tensor, "B F N 3"], time: Tensor) -> Float[Tensor, "B F N 3"]:
    """Where to read the noise for clouds: a plane high above, slowly drifting."""
    up = direction[..., 1].clamp(min=0.02) + 0.12
    return torch.stack((direction[..., 0] / up * 1.1 + 0.12 * time, 0 * up + 3.0, direction[..., 2] / up * 1.1), -1)


def sky_footprint(direction: Float[Tensor, "B F N 3"], pixel: Tensor) -> Float[Tensor, "B F N"]:
    """Size of a pixel of angle `pixel` [B, F] in the units of `sky_place`."""
    up = direction[..., 1].clamp(min=0.02) + 0.12
    return 1.1 * pixel[..., None] / (up * up)


def sky_color(env: Surroundings, direction: Tensor, clouds: Tensor) -> Float[Tensor, "B F N 3"]:
    """Linear radiance of the sky: gradient, sun or moon with its glow, clouds, stars and far hills."""
    horizon, zenith, sun_color, hills = (world(env.sky[:, i]) for i in range(4))
    x, y, z = direction.unbind(-1)
    color = mix(horizon, zenith, y.clamp(0, 1) ** 0.55)
    toward = (direction * world(env.sun)).sum(-1).clamp(min=0)
    strength = world(env.power[:, 0])
    color = color + sun_color * (0.22 * strength * toward**24 + 0.10 * strength * toward**5)[..., None]
    cover = (
        smooth(0.42, 0.72, clouds + 0.35 * (world(env.clouds) - 0.5))
        * world((env.clouds > 0.01).float())
        * smooth(0.0, 0.14, y)
    )
    lit = (sun_color * 0.5 + 0.62 * horizon + 0.12) * (1 - 0.85 * world(env.stars))[..., None]
    color = mix(color, lit, cover * 0.85)
    cell = (direction * 70.0).floor().int()
    h = lattice(cell[..., 0], cell[..., 1], cell[..., 2], world(env.salt))
    dot = (direction * 70.0 - direction.mul(70.0).floor() - 0.5).square().sum(-1)
    star = (unit(h) > 0.94) * smooth(0.1, 0.02, dot) * world(env.stars) * (1 - cover)
    disc = smooth(0.9987, 0.9993, toward)
    color = color + (star * 0.9)[..., None] + sun_color * (disc * (1 - cover) * 2.0)[..., None]
    # hills: a sum of waves round the horizon, different in every world
    around = torch.atan2(x, z)
    phase = unit(world(env.salt)) * 6.2832
    rise = (
        0.045
        + 0.022 * (3 * around + phase).sin()
        + 0.014 * (7 * around + 2.3 * phase).sin()
        + 0.006 * (17 * around + 5.1 * phase).sin()
    )
    return mix(color, hills, smooth(0.004, -0.004, y - rise * world((env.clouds > 0.01).float())))


def particles(env: Surroundings, origin: Tensor, direction: Tensor, reach: Tensor, time: Tensor) -> Tensor:
    """Cover [B, F, N] by rain or snow: drops painted on nested upright cylinders about the scene's middle, falling.

    They hang in the world, so several views of one moment agree; `reach` is the distance of the surface behind.
    """
    o = origin[:, :, None]
    a = direction[..., 0].square() + direction[..., 2].square() + 1e-9
    b = o[..., 0] * direction[..., 0] + o[..., 2] * direction[..., 2]
    rain, snow = world(env.rain), world(env.snow)
    share = torch.where(rain > 0, 0.5, 0.35)  # more snow than that hides who stands in it
    out = torch.zeros_like(reach)
    for i, radius in enumerate((0.9, 1.6, 2.4, 3.3)):
        disc = b * b - a * (o[..., 0].square() + o[..., 2].square() - radius * radius)
        root = disc.clamp(min=0).sqrt()
        for sign in (-1.0, 1.0):
            t = (-b + sign * root) / a
            p = o + direction * t[..., None]
            angle = torch.atan2(p[..., 0], p[..., 2]) * (radius * 5.0)
            fall = p[..., 1] * torch.where(rain > 0, 1.6, 5.0) + time * torch.where(rain > 0, 12.0, 5.5)
            column = angle.floor()
            fall = fall + 7.0 * unit(lattice(column.int(), column.int() * 0, column.int() * 0 + i, world(env.salt)))
            row = fall.floor()
            h = lattice(column.int(), row.int(), column.int() * 0 + 11 + i, world(env.salt))
            u = angle - column - 0.5 - 0.5 * (unit(h) - 0.5)
            v = fall - row - 0.5
            flake = smooth(0.018, 0.005, u * u + v * v)
            streak = smooth(0.045, 0.015, u.abs()) * smooth(0.45, 0.2, v.abs()) * 0.4
            there = (disc > 0) & (t > 1.0) & (t < reach) & (unit(rehash(h)) < share)
            out = out + (flake * snow + streak * rain) * there
    return out.clamp(max=0.85)
