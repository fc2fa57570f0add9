"""`render_fast`: pictures by the thousand on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from .casting import Caster, fused
from .model import CASTERS, POOLS, Worlds
from .picture import Skin, behind, drops_before, lit, look, painted, places, shaded, shadow_rays
from .pose import pose
from .render import Layout, Shots, averaged, directions, geometry_of, layout, origins, pixel_angle, rays_of, trimmed
from .shade import Rays, compose, noises_at
from .trace import Geometry, first_hit, occluded


def render_rays(worlds: Worlds, lay: Layout, shots: Shots, ss: int) -> tuple[Tensor, Tensor]:
    """Pictures [B, F, 3, H, W] and masks [B, F, 1, H, W] by torch alone, without data-dependent control flow.

    `worlds` must hold the slots of `lay` only (see `trimmed`). It is one graph for `torch.compile`.
    """
    geo, rays = geometry_of(worlds, shots.times, lay), rays_of(shots, ss)
    seen = look(worlds, geo, rays, *first_hit(geo, rays.origin, rays.direction))
    start, _ = shadow_rays(worlds, seen)
    dark = occluded(geo, start, worlds.surroundings.sun)
    return averaged(*shaded(worlds, geo, rays, seen, dark, lay.weather), shots, ss)


# The steps that are compiled each by itself: small graphs compile far faster than one, and what they hand on is little.
# What is seen is worked out twice, cheaper than to write it down.


def _ends(worlds: Worlds, geo: Geometry, rays: Rays, nearest: Tensor, slot: Tensor) -> tuple[Tensor, ...]:
    """Start of the ray to the sun and whether it matters; place, salt and size of the texture."""
    seen = look(worlds, geo, rays, nearest, slot)
    return (*shadow_rays(worlds, seen), *places(worlds, rays, seen))


def _skins(
    worlds: Worlds, geo: Geometry, rays: Rays, nearest: Tensor, slot: Tensor, noises: tuple[Tensor, ...]
) -> tuple[Skin, Tensor]:
    return painted(worlds, rays, look(worlds, geo, rays, nearest, slot), noises)


def _lit(worlds: Worlds, geo: Geometry, rays: Rays, nearest: Tensor, skin: Skin, dark: Tensor) -> Tensor:
    return lit(worlds, geo, rays, behind(rays.origin, rays.direction, nearest)[0], skin, dark)


def _drops(worlds: Worlds, rays: Rays, nearest: Tensor) -> Tensor:
    return drops_before(worlds, rays, behind(rays.origin, rays.direction, nearest)[0])


def _finished(
    worlds: Worlds, rays: Rays, nearest: Tensor, color: Tensor, clouds: Tensor, drops: Tensor | None
) -> Tensor:
    distance, _, to_sky = behind(rays.origin, rays.direction, nearest)
    return compose(worlds, rays, distance, color, to_sky, clouds, drops)


@lru_cache(maxsize=16)
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    return torch.compile(function, fullgraph=True, dynamic=False)


def _same(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


def _kernel_batch(worlds: Worlds, shots: Shots, ss: int, weather: bool, compiled: bool) -> tuple[Tensor, Tensor]:
    """One batch by the Triton kernels. All slots are kept, so that nothing is compiled again for the next worlds."""
    step = _compiled if compiled else _same
    rot, center = pose(worlds, shots.times)
    geo = Geometry(rot, center, worlds.slots.size, POOLS, CASTERS)
    rays = Rays(origins(shots), step(directions)(shots, ss), shots.times, pixel_angle(shots))
    caster = Caster(geo)
    nearest, slot = caster.first_hit(rays.origin, rays.direction)
    start, needed, *where = step(_ends)(worlds, geo, rays, nearest, slot)
    dark = caster.occluded(start, worlds.surroundings.sun, needed)
    noises = step(noises_at)(*where)
    skin, mask = step(_skins)(worlds, geo, rays, nearest, slot, noises)
    color = step(_lit)(worlds, geo, rays, nearest, skin, dark)
    drops = step(_drops)(worlds, rays, nearest) if weather else None
    color = step(_finished)(worlds, rays, nearest, color, noises[0], drops)
    return step(averaged)(color, mask, shots, ss)


def render_fast(
    worlds: Worlds, shots: Shots, *, ss: int = 2, batch: int = 64, compiled: bool = True
) -> tuple[Float[Tensor, "B F 3 H W"], Float[Tensor, "B F 1 H W"]]:
    """Pictures and subject masks in bulk, for training on a GPU; no depth.

    Args:
        worlds: B worlds; a multiple of `batch` avoids compiling a second time for the rest.
        shots: cameras and times, on the same device.
        ss: samples per pixel side.
        batch: worlds rendered at once.
        compiled: fuse by `torch.compile` (slow for the first batch of a shape) or run operation by operation.
    """
    kernels = fused(worlds.device)
    if kernels:
        lay = layout(worlds)
    else:
        worlds, lay = trimmed(worlds)
    whole = _compiled(render_rays) if compiled and not kernels else render_rays
    pieces = []
    with torch.no_grad():
        for i in range(0, len(worlds), batch):
            cut = slice(i, i + batch)
            part = Shots(shots.viewmats[cut], shots.Ks[cut], shots.times[cut], shots.width, shots.height)
            if kernels:
                pieces.append(_kernel_batch(worlds[cut], part, ss, lay.weather, compiled))
            else:
                pieces.append(whole(worlds[cut], lay, part, ss))
    return torch.cat([p[0] for p in pieces]), torch.cat([p[1] for p in pieces])
