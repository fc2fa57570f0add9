"""Drawing consistent labels from seeds, and labels given by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import torch
from torch import Tensor

from .actions import ACTIONS, PLANS
from .errors import LabelError, find
from .hashing import uniform
from .looks import COLORS, GROUNDS, SKIES, WEATHERS
from .model import POOLS
from .tables import Tables, tables
from .vocabulary import FACTORS

# Random slots below this are labels; everything else begins above.
FIRST_FREE = 100


def weighted(weights: Tensor, draw: Tensor) -> Tensor:
    """Index [B] into the rows of `weights` [B, K] by `draw` in [0, 1); whole numbers sum exactly on all devices."""
    total = weights.cumsum(-1)
    return (total <= draw[:, None] * total[:, -1:]).sum(-1).clamp(max=weights.shape[1] - 1)


def given(labels: Mapping[str, str | Sequence[str]], count: int, device: torch.device) -> dict[str, Tensor]:
    """Label ids [count] of labels given by name, one for all worlds or one for each.

    Raises:
        LabelError: for an unknown factor or value, or a list of the wrong length.
    """
    out: dict[str, Tensor] = {}
    for factor, value in labels.items():
        find("label", factor, tuple(FACTORS))
        names = [value] * count if isinstance(value, str) else list(value)
        if len(names) != count:
            raise LabelError(f"labels[{factor!r}] must be one name or {count} names, got {len(names)}")
        ids = [find(factor, name, FACTORS[factor]) for name in names]
        out[factor] = torch.tensor(ids, device=device, dtype=torch.int64)
    return out


@lru_cache(maxsize=4)
def _uses(device: torch.device) -> dict[str, Tensor]:
    """[K, 4] primitives of each shape that every subject, item, hat and prop needs."""
    t = tables(device)
    kinds = {"subject": t.subjects, "item": t.held, "hat": t.worn, "prop": t.scenery}
    return {k: torch.stack([(v.shape == shape).sum(1) for shape in range(4)], -1) for k, v in kinds.items()}


def room_left(labels: dict[str, Tensor]) -> Tensor:
    """[B, 4] free slots of each shape beside subject, item, hat and, if it is drawn, second subject."""
    uses = _uses(labels["subject"].device)
    room = torch.tensor(POOLS, device=labels["subject"].device) - sum(
        uses[k][labels[k]] for k in ("subject", "item", "hat")
    )
    if "second" in labels:
        other = uses["subject"][(labels["second"] - 1).clamp(min=0)]
        room = room - other * (labels["second"] > 0)[:, None]
    return room


def copies_that_fit(labels: dict[str, Tensor]) -> Tensor:
    """[B] how many copies of the scenery have room."""
    need = _uses(labels["subject"].device)["prop"][labels["prop"]]
    share = torch.div(room_left(labels), need.clamp(min=1), rounding_mode="floor")
    return torch.where(need > 0, share, 99).amin(-1).clamp(min=0)


def _ground_weights(subject: Tensor, action: Tensor, device: torch.device) -> Tensor:
    names = [g.name for g in GROUNDS]
    base = torch.tensor([0.0 if n == "water" else 3.0 if n == "grass" else 1.0 for n in names], device=device)
    weights = base.expand(len(subject), -1).clone()
    only = torch.tensor([names.index(a.ground) if a.ground else -1 for a in ACTIONS], device=device)[action]
    plan = tables(device).plans[subject]
    fish, ship = plan == PLANS.index("fish"), plan == PLANS.index("ship")
    car = plan == PLANS.index("car")
    water = ((only == names.index("water")) & ~fish) | ship
    sea_bed = torch.tensor([float(n in {"sand", "stone", "dirt"}) for n in names], device=device)
    wet = torch.tensor([float(n == "water") for n in names], device=device)
    jumps = fish & (action == [a.name for a in ACTIONS].index("jumping"))
    weights[:, names.index("road")] += 3.0 * car
    weights = torch.where(fish[:, None], sea_bed, weights)
    return torch.where((water | jumps)[:, None], wet, weights)


def _sky_weights(subject: Tensor, ground: Tensor, device: torch.device) -> Tensor:
    names = [s.name for s in SKIES]
    base = torch.tensor(
        [0.0 if n == "underwater" else 3.0 if n == "day" else 2.0 if n == "sunset" else 1.0 for n in names],
        device=device,
    )
    sea = torch.tensor([float(n == "underwater") for n in names], device=device)
    indoors = torch.tensor([g.name in {"wood", "tiles", "carpet"} for g in GROUNDS], device=device)[ground]
    studio = torch.tensor([float(n == "studio") for n in names], device=device)
    base = base * (1 - studio) + 4.0 * studio * indoors[:, None]
    fish = (tables(device).plans[subject] == PLANS.index("fish")) & (ground != [g.name for g in GROUNDS].index("water"))
    return torch.where(fish[:, None], sea, base)


def draw_labels(seeds: Tensor, fixed: dict[str, Tensor]) -> dict[str, Tensor]:
    """Ids of every factor [B] for `seeds`; those in `fixed` are taken as they are and the others follow them."""
    device = seeds.device
    t = tables(device)
    out: dict[str, Tensor] = {}

    def choose(factor: str, slot: int, weights: Tensor) -> Tensor:
        rows = weights.expand(len(seeds), -1) if weights.dim() == 1 else weights
        out[factor] = fixed[factor] if factor in fixed else weighted(rows, uniform(seeds, slot))
        return out[factor]

    def flat(names: Sequence[object], **special: float) -> Tensor:
        return torch.tensor([special.get(str(n), 1.0) for n in names], device=device)

    subject = choose("subject", 0, flat(FACTORS["subject"]))
    choose("color", 1, flat(list(COLORS), natural=14.0))
    action = choose("action", 2, t.can_do[subject])
    _items(out, t, fixed, uniform(seeds, 3))
    choose("hat", 4, flat(FACTORS["hat"], none=24.0))
    ground = choose("ground", 5, _ground_weights(subject, action, device))
    sky = choose("sky", 6, _sky_weights(subject, ground, device))
    indoors = torch.tensor([s.name in {"studio", "underwater"} for s in SKIES], device=device)[sky]
    weather = flat(list(WEATHERS), clear=9.0).expand(len(seeds), -1)
    choose("weather", 7, torch.where(indoors[:, None], flat(list(WEATHERS), fog=0, rain=0, snowfall=0), weather))
    fits = (_uses(device)["subject"] <= room_left(out)[:, None]).all(-1).float()
    choose("second", 8, torch.cat((3.0 * (fits.sum(-1, keepdim=True) + 1), fits), -1))
    other = (out["second"] - 1).clamp(min=0)
    choose("second_color", 9, flat(list(COLORS), natural=14.0))
    choose("second_action", 10, _second_actions(t, other, ground))
    _props(out, t, fixed, uniform(seeds, 11), ground)
    _check(out, t)
    return out


def _items(out: dict[str, Tensor], t: Tables, fixed: dict[str, Tensor], draw: Tensor) -> None:
    needs = t.needs_item[out["subject"], out["action"]]
    item = weighted(t.item_weights[out["action"]], draw)
    out["item"] = fixed["item"] if "item" in fixed else torch.where(needs, item, torch.zeros_like(item))


def _second_actions(t: Tables, other: Tensor, ground: Tensor) -> Tensor:
    """The second subject does nothing that needs a held thing, nor swims where there is no water."""
    wet = torch.tensor([bool(a.ground) for a in ACTIONS], device=ground.device)
    dry = ground != [g.name for g in GROUNDS].index("water")
    fish = t.plans[other] == PLANS.index("fish")
    weights = t.can_do[other] * ~t.needs_item[other]
    allowed = ~(wet[None] & (dry & ~fish)[:, None])
    return torch.where((weights * allowed).sum(-1, keepdim=True) > 0, weights * allowed, weights)


def _props(out: dict[str, Tensor], t: Tables, fixed: dict[str, Tensor], draw: Tensor, ground: Tensor) -> None:
    if "prop" in fixed:
        out["prop"] = fixed["prop"]
        return
    names = FACTORS["prop"]
    weights = torch.tensor([8.0 if n == "none" else 1.0 for n in names], device=ground.device)
    none = torch.tensor([float(n == "none") for n in names], device=ground.device)
    wet = ground == [g.name for g in GROUNDS].index("water")
    sea = out["sky"] == [s.name for s in SKIES].index("underwater")
    duo = out["second"] > 0  # two subjects leave few primitives, so scenery is left out
    fits = (_uses(ground.device)["prop"] <= room_left(out)[:, None]).all(-1)
    out["prop"] = weighted(torch.where((wet | sea | duo)[:, None], none, weights * fits), draw)


def _check(labels: dict[str, Tensor], t: Tables) -> None:
    """Refuse a subject doing what its body cannot; only labels given by hand can get here wrong."""
    other = (labels["second"] - 1).clamp(min=0)
    wrong = t.can_do[labels["subject"], labels["action"]] == 0
    wrong_second = (t.can_do[other, labels["second_action"]] == 0) & (labels["second"] > 0)
    for bad, who, what in ((wrong, labels["subject"], "action"), (wrong_second, other, "second_action")):
        if bool(bad.any()):
            i = int(bad.nonzero()[0])
            name, action = FACTORS["subject"][int(who[i])], FACTORS[what][int(labels[what][i])]
            able = [a for a, ok in zip(FACTORS["action"], t.can_do[who[i]].tolist(), strict=True) if ok]
            raise LabelError(f"a {name} cannot do {what} {action!r}; it can do: {', '.join(able)}")
