"""`render`: worlds and cameras in; pictures, depth and masks out."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from . import trace, trace_cpu
from .model import CASTERS, POOLS, SUBJECT, THING, Slots, Worlds
from .pose import pose
from .shade import HORIZON, Rays, albedo, compose, contact, light
from .surface import surface
from .trace import FAR, Geometry

# Rays at a time on the CPU: few enough for the cache, many enough that threads do not queue for the interpreter.
CHUNK = 24576


@dataclass(frozen=True, eq=False)
class Shots:
    """Cameras and moments for a batch of worlds.

    Attributes:
        viewmats: [B, F, 4, 4] world-to-camera, OpenCV axes.
        Ks: [B, F, 3, 3] intrinsics in pixels.
        times: [B, F] moment of each frame as a fraction of the clip of two seconds, 0..1. All equal: frozen time.
        width, height: picture size in pixels.
    """

    viewmats: Float[Tensor, "B F 4 4"]
    Ks: Float[Tensor, "B F 3 3"]
    times: Float[Tensor, "B F"]
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class Truth:
    """What a camera sees, exactly.

    Attributes:
        rgb: [B, F, 3, H, W] display sRGB in [0, 1], averaged over the samples of a pixel.
        depth: [B, F, 1, H, W] camera-space z in metres at the pixel's centre; inf for sky (and ground beyond 60 m).
            Rain and snow do not count. Empty, W = 0, if `render(..., geometry=False)`.
        mask: [B, F, 1, H, W] share of the pixel covered by the subjects (with hats), 0..1.
        slots: [B, F, H, W] primitive at the pixel's centre; -1 ground, -2 sky.
    """

    rgb: Float[Tensor, "B F 3 H W"]
    depth: Float[Tensor, "B F 1 H D"]
    mask: Float[Tensor, "B F 1 H W"]
    slots: Int64[Tensor, "B F H D"]


@dataclass(frozen=True)
class Layout:
    """Slots in use by a batch: which ones, how many of each shape, and how many of those throw shadows."""

    keep: Tensor
    pools: tuple[int, int, int, int]
    casters: tuple[int, int, int, int]
    weather: bool


def layout(worlds: Worlds) -> Layout:
    """The slots that any world of the batch uses, and whether it rains or snows in any; the rest is left out."""
    slots, env = worlds.slots, worlds.surroundings
    weather = bool(((env.rain > 0) | (env.snow > 0)).any())
    used = (slots.owner > 0).any(0).cpu()
    pools, casters, start = [], [], 0
    for room, shadows in zip(POOLS, CASTERS, strict=True):
        mine = used[start : start + room]
        pools.append(int(mine.sum()))
        casters.append(int(mine[:shadows].sum()))
        start += room
    return Layout(used.nonzero().flatten().to(slots.owner.device), tuple(pools), tuple(casters), weather)  # type: ignore[arg-type]


def directions(shots: Shots, ss: int) -> Float[Tensor, "B F N 3"]:
    """Unit directions of the rays through every pixel, row by row, ss x ss samples next to each other."""
    device = shots.viewmats.device
    offset = (torch.arange(ss, device=device, dtype=torch.float32) + 0.5) / ss
    rows = (torch.arange(shots.height, device=device)[:, None, None, None] + offset[None, None, :, None]).expand(
        -1, shots.width, -1, ss
    )
    cols = (torch.arange(shots.width, device=device)[None, :, None, None] + offset[None, None, None, :]).expand(
        shots.height, -1, ss, -1
    )
    rows, cols = rows.reshape(-1), cols.reshape(-1)
    K, R = shots.Ks[:, :, None], shots.viewmats[:, :, None, :3, :3]
    x, y = (cols - K[..., 0, 2]) / K[..., 0, 0], (rows - K[..., 1, 2]) / K[..., 1, 1]
    d = x[..., None] * R[..., 0, :] + y[..., None] * R[..., 1, :] + R[..., 2, :]
    return d / d.square().sum(-1, keepdim=True).sqrt()


def origins(shots: Shots) -> Float[Tensor, "B F 3"]:
    """Camera centres."""
    return -(shots.viewmats[..., :3, :3] * shots.viewmats[..., :3, 3:]).sum(-2)


def pixel_angle(shots: Shots) -> Float[Tensor, "B F"]:
    """Angle of a pixel in radians."""
    return (shots.Ks[..., 0, 0] * shots.Ks[..., 1, 1]).rsqrt()


def _slim(slots: Slots, keep: Tensor) -> Slots:
    return Slots(
        *(
            x[:, keep]
            for x in (
                slots.center,
                slots.size,
                slots.frame,
                slots.main,
                slots.alt,
                slots.gloss,
                slots.bone,
                slots.pattern,
                slots.owner,
            )
        )
    )


def _ground(origin: Tensor, direction: Tensor, nearest: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Distance to what is seen, whether it is the ground, whether it is the sky."""
    down = direction[..., 1].clamp(max=-1e-6)
    t = torch.where(direction[..., 1] < -1e-6, -origin[:, :, None, 1] / down, FAR)
    t = torch.where((t > 0) & (t < HORIZON), t, FAR)
    return torch.minimum(t, nearest), (t < nearest), (nearest >= FAR) & (t >= FAR)


def _picture(worlds: Worlds, geo: Geometry, rays: Rays, cpu: bool, weather: bool) -> tuple[Tensor, Tensor]:
    """Colour [B, F, N, 3] and subject mask [B, F, N] of every ray."""
    tracer = trace_cpu if cpu else trace
    nearest, slot = tracer.first_hit(geo, rays.origin, rays.direction)
    distance, on_ground, to_sky = _ground(rays.origin, rays.direction, nearest)
    point = rays.origin[:, :, None] + rays.direction * distance.clamp(max=1e3)[..., None]
    hit = surface(worlds.slots, geo, point, slot)
    base, glow, bump, clouds = albedo(worlds, rays, distance, hit, on_ground, to_sky)
    flat = torch.tensor([0.0, 1.0, 0.0], device=point.device)
    normal = torch.where(on_ground[..., None], bump, hit.normal)
    true_normal = torch.where(on_ground[..., None], flat, hit.normal)
    start = point + true_normal * 0.012
    sun = worlds.surroundings.sun
    if cpu:
        faces = (true_normal * sun[:, None, None]).sum(-1) > 0
        dark = trace_cpu.occluded(geo, start, sun, faces & ~to_sky)
    else:
        dark = trace.occluded(geo, start, sun)
    middle = _middles(worlds, geo)
    sees = contact(worlds, middle, point, true_normal[..., 1])
    water = on_ground & (worlds.surroundings.style == 4)[:, None, None]
    gloss = torch.where(on_ground, 0.85 * water, hit.gloss)
    color = light(worlds, rays, point, normal, base, gloss, sees, 1 - dark.to(base.dtype))
    own = base * glow[..., None] * 2.6
    color = compose(
        worlds, rays, distance, color * (1 - 0.7 * glow.clamp(max=1)[..., None]) + own, to_sky, clouds, weather
    )
    mask = (hit.owner > 0) & (hit.owner < THING) & ~on_ground & ~to_sky
    return color, mask.to(color.dtype)


def _middles(worlds: Worlds, geo: Geometry) -> Tensor:
    """[B, F, 2, 3] middle of the first and second subject."""
    out = []
    for owner in (SUBJECT, SUBJECT + 1):
        weight = (worlds.slots.owner == owner).to(geo.center.dtype)[:, None, :, None]
        total = weight.sum(2)
        middle = (geo.center * weight).sum(2) / total.clamp(min=1)
        out.append(torch.where(total > 0, middle, torch.full_like(middle, 500.0)))
    return torch.stack(out, 2)


def trimmed(worlds: Worlds) -> tuple[Worlds, Layout]:
    """The worlds with only the slots that any of them uses, and the layout of these."""
    lay = layout(worlds)
    return replace(worlds, slots=_slim(worlds.slots, lay.keep)), lay


def render_rays(worlds: Worlds, lay: Layout, shots: Shots, ss: int) -> tuple[Tensor, Tensor]:
    """Pictures [B, F, 3, H, W] and masks [B, F, 1, H, W] by torch alone, without data-dependent control flow.

    `worlds` must hold the slots of `lay` only (see `trimmed`). This is what `render_fast` gives to `torch.compile`.
    """
    geo = _geometry(worlds, shots.times, lay)
    rays = Rays(origins(shots), directions(shots, ss), shots.times, pixel_angle(shots))
    return _averaged(*_picture(worlds, geo, rays, False, lay.weather), shots, ss)


@lru_cache(maxsize=1)
def _compiled() -> Callable[..., tuple[Tensor, Tensor]]:
    return torch.compile(render_rays, fullgraph=True, dynamic=False)


def render_fast(
    worlds: Worlds, shots: Shots, *, ss: int = 2, batch: int = 64, compiled: bool = True
) -> tuple[Float[Tensor, "B F 3 H W"], Float[Tensor, "B F 1 H W"]]:
    """Pictures and subject masks in bulk, for training on a GPU; no depth.

    Args:
        worlds: B worlds; a multiple of `batch` avoids compiling a second time for the rest.
        shots: cameras and times, on the same device.
        ss: samples per pixel side.
        batch: worlds rendered at once. 64 clips of 16x36x64 need about 3 GB.
        compiled: fuse by `torch.compile` (a minute for the first batch of a shape) or run operation by operation.
    """
    worlds, lay = trimmed(worlds)
    function = _compiled() if compiled else render_rays
    pieces = []
    with torch.no_grad():
        for i in range(0, len(worlds), batch):
            cut = slice(i, i + batch)
            part = Shots(shots.viewmats[cut], shots.Ks[cut], shots.times[cut], shots.width, shots.height)
            pieces.append(function(worlds[cut], lay, part, ss))
    return torch.cat([p[0] for p in pieces]), torch.cat([p[1] for p in pieces])


def _averaged(color: Tensor, mask: Tensor, shots: Shots, ss: int) -> tuple[Tensor, Tensor]:
    batch, frames = color.shape[:2]
    shape = (batch, frames, shots.height, shots.width, ss * ss)
    rgb = color.reshape(*shape, 3).mean(-2).permute(0, 1, 4, 2, 3)
    return rgb.contiguous(), mask.reshape(shape).mean(-1)[:, :, None]


def _geometry(worlds: Worlds, times: Tensor, lay: Layout) -> Geometry:
    """Pose needs the full slots for ground contact only of those in use, so the trimmed pools are enough."""
    rot, center = pose(worlds, times, lay.pools)
    return Geometry(rot, center, worlds.slots.size, lay.pools, lay.casters)


def _centres(worlds: Worlds, geo: Geometry, shots: Shots, cpu: bool) -> tuple[Tensor, Tensor]:
    """Depth [B, F, 1, H, W] and slots [B, F, H, W] at pixel centres."""
    tracer = trace_cpu if cpu else trace
    origin, direction = origins(shots), directions(shots, 1)
    nearest, slot = tracer.first_hit(geo, origin, direction)
    distance, on_ground, to_sky = _ground(origin, direction, nearest)
    z = distance * (direction * shots.viewmats[:, :, None, 2, :3]).sum(-1)
    z = torch.where(to_sky, torch.inf, z)
    slot = torch.where(on_ground, -1, torch.where(to_sky, -2, slot))
    shape = (*z.shape[:2], shots.height, shots.width)
    return z.reshape(shape)[:, :, None], slot.reshape(shape)


def render(worlds: Worlds, shots: Shots, *, ss: int = 2, geometry: bool = True) -> Truth:
    """Pictures and exact truth of every world at its cameras and times.

    On the CPU rays are traced by compiled loops, frame by frame; on other devices by torch, as many worlds at a time
    as memory allows. For bulk rendering on a GPU see `render_fast`.

    Args:
        worlds: B worlds.
        shots: cameras and times, on the same device.
        ss: samples per pixel side; ss = 2 takes four.
        geometry: whether to trace depth and slots at pixel centres as well.
    """
    cpu = worlds.device.type == "cpu"
    worlds, lay = trimmed(worlds)
    step = 1 if cpu else 4
    jobs = [_piece(shots, i, f, f + step) for i in range(len(worlds)) for f in range(0, shots.times.shape[1], step)]
    each = len(jobs) // len(worlds)

    def work(number: int) -> tuple[Tensor, ...]:
        with torch.no_grad():
            one = number // each
            return _render_piece(worlds[one : one + 1], lay, jobs[number], ss, geometry)

    if cpu and len(jobs) > 1:
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            pieces = list(pool.map(work, range(len(jobs))))
    else:
        pieces = [work(i) for i in range(len(jobs))]
    frames = len(pieces) // len(worlds)
    rows = [
        [torch.cat(part, 1) for part in zip(*pieces[i * frames : (i + 1) * frames], strict=True)]
        for i in range(len(worlds))
    ]
    rgb, depth, mask, slots = (torch.cat(part) for part in zip(*rows, strict=True))
    names = torch.cat((lay.keep, lay.keep.new_tensor([-2, -1])))
    return Truth(rgb, depth, mask, names[slots])


def _piece(shots: Shots, world: int, first: int, last: int) -> Shots:
    cut = (slice(world, world + 1), slice(first, last))
    return Shots(shots.viewmats[cut], shots.Ks[cut], shots.times[cut], shots.width, shots.height)


def _render_piece(
    worlds: Worlds, lay: Layout, shots: Shots, ss: int, centres: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    cpu = worlds.device.type == "cpu"
    geo = _geometry(worlds, shots.times, lay)
    origin, direction = origins(shots), directions(shots, ss)
    step = CHUNK if cpu else 1 << 18
    parts = [
        _picture(
            worlds, geo, Rays(origin, direction[:, :, i : i + step], shots.times, pixel_angle(shots)), cpu, lay.weather
        )
        for i in range(0, direction.shape[2], step)
    ]
    rgb, mask = _averaged(torch.cat([p[0] for p in parts], 2), torch.cat([p[1] for p in parts], 2), shots, ss)
    if not centres:
        return (
            rgb,
            mask.new_zeros(*mask.shape[:-1], 0),
            mask,
            mask.new_zeros((*mask.shape[:2], shots.height, 0), dtype=torch.int64),
        )
    depth, slots = _centres(worlds, geo, shots, cpu)
    return rgb, depth, mask, slots
