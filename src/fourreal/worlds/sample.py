"""`sample_worlds`: seeds in, worlds out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from .assemble import Placement, slots_of
from .hashing import bits, uniform, uniforms
from .labels import FIRST_FREE, copies_that_fit, draw_labels, given
from .looks import SKIES, ground_table, sky_table, weather_table
from .model import Rig, Surroundings, View, Worlds
from .pose import extents, pose
from .tables import Tables, tables

_PLACES, _LIGHT, _VIEW, _MOTION, _TONE = (FIRST_FREE + 50 * i for i in range(5))


def sample_worlds(
    seeds: Sequence[int] | Tensor,
    device: torch.device | str = "cpu",
    *,
    labels: Mapping[str, str | Sequence[str]] | None = None,
) -> Worlds:
    """One world for every seed.

    The same seed gives the same world in any batch and on any device (up to float rounding).

    Args:
        seeds: whole numbers, any length of at least one.
        device: where the tensors are made.
        labels: labels to fix by name, e.g. {"subject": "fox", "action": "jumping"}, one name for all worlds or a
            list with one for each; the others are drawn to go with them. See `FACTORS` for the values. A second
            subject or scenery fixed by hand may lose its last parts if a world runs out of slots.

    Raises:
        LabelError: for an unknown label, or an action that the subject cannot do.
    """
    where = torch.device(device)
    ids = torch.as_tensor(seeds, dtype=torch.int64).to(where)
    fixed = given(labels or {}, len(ids), where)
    drawn = draw_labels(ids, fixed)
    t = tables(where)
    azimuth = (uniform(ids, _VIEW) * 2 - 1) * math.pi
    scale = _scales(ids, drawn, t)
    placement = _scenery(ids, drawn, t, azimuth, scale)
    tone = 0.92 + 0.16 * uniforms(ids, _TONE, 3)
    slots = slots_of(drawn, t, scale, placement, tone)
    rig = _rig(ids, drawn, t, azimuth, scale)
    surroundings = _surroundings(ids, drawn, t, azimuth, placement)
    blank = View(torch.zeros(len(ids), 3, device=where), *(torch.zeros(len(ids), device=where) for _ in range(4)))
    world = Worlds(ids, drawn, slots, rig, surroundings, blank)
    view = _view(world, azimuth)
    return Worlds(ids, drawn, slots, rig, surroundings, view)


def _scales(seeds: Tensor, labels: dict[str, Tensor], t: Tables) -> Tensor:
    """[B, 2] metres per unit of subject and second; their heights keep something of the natural proportion."""
    other = (labels["second"] - 1).clamp(min=0)
    first = 0.95 + 0.1 * uniform(seeds, _TONE + 10)
    ratio = (t.sizes[other] / t.sizes[labels["subject"]]).clamp(0.62, 1.5)
    height = first * t.bounds[labels["subject"], 0]
    return torch.stack((first, height * ratio / t.bounds[other, 0]), -1)


def _scenery(seeds: Tensor, labels: dict[str, Tensor], t: Tables, azimuth: Tensor, scale: Tensor) -> Placement:
    """Scenery stands behind the subject as the default camera sees it, left, right and further back."""
    draw = uniforms(seeds, _PLACES, 12).unflatten(-1, (3, 4))
    side = torch.where(uniform(seeds, _PLACES + 20) < 0.5, -1.0, 1.0)
    sector = torch.stack((side * 1.05, -side * 0.95, 0.25 * side), -1) + (draw[..., 0] - 0.5) * 0.5
    angle = azimuth[:, None] + math.pi + sector
    reach = t.bounds[labels["subject"]].amax(-1) * scale[:, 0]
    radius = reach[:, None] * 0.75 + 0.75 + draw[..., 1] * 0.7 + draw.new_tensor([0.0, 0.4, 1.6])
    place = torch.stack((radius * angle.sin(), torch.zeros_like(radius), radius * angle.cos()), -1)
    size = 0.85 + 0.4 * draw[..., 2]
    return Placement(
        azimuth[:, None] + (draw[..., 3] - 0.5) * 1.6,
        place,
        torch.minimum(t.copies[labels["prop"]], copies_that_fit(labels)),
        size,
    )


def _rig(seeds: Tensor, labels: dict[str, Tensor], t: Tables, azimuth: Tensor, scale: Tensor) -> Rig:
    other = (labels["second"] - 1).clamp(min=0)
    who = torch.stack((labels["subject"], other), 1)
    does = torch.stack((labels["action"], labels["second_action"]), 1)
    draw = uniforms(seeds, _MOTION, 8)
    turn = torch.stack((draw[:, 0] * 2 - 1, draw[:, 1] * 2 - 1), 1) * torch.where(t.plans[who] == 0, 1.05, 0.8)
    bounds = t.bounds[who] * scale[..., None]
    reach = bounds[:, :, 1:].amax(-1)
    side = azimuth + torch.where(draw[:, 2] < 0.5, -1.0, 1.0) * (1.45 + 0.35 * draw[:, 3])
    apart = (0.72 * (reach[:, 0] + reach[:, 1]) + 0.12)[:, None]
    alone = (labels["second"] == 0)[:, None]
    beside = torch.stack((side.sin(), 0 * side, side.cos()), -1) * apart
    place = torch.stack((torch.where(alone, 0 * beside, -beside / 2), beside / 2), 1)
    return Rig(
        pivots=t.pivots[who] * scale[..., None, None],
        motion=t.motion[does, t.plans[who]],
        cycles=t.cycles[does] * (0.85 + 0.3 * draw[:, 4:6]),
        start=draw[:, 6:8],
        yaw=azimuth[:, None] + turn,
        height=bounds[..., 0],
        place=place,
        hand=t.hands[labels["subject"]] * scale[:, :1],
        crown=t.crowns[labels["subject"]] * scale[:, :1],
        anchor=t.item_anchor[labels["item"]],
        reach=t.item_reach[labels["item"]],
        front=bounds[:, 0, 2],
    )


def _surroundings(
    seeds: Tensor, labels: dict[str, Tensor], t: Tables, azimuth: Tensor, placement: Placement
) -> Surroundings:
    device = seeds.device
    colors, numbers = ground_table(device)
    sky_colors, sky_numbers = sky_table(device)
    fog, rain, snow = weather_table(device)[labels["weather"]].unbind(-1)
    draw = uniforms(seeds, _LIGHT, 8)
    sky = sky_numbers[labels["sky"]]
    height = torch.deg2rad(sky[:, 2] + (sky[:, 3] - sky[:, 2]) * draw[:, 0])
    side = azimuth + torch.where(draw[:, 1] < 0.5, -1.0, 1.0) * (0.5 + 1.2 * draw[:, 2])
    sun = torch.stack((height.cos() * side.sin(), height.sin(), height.cos() * side.cos()), -1)
    dim = (1 - 0.45 * (fog > 0.01).float())[:, None]
    power = sky[:, :2] * torch.cat((dim, 0.5 + 0.5 * dim), 1)
    night = torch.tensor([s.name == "night" for s in SKIES], device=device)[labels["sky"]]
    warm = torch.tensor([1.0, 0.62, 0.28], device=device)
    strength = t.lights[labels["prop"]] * torch.where(night, 2.6, 0.5)
    lift = torch.stack((0 * draw[:, 0], 0.45 + 1.15 * (labels["prop"] == _lamp_id()), 0 * draw[:, 0]), -1)
    tone = 0.93 + 0.14 * draw[:, None, 3:6]
    return Surroundings(
        ground=colors[labels["ground"]] * tone,
        style=numbers[labels["ground"], 0].long(),
        grain=numbers[labels["ground"], 1] * (0.85 + 0.3 * draw[:, 6]),
        sky=sky_colors[labels["sky"]],
        sun=sun,
        power=power,
        clouds=sky[:, 4],
        stars=sky[:, 5],
        haze=sky[:, 6] + fog,
        rain=rain,
        snow=snow,
        lamp=placement.place[:, 0] + lift * placement.scale[:, :1],
        glow=strength[:, None] * warm,
        salt=(bits(seeds, _LIGHT + 20) & 0x7FFFFF).to(torch.int32),
    )


def _lamp_id() -> int:
    from .vocabulary import FACTORS

    return FACTORS["prop"].index("street lamp")


def _view(worlds: Worlds, azimuth: Tensor) -> View:
    """The default camera: the subjects, over the whole clip, fill one half to two thirds of the height."""
    seeds = worlds.seeds
    times = torch.linspace(0, 1, 7, device=seeds.device).expand(len(seeds), -1)
    rotation, center = pose(worlds, times)
    reach = extents(worlds.slots, rotation)
    mask = worlds.slots.actors[:, None, :, None]
    low = torch.where(mask, center - reach, torch.full_like(center, 1e3)).amin((1, 2))
    high = torch.where(mask, center + reach, torch.full_like(center, -1e3)).amax((1, 2))
    low = torch.cat((low[:, :1], low[:, 1:2].clamp(min=-0.1), low[:, 2:]), 1)
    draw = uniforms(seeds, _VIEW + 1, 4)
    fov = torch.deg2rad(32 + 10 * draw[:, 0])
    size = high - low
    wide = (size[:, 0] * azimuth.cos()).abs() + (size[:, 2] * azimuth.sin()).abs()
    deep = (size[:, 0] * azimuth.sin()).abs() + (size[:, 2] * azimuth.cos()).abs()
    fill = 0.7 + 0.1 * draw[:, 1]
    tangent = (fov / 2).tan()
    distance = torch.maximum(size[:, 1] / fill, wide / (1.78 * 0.86)) / (2 * tangent) + 0.3 * deep
    elevation = torch.deg2rad(5 + 17 * draw[:, 2])
    return View((low + high) / 2, azimuth, elevation, distance, fov)
