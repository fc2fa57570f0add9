"""Light: sun or moon with shadows, sky, bounce from the ground, one lamp, haze, and the tone curve."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .backdrop import mix, sky_color, sky_footprint, sky_place, world
from .ground import footprint, ground_color, ground_place, noise_footprint, ripple
from .model import Worlds
from .noise import cells, fractal, smooth
from .surface import Hit, paint, texture_place

HORIZON = 60.0  # metres beyond which the ground is lost in the sky


@dataclass(frozen=True, eq=False)
class Rays:
    """Camera rays: origin [B, F, 3], direction [B, F, N, 3] (unit), time [B, F] in 0..1, pixel [B, F] angle of a pixel.

    A pixel's angle (radians) filters textures; 0 samples them at points.
    """

    origin: Float[Tensor, "B F 3"]
    direction: Float[Tensor, "B F N 3"]
    time: Float[Tensor, "B F"]
    pixel: Float[Tensor, "B F"]


def contact(worlds: Worlds, centers: Tensor, point: Tensor, up: Tensor) -> Tensor:
    """How much sky a point near the ground still sees [B, F, N]: soft dark patches under bodies.

    centers: [B, F, 3, 3] places of subject, second subject and item; up: upward part of the normal.
    """
    radius = worlds.rig.height[:, :1] * 0.42
    out = torch.ones_like(up)
    for i in range(2):
        d = point - centers[:, :, None, i]
        flat = (d[..., 0].square() + d[..., 2].square()) / world(radius[:, 0]).square()
        out = out * (1 - 0.5 * torch.exp(-1.6 * flat) * torch.exp(-2.2 * d[..., 1].abs()))
    return out * (0.72 + 0.28 * smooth(-0.05, 0.5, point[..., 1] + 0.35 * up))


def texture_places(
    worlds: Worlds, rays: Rays, distance: Tensor, hit: Hit, on_ground: Tensor, to_sky: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Where each ray reads the noises [B, F, N, 3], the salt to read them with, and a pixel's size there.

    One evaluation of the noises serves primitives, ground and sky alike, each at its own place.
    """
    env = worlds.surroundings
    time = rays.time[..., None]
    reach = distance.clamp(max=1e3)
    point = rays.origin[:, :, None] + rays.direction * reach[..., None]
    place = torch.where(on_ground[..., None], ground_place(env, point, time), texture_place(hit))
    place = torch.where(to_sky[..., None], sky_place(rays.direction, time), place)
    salt = world(env.salt) + hit.owner.to(torch.int32) * (~on_ground).to(torch.int32)
    foot = footprint(rays.direction, reach, rays.pixel)
    size = torch.where(on_ground, noise_footprint(env, foot), torch.zeros_like(distance))
    return place, salt, torch.where(to_sky, sky_footprint(rays.direction, rays.pixel), size)


def noises_at(place: Float[Tensor, "B F N 3"], salt: Tensor, size: Float[Tensor, "B F N"]) -> tuple[Tensor, ...]:
    """Fractal noise, its finest octave, and nearest, second nearest and number of `noise.cells`."""
    return (*fractal(place, salt, size), *cells(place, salt))


def albedo(
    worlds: Worlds, rays: Rays, distance: Tensor, hit: Hit, on_ground: Tensor, noises: tuple[Tensor, ...]
) -> tuple[Tensor, Tensor, Tensor]:
    """Colour and own light of what is hit, and the normal of the ground."""
    env = worlds.surroundings
    reach = distance.clamp(max=1e3)
    point = rays.origin[:, :, None] + rays.direction * reach[..., None]
    foot = footprint(rays.direction, reach, rays.pixel)
    coarse, _, first, second, number = noises
    color, glow = paint(hit, coarse, first, second, number)
    color = torch.where(on_ground[..., None], ground_color(env, point, foot, noises), color)
    glow = torch.where(on_ground, 0 * glow, glow)
    return color, glow, ripple(env, noises, point, foot, rays.time[..., None])


def light(
    worlds: Worlds, rays: Rays, point: Tensor, normal: Tensor, base: Tensor, gloss: Tensor, sees: Tensor, lit: Tensor
) -> Tensor:
    """Radiance towards the camera: Lambert from sun, sky, ground and lamp; a highlight and a sky reflection by `gloss`.

    sees: share of the sky that is seen (`contact`); lit: 1 in the sun, 0 in shadow.
    """
    env = worlds.surroundings
    sun, sky, ground = world(env.sky[:, 2]), world(0.55 * env.sky[:, 0] + 0.45 * env.sky[:, 1]), world(env.ground[:, 0])
    power, ambient = world(env.power[:, 0]), world(env.power[:, 1])
    toward = (normal * world(env.sun)).sum(-1)
    direct = (toward.clamp(min=0) * lit)[..., None] * sun * power[..., None]
    up = 0.5 + 0.5 * normal[..., 1]
    fill = (sky * 0.75 + 0.25 * sky.mean(-1, keepdim=True)) * (up * ambient * sees)[..., None]
    bounce = ground * ((1 - up) * (0.30 * ambient + 0.10 * power) * sees)[..., None]
    lamp = world(env.lamp) - point
    flicker = 1 + 0.1 * (rays.time * 43.0).sin() * (rays.time * 71.0).cos()
    far = lamp.square().sum(-1)
    fall = (
        ((normal * lamp).sum(-1) / far.clamp(min=1e-4).sqrt() * 0.75 + 0.25).clamp(min=0)
        / (0.25 + far)
        * flicker[..., None]
    )
    out = base * (direct + fill + bounce + world(env.glow) * fall[..., None])
    half = world(env.sun) - rays.direction
    half = half / half.square().sum(-1, keepdim=True).clamp(min=1e-9).sqrt()
    spec = (normal * half).sum(-1).clamp(min=0) ** 40 * lit * gloss
    graze = (1 + (normal * rays.direction).sum(-1)).clamp(0, 1)
    mirror = rays.direction - 2 * (normal * rays.direction).sum(-1, keepdim=True) * normal
    shine = mix(world(env.sky[:, 0]), world(env.sky[:, 1]), mirror[..., 1].clamp(0, 1) ** 0.5)
    shine = mix(ground * ambient[..., None] * 0.6, shine, smooth(-0.12, 0.12, mirror[..., 1]))
    reflect = (0.06 + 0.34 * gloss) * gloss + (0.08 + 0.5 * gloss) * graze**4 * sees
    tint = 0.35 + 0.65 * base + graze[..., None] * 0.3
    return out + sun * (spec * power * 0.6)[..., None] + shine * reflect[..., None] * tint * ambient[..., None]


def compose(
    worlds: Worlds,
    rays: Rays,
    distance: Tensor,
    surface_color: Tensor,
    to_sky: Tensor,
    clouds: Tensor,
    drops: Tensor | None,
) -> Tensor:
    """Haze, sky, the lamp's halo and `drops` (cover by rain or snow, if any), then the tone curve: sRGB in [0, 1]."""
    env = worlds.surroundings
    sky = sky_color(env, rays.direction, clouds)
    haze = 1 - torch.exp(-((world(env.haze) * distance.clamp(max=200.0)) ** 1.5))
    level = rays.direction * torch.tensor([1.0, 0.0, 1.0], device=distance.device)
    level = level / level.square().sum(-1, keepdim=True).clamp(min=1e-6).sqrt()
    glow = (level * world(env.sun)).sum(-1).clamp(min=0) ** 5 * 0.1 * world(env.power[:, 0])
    far = world(env.sky[:, 0]) + world(env.sky[:, 2]) * glow[..., None]
    color = mix(surface_color, far, haze)
    veil = 1 - torch.exp(-((world(env.haze) * 9.0) ** 1.5))  # fog hides the sky too
    color = torch.where(to_sky[..., None], mix(sky, far, veil * smooth(0.55, 0.0, rays.direction[..., 1])), color)
    lamp = world(env.lamp) - rays.origin[:, :, None]
    along = (lamp * rays.direction).sum(-1)
    off = (lamp.square().sum(-1) - along.square()).clamp(min=0)
    halo = torch.exp(-off * 5.0) * 0.22 * (along < distance + 0.3)
    color = color + world(env.glow) * halo[..., None]
    if drops is None:
        return tone(color)
    color = mix(color, 0.35 * far + 0.7 * world(env.power[:, 1:]), drops)
    return tone(color)


def tone(color: Tensor) -> Tensor:
    """Linear radiance to display sRGB in [0, 1]: a gentle shoulder, then the gamma of 1 / 2.2."""
    x = color.clamp(min=0) * 0.92
    x = x * (1 + x / 5.0) / (1 + 0.62 * x)
    return x.clamp(1e-6, 1.0) ** (1 / 2.2)
