"""Ground: its textures, filtered to the size of a pixel, and the waves and bumps of its surface.

A texture finer than a pixel would flicker from frame to frame and differ from view to view. Every pattern therefore
knows its period and fades to its mean as the pixel's footprint on the ground grows to that size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .backdrop import mix, world
from .looks import GROUND_STYLES
from .model import Surroundings
from .noise import keep, lattice, rehash, smooth, unit

_STYLE = {name: i for i, name in enumerate(GROUND_STYLES)}
WATER = _STYLE["water"]
DETAIL = 0.75  # contrast of joints, blades and grains


@dataclass(frozen=True, eq=False)
class Footprint:
    """Metres of level ground that one pixel covers, [B, F, N]: over all (its longer axis, damped), along x, along z."""

    longest: Float[Tensor, "B F N"]
    x: Float[Tensor, "B F N"]
    z: Float[Tensor, "B F N"]


def footprint(direction: Float[Tensor, "B F N 3"], distance: Float[Tensor, "B F N"], pixel: Tensor) -> Footprint:
    """Footprint on the ground of a pixel of angle `pixel` [B, F] (radians) about rays that meet it at `distance`."""
    dx, dy, dz = direction.unbind(-1)
    across = distance * pixel[..., None]
    level = (dx * dx + dz * dz).clamp(min=1e-6)
    stretch = 1 / (dy * dy).clamp(min=1e-4)
    x = across * ((dz * dz + dx * dx * stretch) / level).sqrt()
    z = across * ((dx * dx + dz * dz * stretch) / level).sqrt()
    return Footprint(across * stretch**0.375, x, z)  # between the mean of the axes (0.25) and the longer one (0.5)


def ground_place(env: Surroundings, point: Float[Tensor, "B F N 3"], time: Tensor) -> Float[Tensor, "B F N 3"]:
    """Where to read the noise for the ground; planks are long, water drifts."""
    style = world(env.style)
    x, z = point[..., 0], point[..., 2]
    grain = world(env.grain)
    planks, water = style == _STYLE["planks"], style == WATER
    px = torch.where(planks, x * 1.1, x * grain) + torch.where(water, 0.7 * time, 0 * time)
    pz = torch.where(planks, z * 9.0, z * grain)
    return torch.stack((px, torch.where(water, 1.1 * time, 0 * time) + 0 * x, pz), -1)


def noise_footprint(env: Surroundings, foot: Footprint) -> Float[Tensor, "B F N"]:
    """Footprint in the units of `ground_place`."""
    planks = world(env.style) == _STYLE["planks"]
    return torch.where(planks, torch.maximum(foot.x * 1.1, foot.z * 9.0), foot.longest * world(env.grain))


def _toward(mean: float, amount: Tensor, kept: Tensor) -> Tensor:
    return mean + (amount - mean) * kept


def _line(edge: float, core: float, away: Tensor, foot: Tensor) -> Tensor:
    """A line, full to `core` and ending at `edge` from its middle, spread over the footprint: wider and fainter."""
    spread = 0.5 * foot
    middle = 0.5 * (edge + core)
    t = ((edge + spread - away) / (edge - core + spread)).clamp(0, 1)
    return t * t * (3 - 2 * t) * (middle / (middle + 0.5 * spread))


def _square_wave(x: Tensor, width: Tensor) -> Tensor:
    """Mean over `width` of the wave that is +1 in even cells of size 1 and -1 in odd ones."""
    half = 0.5 * width.clamp(min=1e-3)

    def integral(at: Tensor) -> Tensor:
        return 0.5 - ((0.5 * at).remainder(1.0) * 2 - 1).abs() * 0.5

    return (integral(x + half) - integral(x - half)) / half


def _planks(env: Surroundings, point: Tensor, foot: Footprint, coarse: Tensor, salt: Tensor) -> Tensor:
    """Boards along x, each with its own tone and its own joints."""
    one, two, three = (world(env.ground[:, i]) for i in range(3))
    grain, x, z = world(env.grain), point[..., 0], point[..., 2]
    row = (z * grain).floor()
    shift = unit(lattice(row.int(), row.int() * 0 + 5, row.int() * 0, salt))
    column = (x * 0.45 + 3.0 * shift).floor()
    tone = unit(lattice(row.int(), column.int(), row.int() * 0 + 9, salt))
    kept = keep(torch.maximum(foot.z * grain, foot.x * 0.45))
    color = mix(two, one, 0.25 + 0.5 * _toward(0.5, tone, kept) + 0.55 * (coarse - 0.5))
    long = _line(0.022, 0.008, (z * grain - row) / grain, foot.z)
    butt = _line(0.022, 0.008, (x * 0.45 + 3.0 * shift - column) / 0.45, foot.x)
    return mix(color, three, _toward(0.04, torch.maximum(long, butt), kept) * DETAIL)


def _tiles(env: Surroundings, point: Tensor, foot: Footprint, coarse: Tensor, salt: Tensor) -> Tensor:
    """A checkered floor, no two tiles of quite the same shade."""
    one, two, three = (world(env.ground[:, i]) for i in range(3))
    grain = world(env.grain)
    x, z = point[..., 0] * grain, point[..., 2] * grain
    ci, cj = x.floor(), z.floor()
    h = lattice(ci.int(), cj.int(), ci.int() * 0 + 2, salt)
    wide, kept = foot.longest * grain, keep(foot.longest * grain * 0.7)
    odd = 0.5 - 0.5 * kept * _square_wave(x, 0.5 * foot.x * grain) * _square_wave(z, 0.5 * foot.z * grain)
    color = mix(one, two, odd) * (0.8 + 0.28 * _toward(0.5, unit(h), kept) + 0.3 * (coarse - 0.5))[..., None]
    in_x, in_z = 0.5 - (x - ci - 0.5).abs(), 0.5 - (z - cj - 0.5).abs()
    joint = torch.maximum(_line(0.03, 0.015, in_x, foot.x * grain), _line(0.03, 0.015, in_z, foot.z * grain))
    return mix(color, three, _toward(0.088, joint, keep(wide)) * DETAIL)


def _stones(env: Surroundings, wide: Tensor, noises: tuple[Tensor, ...]) -> Tensor:
    """Cobbles: a tone for each cell, dark between them."""
    coarse, _, first, second, number = noises
    one, two, three = (world(env.ground[:, i]) for i in range(3))
    kept = keep(wide)
    color = mix(one, two, _toward(0.5, smooth(0.3, 0.7, number), kept)) * (0.75 + 0.5 * coarse)[..., None]
    gap = _toward(0.374, _line(0.13, 0.05, second - first, wide), kept)
    color = mix(color, three, gap * (0.35 + 0.5 * DETAIL))
    return mix(color, three, _toward(0.177, (number > 0.82).to(coarse.dtype), kept) * 0.7)


def _leaves(env: Surroundings, wide: Tensor, noises: tuple[Tensor, ...]) -> Tensor:
    """Each cell a leaf of its own warm tone over a soft litter."""
    coarse, _, first, second, number = noises
    one, two, three = (world(env.ground[:, i]) for i in range(3))
    kept = keep(wide)
    color = mix(two, one, _toward(0.525, smooth(0.2, 0.75, number), kept)) * (0.7 + 0.6 * coarse)[..., None]
    color = mix(color, three, _toward(0.103, (number > 0.74) * smooth(0.62, 0.4, first), kept) * 0.75)
    return mix(color, two * 0.45, _toward(0.22, _line(0.1, 0.0, second - first, wide), kept) * 0.6 * DETAIL)


def _carpet(env: Surroundings, wide: Tensor, noises: tuple[Tensor, ...]) -> Tensor:
    """Woven medallions, blurred by the pile, each of its own shade."""
    _, fine, first, _, number = noises
    one, two, three = (world(env.ground[:, i]) for i in range(3))
    kept = keep(wide)
    color = mix(one, two, _toward(0.875, smooth(0.34, 0.4, first), kept))
    ring = smooth(0.2, 0.15, first) + 0.8 * _line(0.05, 0.02, (first - 0.44).abs(), wide)
    color = mix(color, three, _toward(0.109, ring, kept))
    return color * ((0.82 + 0.36 * fine * DETAIL) * (1 + 0.16 * kept * (number - 0.5)))[..., None]


def _road(
    env: Surroundings, point: Tensor, foot: Footprint, noises: tuple[Tensor, ...], salt: Tensor
) -> Float[Tensor, "B F N 3"]:
    """Asphalt and a broken line along x."""
    coarse, fine = noises[:2]
    one, two, three = (world(env.ground[:, i]) for i in range(3))
    color = mix(two, one, 0.35 + 0.5 * (coarse - 0.5) + 0.5 * (fine - 0.5) * DETAIL)
    dash = smooth(0.28, 0.25, ((point[..., 0] * 0.4 + unit(rehash(salt))).remainder(1.0) - 0.5).abs())
    lane = _line(0.09, 0.07, (point[..., 2] - 1.35).abs(), foot.z) * _toward(0.53, dash, keep(foot.x * 0.4))
    return mix(color, three, lane * (0.6 + 0.4 * fine))


def ground_color(
    env: Surroundings, point: Float[Tensor, "B F N 3"], foot: Footprint, noises: tuple[Tensor, ...]
) -> Float[Tensor, "B F N 3"]:
    """Linear albedo of the ground. `noises`: fractal, its finest octave (both filtered already), and `noise.cells`."""
    coarse, fine = noises[:2]
    salt = world(env.salt)
    one, two, three = (world(env.ground[:, i]) for i in range(3))
    wide = foot.longest * world(env.grain)
    blades = _toward(0.121, smooth(0.6, 0.95, fine), keep(wide * 3.3))
    soft = mix(two, one, smooth(0.22, 0.72, coarse))
    s = world(env.style)[..., None]
    out = mix(soft, three, blades * 0.55 * DETAIL)
    out = torch.where(s == _STYLE["planks"], _planks(env, point, foot, coarse, salt), out)
    out = torch.where(s == _STYLE["tiles"], _tiles(env, point, foot, coarse, salt), out)
    out = torch.where(s == _STYLE["cells"], _stones(env, wide, noises), out)
    out = torch.where(s == _STYLE["road"], _road(env, point, foot, noises, salt), out)
    out = torch.where(s == _STYLE["leaves"], _leaves(env, wide, noises), out)
    out = torch.where(s == _STYLE["carpet"], _carpet(env, wide, noises), out)
    return torch.where(s == WATER, mix(two, one, coarse), out)


def ripple(
    env: Surroundings, noises: tuple[Tensor, ...], point: Tensor, foot: Footprint, time: Tensor
) -> Float[Tensor, "B F N 3"]:
    """Normal of the ground: up, but for water, where waves run, and a little relief elsewhere."""
    wet = (world(env.style) == WATER).to(point.dtype)
    x, z = point[..., 0], point[..., 2]
    t = 6.2832 * time
    swell, chop = 0.05 * keep(foot.longest / 2.0), 0.04 * keep(foot.longest / 1.15)
    a = swell * (2.9 * x + 1.3 * z + t).cos() + chop * (5.1 * z - 2.2 * x + 2 * t).cos() + 0.2 * (noises[1] - 0.5)
    b = swell * (2.3 * z - 1.7 * x + t).cos() + chop * (4.3 * x + 3.1 * z - 2 * t).cos() + 0.2 * (noises[0] - 0.5)
    relief = 0.25 * (1 - wet)
    nx = wet * a + relief * (noises[1] - 0.5)
    nz = wet * b + relief * (noises[0] - 0.5)
    n = torch.stack((nx, torch.ones_like(x), nz), -1)
    return n / n.square().sum(-1, keepdim=True).sqrt()
