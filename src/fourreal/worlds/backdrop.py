"""Ground and sky."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from .looks import GROUND_STYLES
from .model import Surroundings
from .noise import lattice, rehash, smooth, unit

_STYLE = {name: i for i, name in enumerate(GROUND_STYLES)}


def world(x: Tensor) -> Tensor:
    """[B, ...] -> [B, 1, 1, ...], to stand beside frames and rays."""
    return x[:, None, None]


def mix(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    """`a` where `share` [...] is 0, `b` [..., 3] where it is 1."""
    return a + (b - a) * share[..., None]


def ground_place(env: Surroundings, point: Float[Tensor, "B F N 3"], time: Tensor) -> Float[Tensor, "B F N 3"]:
    """Where to read the noise for the ground; planks are long, water drifts."""
    style = world(env.style)
    x, z = point[..., 0], point[..., 2]
    grain = world(env.grain)
    planks, water = style == _STYLE["planks"], style == _STYLE["water"]
    px = torch.where(planks, x * 1.1, x * grain) + torch.where(water, 0.7 * time, 0 * time)
    pz = torch.where(planks, z * 9.0, z * grain)
    return torch.stack((px, torch.where(water, 1.1 * time, 0 * time) + 0 * x, pz), -1)


def ground_color(env: Surroundings, point: Tensor, fine_share: Tensor, noises: tuple[Tensor, ...]) -> Tensor:
    """Linear albedo of the ground, [B, F, N, 3]. `noises`: fractal, its finest octave, and `noise.cells`.

    `fine_share` in 0..1 fades detail that is too far away to be sampled.
    """
    coarse, fine, first, second, number = noises
    style, salt, grain = world(env.style), world(env.salt), world(env.grain)
    one, two, three = (world(env.ground[:, i]) for i in range(3))
    x, z = point[..., 0], point[..., 2]
    soft = mix(two, one, smooth(0.22, 0.72, coarse))
    soft = mix(soft, three, smooth(0.6, 0.95, fine) * 0.55 * fine_share)
    # planks run along x, each with its own tone and its own joints
    row = (z * grain).floor()
    shift = unit(lattice(row.int(), row.int() * 0 + 5, row.int() * 0, salt))
    column = (x * 0.45 + 3.0 * shift).floor()
    tone = unit(lattice(row.int(), column.int(), row.int() * 0 + 9, salt))
    seam = torch.minimum((z * grain - row) / grain, (x * 0.45 + 3.0 * shift - column) / 0.45)
    planks = mix(two, one, 0.25 + 0.5 * tone + 0.55 * (coarse - 0.5))
    planks = mix(planks, three, smooth(0.022, 0.008, seam) * fine_share)
    ci, cj = (x * grain).floor(), (z * grain).floor()
    h = lattice(ci.int(), cj.int(), ci.int() * 0 + 2, salt)
    odd = (ci + cj).remainder(2.0)
    gap = torch.maximum(((x * grain).remainder(1.0) - 0.5).abs(), ((z * grain).remainder(1.0) - 0.5).abs())
    tiles = mix(one, two, odd) * (0.8 + 0.28 * unit(h) + 0.3 * (coarse - 0.5))[..., None]
    tiles = mix(tiles, three, smooth(0.47, 0.485, gap) * fine_share)
    pick = smooth(0.3, 0.7, number)
    stones = mix(one, two, pick) * (0.75 + 0.5 * coarse)[..., None]
    stones = mix(stones, three, smooth(0.13, 0.05, second - first) * (0.35 + 0.5 * fine_share))
    stones = mix(stones, three, (number > 0.82) * 0.7)
    # leaves: each cell its own warm tone over a soft litter; carpet: woven medallions, blurred by the pile
    litter = mix(two, one, smooth(0.2, 0.75, number)) * (0.7 + 0.6 * coarse)[..., None]
    litter = mix(litter, three, (number > 0.74) * 0.75 * smooth(0.62, 0.4, first))
    litter = mix(litter, two * 0.45, smooth(0.1, 0.0, second - first) * 0.6 * fine_share)
    weave = mix(one, two, smooth(0.34, 0.4, first))
    weave = mix(weave, three, smooth(0.2, 0.15, first) + smooth(0.05, 0.02, (first - 0.44).abs()) * 0.8)
    weave = weave * (0.82 + 0.36 * fine * fine_share)[..., None]
    road = mix(two, one, 0.35 + 0.5 * (coarse - 0.5) + 0.5 * (fine - 0.5) * fine_share)
    lane = smooth(0.09, 0.07, (z - 1.35).abs()) * smooth(
        0.28, 0.25, ((x * 0.4 + unit(rehash(salt))).remainder(1.0) - 0.5).abs()
    )
    road = mix(road, three, lane * (0.6 + 0.4 * fine))
    water = mix(two, one, coarse)
    s = style[..., None]
    out = torch.where(s == _STYLE["planks"], planks, torch.where(s == _STYLE["tiles"], tiles, soft))
    out = torch.where(s == _STYLE["cells"], stones, torch.where(s == _STYLE["road"], road, out))
    out = torch.where(s == _STYLE["leaves"], litter, torch.where(s == _STYLE["carpet"], weave, out))
    return torch.where(s == _STYLE["water"], water, out)


def ripple(env: Surroundings, noises: tuple[Tensor, ...], point: Tensor, time: Tensor) -> Float[Tensor, "B F N 3"]:
    """Normal of the ground: up, but for water, where waves run, and a little relief elsewhere."""
    wet = (world(env.style) == _STYLE["water"]).to(point.dtype)
    x, z = point[..., 0], point[..., 2]
    t = 6.2832 * time
    a = 0.05 * (2.9 * x + 1.3 * z + t).cos() + 0.04 * (5.1 * z - 2.2 * x + 2 * t).cos() + 0.2 * (noises[1] - 0.5)
    b = 0.05 * (2.3 * z - 1.7 * x + t).cos() + 0.04 * (4.3 * x + 3.1 * z - 2 * t).cos() + 0.2 * (noises[0] - 0.5)
    relief = 0.25 * (1 - wet)
    nx = wet * a + relief * (noises[1] - 0.5)
    nz = wet * b + relief * (noises[0] - 0.5)
    n = torch.stack((nx, torch.ones_like(x), nz), -1)
    return n / n.square().sum(-1, keepdim=True).sqrt()


def sky_place(direction: Float[Tensor, "B F N 3"], time: Tensor) -> Float[Tensor, "B F N 3"]:
    """Where to read the noise for clouds: a plane high above, slowly drifting."""
    up = direction[..., 1].clamp(min=0.02) + 0.12
    return torch.stack((direction[..., 0] / up * 1.1 + 0.12 * time, 0 * up + 3.0, direction[..., 2] / up * 1.1), -1)


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
            flake = smooth(0.024, 0.008, u * u + v * v)
            streak = smooth(0.045, 0.015, u.abs()) * smooth(0.45, 0.2, v.abs()) * 0.4
            there = (disc > 0) & (t > 0.3) & (t < reach) & (unit(rehash(h)) < 0.5)
            out = out + (flake * snow + streak * rain) * there
    return out.clamp(max=0.85)
