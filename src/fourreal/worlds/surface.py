"""What a hit primitive looks like: its normal, and the pattern painted on it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .model import Slots
from .noise import smooth
from .parts import PATTERNS
from .trace import Geometry

_ID = {name: i for i, name in enumerate(PATTERNS)}


@dataclass(frozen=True, eq=False)
class Hit:
    """The surface under every ray, [B, F, N] and, where said, three components more.

    local: place in the primitive's own axes (metres); rest: in the subject's rest pose; unit: local over size;
    normal: in the world; rest_normal: in the rest pose; size, main, alt; kind, pattern, owner, gloss.
    """

    local: Tensor
    rest: Tensor
    unit: Tensor
    normal: Tensor
    rest_normal: Tensor
    upright: Tensor
    size: Tensor
    main: Tensor
    alt: Tensor
    kind: Tensor
    pattern: Tensor
    owner: Tensor
    gloss: Tensor


def _rotate(matrix: Tensor, v: Tensor) -> Tensor:
    return (matrix * v[..., None, :]).sum(-1)


def _unrotate(matrix: Tensor, v: Tensor) -> Tensor:
    return (matrix * v[..., :, None]).sum(-2)


def _normal(local: Tensor, size: Tensor, kind: Tensor) -> Tensor:
    """Outward unit normal in the primitive's axes; edges of boxes and discs are rounded off in shading only."""
    x, y, z = local.unbind(-1)
    sx, sy, sz = size.unbind(-1)
    ball = local / (size * size)
    # box: towards the point from the nearest point of a smaller box
    bevel = 0.28 * size.amin(-1, keepdim=True)
    inner = size - bevel
    box = local - torch.minimum(torch.maximum(local, -inner), inner)
    # round cone: from the ball of the hull that touches the surface here
    slope = (sx - sz) / (2 * sy)
    along = slope / (1 - slope * slope).clamp(min=1e-4).sqrt()
    radial = (x * x + z * z).clamp(min=1e-12).sqrt()
    middle = torch.minimum(torch.maximum(y - radial * along, -sy), sy)
    cone = torch.stack((x, y - middle, z), -1)
    # capped cone: the wall's normal, bent towards the disc's near the rim
    rim = 0.3 * torch.minimum(torch.maximum(sx, sz), sy)
    flat = ((y.abs() - (sy - rim)) / rim).clamp(0, 1)
    flat = torch.where(y.abs() > sy * 0.9995, 1.0, 0.55 * flat * flat)[..., None]
    wall = torch.stack((x / radial, slope, z / radial), -1)
    cap = torch.stack((0 * y, y.sign(), 0 * y), -1)
    capped = wall * (1 - flat) + cap * flat
    k = kind[..., None]
    out = torch.where(k == 0, ball, torch.where(k == 1, cone, torch.where(k == 2, box, capped)))
    return out / out.square().sum(-1, keepdim=True).clamp(min=1e-12).sqrt()


def surface(slots: Slots, geo: Geometry, point: Float[Tensor, "B F N 3"], slot: Int[Tensor, "B F N"]) -> Hit:
    """The surface at `point` on primitive `slot`."""
    batch, frames, count = geo.center.shape[:3]
    world = torch.arange(batch, device=slot.device)[:, None, None]
    frame = torch.arange(frames, device=slot.device)[None, :, None]
    posed = (world * frames + frame) * count + slot
    static = world * count + slot
    rot = geo.rot.reshape(-1, 3, 3)[posed]
    local = _unrotate(rot, point - geo.center.reshape(-1, 3)[posed])
    size = geo.size.reshape(-1, 3)[static]
    ends = [sum(geo.pools[: i + 1]) for i in range(3)]
    kind = (slot >= ends[0]).long() + (slot >= ends[1]).long() + (slot >= ends[2]).long()
    own = _normal(local, size, kind)
    placed = slots.frame.reshape(-1, 3, 3)[static]
    rest = _rotate(placed, local) + slots.center.reshape(-1, 3)[static]
    return Hit(
        local,
        rest,
        local / size,
        _rotate(rot, own),
        _rotate(placed, own),
        placed[..., 1, 1].abs(),
        size,
        slots.main.reshape(-1, 3)[static],
        slots.alt.reshape(-1, 3)[static],
        kind,
        slots.pattern.reshape(-1)[static],
        slots.owner.reshape(-1)[static],
        slots.gloss.reshape(-1)[static],
    )


def texture_place(hit: Hit) -> Tensor:
    """[B, F, N, 3] where to read the noise for a primitive: rest pose, at the pattern's scale."""
    p = hit.pattern[..., None]
    one = torch.ones_like(hit.rest[..., :1])
    scale = torch.where(
        p == _ID["mosaic"],
        5.2 * one,
        torch.where(p == _ID["spots"], 6.5 * one, torch.where(p == _ID["shell"], 6.0 * one, 5.0 * one)),
    )
    return hit.rest * torch.where(p == _ID["patches"], 2.4 * one, scale)


def _tall(hit: Hit) -> Tensor:
    """Coordinate along the body: height on upright parts, depth on level ones, the longer side on boxes."""
    body = hit.rest[..., 2] + (hit.rest[..., 1] - hit.rest[..., 2]) * smooth(0.45, 0.75, hit.upright)
    box = torch.where(hit.size[..., 0] > hit.size[..., 1], hit.local[..., 0], hit.local[..., 1])
    return torch.where(hit.kind == 2, box, body)


def _animal_marks(hit: Hit, noise: Tensor, first: Tensor, second: Tensor, number: Tensor) -> list[tuple[str, Tensor]]:
    along = _tall(hit)
    n = hit.rest_normal
    under = n[..., 2] * hit.upright - n[..., 1] * (1 - hit.upright)
    u = hit.unit
    inner = torch.where(hit.kind == 0, smooth(0.88, 0.96, n[..., 2]), smooth(0.55, 0.75, n[..., 2]))
    return [
        ("belly", smooth(0.5, 0.68, under)),
        ("end", smooth(0.1, 0.26, u[..., 1] + 0.25 * (noise - 0.5))),
        ("stripes", smooth(0.28, 0.5, (31.0 * along + 6.5 * noise).sin())),
        ("rings", smooth(-0.1, 0.1, (26.0 * along).sin())),
        ("spots", smooth(0.46, 0.38, first) * (number < 0.8)),
        ("patches", smooth(0.505, 0.525, noise)),
        ("mosaic", smooth(0.09, 0.16, second - first)),
        ("shell", smooth(0.12, 0.05, second - first)),
        ("muzzle", smooth(0.0, 0.12, 0.35 * u[..., 2] - u[..., 1] - 0.12 + 0.5 * (u[..., 0].abs() - 0.5))),
        ("inner", inner),
    ]


def _made_marks(hit: Hit) -> list[tuple[str, Tensor]]:
    u, x = hit.unit, hit.local
    around = torch.atan2(x[..., 0], x[..., 2])
    radius = (x[..., 0].square() + x[..., 2].square()).sqrt() / hit.size[..., 0]
    hub = smooth(0.6, 0.56, radius) * smooth(0.12, 0.16, radius + 0.1 * (5 * around).cos())
    panel = smooth(0.66, 0.62, torch.maximum(u[..., 0].abs(), u[..., 1].abs()))
    pillars = smooth(0.86, 0.82, u[..., 1].abs()) * smooth(0.47, 0.44, ((u[..., 2] * 1.5).remainder(1.0) - 0.5).abs())
    wedge = torch.where(
        hit.kind == 3,
        smooth(-0.05, 0.05, (6 * around).sin()),
        smooth(0.62, 0.66, torch.maximum(u[..., 0].abs(), -u[..., 1])),
    )
    return [
        ("wheel", torch.where(hit.kind == 3, hub, panel)),
        ("glass", torch.where(hit.kind == 2, pillars, 1.0)),
        ("split", wedge),
    ]


def paint(hit: Hit, noise: Tensor, first: Tensor, second: Tensor, number: Tensor) -> tuple[Tensor, Tensor]:
    """Linear albedo [B, F, N, 3] and strength of own light [B, F, N].

    `noise` in [0, 1] and `first`, `second`, `number` of `noise.cells` are read at `texture_place`.
    """
    marks = _animal_marks(hit, noise, first, second, number) + _made_marks(hit)
    share = torch.zeros_like(noise)
    for name, amount in marks:
        share = torch.where(hit.pattern == _ID[name], amount, share)
    color = hit.main + (hit.alt - hit.main) * share[..., None]
    u = hit.unit
    ring = (u[..., 0].square() + u[..., 1].square()).sqrt()
    pupil = smooth(0.98, 0.92, ring) * (u[..., 2] > 0)
    shine = smooth(0.19, 0.11, ((u[..., 0] - 0.26).square() + (u[..., 1] - 0.32).square()).sqrt()) * (u[..., 2] > 0)
    eye = hit.main + (hit.alt - hit.main) * pupil[..., None]
    eye = eye + (1.4 - eye) * shine[..., None]
    is_eye = hit.pattern == _ID["eye"]
    grain = 0.86 + 0.28 * noise
    color = torch.where(is_eye[..., None], eye, color * grain[..., None])
    return color, (hit.pattern == _ID["glow"]).to(color.dtype) + 0.25 * shine * is_eye
