"""From what the rays meet to colours: the steps between and after the two casts of rays."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .backdrop import particles, world
from .ground import WATER
from .model import SUBJECT, THING, Worlds
from .shade import HORIZON, Rays, albedo, compose, contact, light, noises_at, texture_places
from .surface import Hit, surface
from .trace import FAR, Geometry


@dataclass(frozen=True, eq=False)
class Seen:
    """What every ray sees: distance, ground or sky, the point, the primitive's surface, the true normal."""

    distance: Float[Tensor, "B F N"]
    on_ground: Bool[Tensor, "B F N"]
    to_sky: Bool[Tensor, "B F N"]
    point: Float[Tensor, "B F N 3"]
    hit: Hit
    normal: Float[Tensor, "B F N 3"]


def behind(
    origin: Float[Tensor, "B F 3"], direction: Float[Tensor, "B F N 3"], nearest: Float[Tensor, "B F N"]
) -> tuple[Tensor, Tensor, Tensor]:
    """Distance to what is seen, given the nearest primitive's; whether it is the ground, whether it is the sky."""
    down = direction[..., 1].clamp(max=-1e-6)
    t = torch.where(direction[..., 1] < -1e-6, -origin[:, :, None, 1] / down, FAR)
    t = torch.where((t > 0) & (t < HORIZON), t, FAR)
    return torch.minimum(t, nearest), (t < nearest), (nearest >= FAR) & (t >= FAR)


def look(worlds: Worlds, geo: Geometry, rays: Rays, nearest: Tensor, slot: Int[Tensor, "B F N"]) -> Seen:
    """What the rays see, given the primitives that they meet."""
    distance, on_ground, to_sky = behind(rays.origin, rays.direction, nearest)
    point = rays.origin[:, :, None] + rays.direction * distance.clamp(max=1e3)[..., None]
    hit = surface(worlds.slots, geo, point, slot)
    flat = torch.tensor([0.0, 1.0, 0.0], device=point.device)
    return Seen(distance, on_ground, to_sky, point, hit, torch.where(on_ground[..., None], flat, hit.normal))


def shadow_rays(worlds: Worlds, seen: Seen) -> tuple[Float[Tensor, "B F N 3"], Bool[Tensor, "B F N"]]:
    """Where rays to the sun start, and which of them matter: surfaces that face it."""
    faces = (seen.normal * world(worlds.surroundings.sun)).sum(-1) > 0
    return seen.point + seen.normal * 0.012, faces & ~seen.to_sky


@dataclass(frozen=True, eq=False)
class Skin:
    """What is painted where a ray ends: colour, own light, shading normal, gloss, and the true normal's upward part."""

    base: Float[Tensor, "B F N 3"]
    glow: Float[Tensor, "B F N"]
    normal: Float[Tensor, "B F N 3"]
    gloss: Float[Tensor, "B F N"]
    up: Float[Tensor, "B F N"]


def places(worlds: Worlds, rays: Rays, seen: Seen) -> tuple[Tensor, Tensor, Tensor]:
    """See `shade.texture_places`."""
    return texture_places(worlds, rays, seen.distance, seen.hit, seen.on_ground, seen.to_sky)


def painted(worlds: Worlds, rays: Rays, seen: Seen, noises: tuple[Tensor, ...]) -> tuple[Skin, Tensor]:
    """Skins, and the subjects' mask [B, F, N]."""
    hit, on_ground = seen.hit, seen.on_ground
    base, glow, bump = albedo(worlds, rays, seen.distance, hit, on_ground, noises)
    normal = torch.where(on_ground[..., None], bump, hit.normal)
    water = on_ground & (world(worlds.surroundings.style) == WATER)
    gloss = torch.where(on_ground, 0.85 * water, hit.gloss)
    mask = (hit.owner > 0) & (hit.owner < THING) & ~on_ground & ~seen.to_sky
    return Skin(base, glow, normal, gloss, seen.normal[..., 1]), mask.to(base.dtype)


def lit(worlds: Worlds, geo: Geometry, rays: Rays, distance: Tensor, skin: Skin, dark: Tensor) -> Tensor:
    """Radiance [B, F, N, 3] of surfaces; `dark` where the sun is hidden."""
    point = rays.origin[:, :, None] + rays.direction * distance.clamp(max=1e3)[..., None]
    sees = contact(worlds, _middles(worlds, geo), point, skin.up)
    color = light(worlds, rays, point, skin.normal, skin.base, skin.gloss, sees, 1 - dark.to(skin.base.dtype))
    return color * (1 - 0.7 * skin.glow.clamp(max=1)[..., None]) + skin.base * skin.glow[..., None] * 2.6


def drops_before(worlds: Worlds, rays: Rays, distance: Tensor) -> Tensor:
    """Cover [B, F, N] of every ray by rain or snow."""
    return particles(worlds.surroundings, rays.origin, rays.direction, distance, rays.time[..., None])


def shaded(worlds: Worlds, geo: Geometry, rays: Rays, seen: Seen, dark: Tensor, weather: bool) -> tuple[Tensor, Tensor]:
    """Colour [B, F, N, 3] and subject mask [B, F, N] of every ray: all of the steps above."""
    noises = noises_at(*places(worlds, rays, seen))
    skin, mask = painted(worlds, rays, seen, noises)
    color = lit(worlds, geo, rays, seen.distance, skin, dark)
    drops = drops_before(worlds, rays, seen.distance) if weather else None
    return compose(worlds, rays, seen.distance, color, seen.to_sky, noises[0], drops), mask


def _middles(worlds: Worlds, geo: Geometry) -> Tensor:
    """[B, F, 2, 3] middle of the first and second subject."""
    out = []
    for owner in (SUBJECT, SUBJECT + 1):
        weight = (worlds.slots.owner == owner).to(geo.center.dtype)[:, None, :, None]
        total = weight.sum(2)
        middle = (geo.center * weight).sum(2) / total.clamp(min=1)
        out.append(torch.where(total > 0, middle, torch.full_like(middle, 500.0)))
    return torch.stack(out, 2)
