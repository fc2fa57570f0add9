"""`render`: worlds and cameras in; pictures, depth and masks out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from .casting import Caster, fused
from .model import CASTERS, POOLS, Slots, Worlds
from .picture import behind, look, shaded, shadow_rays
from .pose import pose
from .shade import Rays
from .trace import Geometry

# Rays at a time on the CPU: few enough for the cache, many enough that threads do not queue for the interpreter. Small
# pictures are traced several at a time for the same reason: at 16x12 a thousand small operations are 90 % of one.
CHUNK = 24576
ROOM = 1 << 23  # rays at a time on a GPU: about 3.5 GB


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


def trimmed(worlds: Worlds) -> tuple[Worlds, Layout]:
    """The worlds with only the slots that any of them uses, and the layout of these."""
    lay = layout(worlds)
    return replace(worlds, slots=_slim(worlds.slots, lay.keep)), lay


def rays_of(shots: Shots, ss: int) -> Rays:
    """The rays through all samples of all pixels."""
    return Rays(origins(shots), directions(shots, ss), shots.times, pixel_angle(shots))


def averaged(color: Tensor, mask: Tensor, shots: Shots, ss: int) -> tuple[Tensor, Tensor]:
    """Colours [B, F, N, 3] and masks [B, F, N] of rays as pictures [B, F, 3, H, W] and [B, F, 1, H, W]."""
    batch, frames = color.shape[:2]
    shape = (batch, frames, shots.height, shots.width, ss * ss)
    rgb = color.reshape(*shape, 3).mean(-2).permute(0, 1, 4, 2, 3)
    return rgb.contiguous(), mask.reshape(shape).mean(-1)[:, :, None]


def geometry_of(worlds: Worlds, times: Tensor, lay: Layout) -> Geometry:
    """The posed primitives of trimmed worlds.

    Pose needs the full slots for ground contact only of those in use, so the trimmed pools are enough.
    """
    rot, center = pose(worlds, times, lay.pools)
    return Geometry(rot, center, worlds.slots.size, lay.pools, lay.casters)


def _centres(worlds: Worlds, geo: Geometry, shots: Shots) -> tuple[Tensor, Tensor]:
    """Depth [B, F, 1, H, W] and slots [B, F, H, W] at pixel centres."""
    origin, direction = origins(shots), directions(shots, 1)
    nearest, slot = Caster(geo).first_hit(origin, direction)
    distance, on_ground, to_sky = behind(origin, direction, nearest)
    z = distance * (direction * shots.viewmats[:, :, None, 2, :3]).sum(-1)
    z = torch.where(to_sky, torch.inf, z)
    slot = torch.where(on_ground, -1, torch.where(to_sky, -2, slot.to(torch.int64)))
    shape = (*z.shape[:2], shots.height, shots.width)
    return z.reshape(shape)[:, :, None], slot.reshape(shape)


def _pieces(worlds: Worlds, shots: Shots, ss: int) -> list[tuple[slice, slice]]:
    """Worlds and frames to render at once: as many as `CHUNK` rays on a CPU, else as `ROOM`; one frame at least."""
    count, frames = shots.times.shape
    each = shots.height * shots.width * ss * ss
    room = CHUNK if worlds.device.type == "cpu" else ROOM if fused(worlds.device) else ROOM // 32
    span = min(max(room // each, 1), frames)
    group = max(room // (each * frames), 1)
    return [(slice(i, i + group), slice(f, f + span)) for i in range(0, count, group) for f in range(0, frames, span)]


def render(worlds: Worlds, shots: Shots, *, ss: int = 2, geometry: bool = True) -> Truth:
    """Pictures and exact truth of every world at its cameras and times.

    On the CPU rays are traced by compiled loops, a frame or a few small ones at a time; on other devices several
    worlds are rendered at once.
    For bulk rendering on a GPU see `render_fast`.

    Args:
        worlds: B worlds.
        shots: cameras and times, on the same device.
        ss: samples per pixel side; ss = 2 takes four.
        geometry: whether to trace depth and slots at pixel centres as well.
    """
    worlds, lay = trimmed(worlds)
    jobs = _pieces(worlds, shots, ss)

    def work(job: tuple[slice, slice]) -> tuple[Tensor, ...]:
        with torch.no_grad():
            part = Shots(shots.viewmats[job], shots.Ks[job], shots.times[job], shots.width, shots.height)
            return _render_piece(worlds[job[0]], lay, part, ss, geometry)

    if worlds.device.type == "cpu" and len(jobs) > 1:
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            pieces = list(pool.map(work, jobs))
    else:
        pieces = [work(job) for job in jobs]
    groups: dict[int, list[tuple[Tensor, ...]]] = {}
    for (some, _), piece in zip(jobs, pieces, strict=True):
        groups.setdefault(some.start, []).append(piece)
    rows = [[torch.cat(part, 1) for part in zip(*group, strict=True)] for group in groups.values()]
    rgb, depth, mask, slots = (torch.cat(part) for part in zip(*rows, strict=True))
    names = torch.cat((lay.keep, lay.keep.new_tensor([-2, -1])))
    return Truth(rgb, depth, mask, names[slots])


def _render_piece(
    worlds: Worlds, lay: Layout, shots: Shots, ss: int, centres: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    geo = geometry_of(worlds, shots.times, lay)
    every, caster = rays_of(shots, ss), Caster(geo)
    step = CHUNK if caster.cpu else ROOM
    parts = []
    for i in range(0, every.direction.shape[2], step):
        rays = replace(every, direction=every.direction[:, :, i : i + step])
        seen = look(worlds, geo, rays, *caster.first_hit(rays.origin, rays.direction))
        start, needed = shadow_rays(worlds, seen)
        dark = caster.occluded(start, worlds.surroundings.sun, needed)
        parts.append(shaded(worlds, geo, rays, seen, dark, lay.weather))
    rgb, mask = averaged(torch.cat([p[0] for p in parts], 2), torch.cat([p[1] for p in parts], 2), shots, ss)
    if not centres:
        empty = mask.new_zeros((*mask.shape[:2], shots.height, 0), dtype=torch.int64)
        return rgb, mask.new_zeros(*mask.shape[:-1], 0), mask, empty
    depth, slots = _centres(worlds, geo, shots)
    return rgb, depth, mask, slots
