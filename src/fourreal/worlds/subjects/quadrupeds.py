"""Four-legged animals, built from one parametric skeleton."""

from __future__ import annotations

from dataclasses import dataclass

from ..parts import ACCENT, DARK, EXTRA, LIGHT, MAIN, SECOND, Part, Vec, ball, block, limb, pair
from .base import Subject


@dataclass(frozen=True)
class Build:
    """Proportions of a quadruped, in metres of a toy about 1.3 high.

    leg: height of the hips; barrel: (radius at the rump, radius at the chest); long: hip to shoulder;
    neck: (up, forward) from shoulder to the head's centre; head: radii; snout: (length, thickness, drop);
    limb: (thigh radius, ankle radius); coat: pattern of body and legs; foot: palette slot of the feet.
    """

    leg: float = 0.5
    barrel: tuple[float, float] = (0.25, 0.27)
    long: float = 0.7
    neck: tuple[float, float] = (0.38, 0.3)
    head: Vec = (0.24, 0.22, 0.24)
    snout: tuple[float, float, float] = (0.2, 0.1, 0.07)
    limb: tuple[float, float] = (0.1, 0.06)
    coat: str = "belly"
    alt: int = LIGHT
    sock: int = MAIN
    face: str = "plain"
    muzzle: int = LIGHT
    nose: int = DARK
    neck_radius: float = 0.15
    eye: float = 0.05


def _legs(b: Build) -> tuple[Part, ...]:
    thick, thin = b.limb
    wide, top, mid = b.barrel[1] * 0.62, b.leg + b.barrel[1] * 0.1, b.leg * 0.5
    coat = b.coat if b.coat in {"stripes", "spots", "patches", "mosaic"} else "plain"
    parts: list[Part] = []
    for upper, lower, z, knee in (("armL", "foreL", b.long / 2, 0.03), ("legL", "shinL", -b.long / 2, -0.05)):
        bend = (wide, mid, z + knee)
        foot = (wide, thin * 0.9, z - knee * 0.3)
        parts += pair(
            limb((wide, top, z), bend, thick * (1.15 if upper == "legL" else 1), thin * 1.15, upper,
                 pattern=coat, alt=b.alt),
            limb(bend, foot, thin * 1.15, thin, lower, color=b.sock, pattern=coat if b.sock == MAIN else "plain",
                 alt=b.alt),
        )  # fmt: skip
    return tuple(parts)


def _paws(b: Build) -> tuple[Part, ...]:
    thin, wide = b.limb[1], b.barrel[1] * 0.62
    paws = [
        ball((wide, thin * 0.7, z + thin * 0.7), (thin * 1.25, thin * 0.7, thin * 1.6), bone, color=b.sock)
        for bone, z in (("foreL", b.long / 2), ("shinL", -b.long / 2))
    ]
    return pair(*paws)


def _head(b: Build) -> tuple[Vec, tuple[Part, ...]]:
    shoulder = b.leg + b.barrel[1] * 0.55
    center = (0.0, shoulder + b.neck[0], b.long / 2 + b.neck[1])
    rx, ry, rz = b.head
    length, thick, drop = b.snout
    x, y, z = center
    coat = b.coat if b.coat in {"stripes", "mosaic", "patches", "spots"} else b.face
    root = (0.0, y - drop * 0.6, z + rz * 0.55)
    end = (0.0, y - drop - 0.02, z + rz * 0.75 + length)
    return center, (
        ball(center, b.head, "head", pattern=coat, alt=b.alt),
        limb(root, end, thick * 1.15, thick * 0.72, "head", color=b.muzzle),
        *pair(ball((rx * 0.52, y + ry * 0.28, z + rz * 0.78), b.eye, "head", (0, 22, 0),
                   color=LIGHT, alt=DARK, pattern="eye", gloss=0.9, caster=False)),
        ball((0.0, end[1] + thick * 0.42, end[2] + thick * 0.45), (thick * 0.42, thick * 0.3, thick * 0.3), "head",
             color=b.nose, gloss=0.7, caster=False),
    )  # fmt: skip


def _trunk(b: Build, head: Vec) -> tuple[Part, ...]:
    rump, chest = b.barrel
    y, half = b.leg + 0.1 * chest, b.long / 2
    coat = {"pattern": b.coat, "alt": b.alt}
    return (
        limb((0, y + rump * 0.55, -half * 0.8), (0, y + chest * 0.5, half * 0.75), rump, chest, **coat),
        limb((0, y + chest * 0.7, half * 0.85), (0, head[1] - 0.05, head[2] - 0.06), b.neck_radius * 1.25,
             b.neck_radius, "body", **coat),
        ball((0, y + chest * 0.42, half * 0.8), (chest * 0.95, chest * 1.02, chest * 0.9), **coat),
    )  # fmt: skip


def _pivots(b: Build, head: Vec, tail: Vec) -> dict[str, Vec]:
    wide, y, half = b.barrel[1] * 0.62, b.leg + b.barrel[1] * 0.1, b.long / 2
    out: dict[str, Vec] = {
        "body": (0, y, -half), "head": (0, head[1] - b.head[1] * 0.7, head[2] - b.head[2] * 0.6),
        "jaw": (0, head[1] - 0.05, head[2]), "tail": tail, "tip": (0, tail[1], tail[2] - 0.2),
    }  # fmt: skip
    for side, sign in (("L", 1.0), ("R", -1.0)):
        out["arm" + side] = (sign * wide, y, half)
        out["leg" + side] = (sign * wide, y, -half)
        out["fore" + side] = (sign * wide, b.leg * 0.5, half + 0.03)
        out["shin" + side] = (sign * wide, b.leg * 0.5, -half - 0.05)
    return out


def quadruped(name: str, words: tuple[str, ...], palette: tuple[str, str, str, str, str, str], b: Build,
              extras: dict[str, tuple[Part, ...]] | None = None, size: float = 1.0) -> Subject:
    """A subject from proportions and `extras`: parts per group, "ears", "tail", "more"; placed by `at`."""
    head, face = _head(b)
    parts = _trunk(b, head) + face + _legs(b)
    for group in ("ears", "tail", "more"):
        parts += (extras or {}).get(group, ())
    tail = tail_root(b)
    return Subject(
        name, words, "quad", palette, parts + _paws(b), _pivots(b, head, tail),
        (-b.barrel[1] * 0.62, 0.05, b.long / 2 + 0.05), (0, head[1] + b.head[1] * 0.92, head[2] - 0.02), size,
    )  # fmt: skip


def head_at(b: Build) -> Vec:
    """Centre of the head."""
    return (0.0, b.leg + b.barrel[1] * 0.55 + b.neck[0], b.long / 2 + b.neck[1])


def tail_root(b: Build) -> Vec:
    """Where the tail begins."""
    return (0.0, b.leg + b.barrel[0] * 0.95, -b.long / 2 - b.barrel[0] * 0.55)


def _ears(b: Build, tip: Vec, radii: tuple[float, float], inner: int = ACCENT) -> tuple[Part, ...]:
    """Two pointed ears; `tip` is the offset of the left ear's tip from its root."""
    x, y, z = head_at(b)
    root = (x + b.head[0] * 0.6, y + b.head[1] * 0.62, z - b.head[2] * 0.15)
    end = (root[0] + tip[0], root[1] + tip[1], root[2] + tip[2])
    return pair(limb(root, end, *radii, "head", alt=inner, pattern="end"))


def _flaps(b: Build, radii: Vec, turn: Vec, color: int = MAIN, drop: float = 0.1) -> tuple[Part, ...]:
    """Two flat ears at the sides of the head."""
    x, y, z = head_at(b)
    center = (x + b.head[0] * 0.85 + radii[0] * 0.5, y + b.head[1] * 0.6 - drop, z - b.head[2] * 0.2)
    return pair(ball(center, radii, "head", turn, color=color))


def _tail(b: Build, mid: Vec, end: Vec, radii: Vec, **look: object) -> tuple[Part, ...]:
    """Two segments; `mid` and `end` are offsets from the root, `radii` at root, middle, end."""
    x, y, z = tail_root(b)
    root, m, e = (x, y, z), (x + mid[0], y + mid[1], z + mid[2]), (x + end[0], y + end[1], z + end[2])
    return (limb(root, m, radii[0], radii[1], "tail", color=look.get("root", MAIN)),
            limb(m, e, radii[1], radii[2], "tip", **{k: v for k, v in look.items() if k != "root"}))  # fmt: skip


def _fox() -> Subject:
    b = Build(leg=0.46, barrel=(0.2, 0.22), long=0.66, neck=(0.3, 0.24), head=(0.25, 0.2, 0.22),
              snout=(0.24, 0.085, 0.08), limb=(0.085, 0.05), sock=DARK, neck_radius=0.14, face="muzzle")  # fmt: skip
    tail = _tail(b, (0, -0.02, -0.28), (0, 0.2, -0.68), (0.07, 0.17, 0.06), pattern="end", alt=LIGHT)
    palette = ("#e0661c", "#8a3d12", "#2a1d1a", "#fff3e4", "#2b1a18", "#e0661c")
    return quadruped("fox", ("little fox", "fox cub"), palette, b,
                     {"ears": _ears(b, (0.07, 0.26, -0.02), (0.105, 0.02)), "tail": tail}, 0.75)  # fmt: skip


def _dog() -> Subject:
    b = Build(leg=0.48, barrel=(0.22, 0.25), long=0.64, neck=(0.36, 0.22), head=(0.24, 0.23, 0.23),
              snout=(0.17, 0.12, 0.08), limb=(0.1, 0.065), face="muzzle")  # fmt: skip
    tail = _tail(b, (0, 0.14, -0.12), (0, 0.34, -0.16), (0.06, 0.05, 0.035), pattern="end", alt=LIGHT)
    ears = _flaps(b, (0.06, 0.19, 0.11), (0, 0, 14), SECOND, 0.15)
    palette = ("#c98a4b", "#6e4020", "#251a16", "#fff1dc", "#e8788a", "#c98a4b")
    return quadruped("dog", ("puppy", "pup"), palette, b, {"ears": ears, "tail": tail}, 0.75)


def _corgi() -> Subject:
    b = Build(leg=0.27, barrel=(0.24, 0.26), long=0.76, neck=(0.38, 0.2), head=(0.26, 0.23, 0.23),
              snout=(0.17, 0.105, 0.07), limb=(0.1, 0.07), sock=LIGHT, face="muzzle")  # fmt: skip
    x, y, z = tail_root(b)
    extras = {"ears": _ears(b, (0.1, 0.27, 0.0), (0.11, 0.04)), "tail": (ball((x, y, z), 0.09, "tail"),)}
    palette = ("#dd8b3c", "#b8651f", "#2a1d1a", "#fff7ec", "#f0a59a", "#dd8b3c")
    return quadruped("corgi", ("corgi dog", "little corgi"), palette, b, extras, 0.6)


def _dalmatian() -> Subject:
    b = Build(leg=0.55, barrel=(0.2, 0.24), long=0.7, neck=(0.4, 0.22), head=(0.21, 0.21, 0.23),
              snout=(0.2, 0.11, 0.07), limb=(0.095, 0.055), coat="spots", alt=DARK)  # fmt: skip
    tail = _tail(b, (0, 0.1, -0.2), (0, 0.3, -0.36), (0.05, 0.04, 0.025))
    palette = ("#f6f3ee", "#26221f", "#1d1a1a", "#f6f3ee", "#e8788a", "#f6f3ee")
    ears = _flaps(b, (0.055, 0.17, 0.1), (0, 0, 14), DARK, 0.15)
    return quadruped("dalmatian", ("spotted dog", "dalmatian dog"), palette, b, {"ears": ears, "tail": tail}, 0.8)


def _cat() -> Subject:
    b = Build(leg=0.42, barrel=(0.2, 0.2), long=0.6, neck=(0.32, 0.18), head=(0.27, 0.23, 0.22),
              snout=(0.03, 0.1, 0.07), limb=(0.085, 0.055), coat="stripes", alt=SECOND, eye=0.062, nose=ACCENT,
              sock=LIGHT)  # fmt: skip
    tail = _tail(b, (0, 0.22, -0.22), (0, 0.62, -0.2), (0.055, 0.05, 0.045), pattern="end", alt=LIGHT)
    palette = ("#a8a29a", "#6d675f", "#22211f", "#f7f3ec", "#f2a0a5", "#8fc05a")
    return quadruped("cat", ("kitten", "kitty"), palette, b,
                     {"ears": _ears(b, (0.07, 0.19, 0.0), (0.1, 0.02)), "tail": tail}, 0.65)  # fmt: skip


def _tiger() -> Subject:
    b = Build(leg=0.45, barrel=(0.26, 0.29), long=0.84, neck=(0.3, 0.26), head=(0.28, 0.25, 0.24),
              snout=(0.08, 0.14, 0.09), limb=(0.12, 0.085), coat="stripes", alt=DARK, nose=ACCENT)  # fmt: skip
    tail = _tail(b, (0, -0.04, -0.3), (0, 0.24, -0.6), (0.06, 0.055, 0.05), pattern="rings", alt=DARK)
    x, y, z = head_at(b)
    ears = pair(ball((x + 0.19, y + 0.22, z - 0.05), (0.085, 0.085, 0.05), "head", color=MAIN, alt=LIGHT,
                     pattern="inner"))  # fmt: skip
    palette = ("#ec8a1e", "#fff3e0", "#1c1613", "#fff6ea", "#e58a8a", "#ec8a1e")
    return quadruped("tiger", ("tiger cub", "young tiger"), palette, b, {"ears": ears, "tail": tail}, 1.1)


def _lion() -> Subject:
    b = Build(leg=0.45, barrel=(0.23, 0.28), long=0.8, neck=(0.36, 0.26), head=(0.24, 0.23, 0.22),
              snout=(0.09, 0.13, 0.08), limb=(0.115, 0.08), nose=DARK)  # fmt: skip
    tail = _tail(b, (0, -0.1, -0.25), (0, -0.02, -0.58), (0.045, 0.035, 0.035))
    x, y, z = head_at(b)
    tx, ty, tz = tail_root(b)
    mane = (ball((x, y + 0.0, z - 0.13), (0.4, 0.42, 0.24), "head", color=SECOND),
            ball((x, y - 0.3, z - 0.16), (0.29, 0.34, 0.25), color=SECOND),
            ball((tx, ty - 0.01, tz - 0.62), (0.07, 0.07, 0.11), "tip", color=SECOND),
            *pair(ball((x + 0.25, y + 0.27, z - 0.02), (0.085, 0.085, 0.05), "head")))  # fmt: skip
    palette = ("#dca650", "#8a4a1c", "#241a14", "#fbead0", "#c77b62", "#dca650")
    return quadruped("lion", ("big lion", "lion with a mane"), palette, b, {"tail": tail, "more": mane}, 1.1)


def _horse() -> Subject:
    b = Build(leg=0.72, barrel=(0.27, 0.28), long=0.82, neck=(0.56, 0.36), head=(0.16, 0.19, 0.22),
              snout=(0.26, 0.125, 0.16), limb=(0.12, 0.055), neck_radius=0.15, muzzle=MAIN, coat="plain", nose=DARK,
              sock=LIGHT, eye=0.042)  # fmt: skip
    tail = _tail(b, (0, -0.12, -0.14), (0, -0.55, -0.24), (0.06, 0.1, 0.04), color=SECOND, root=SECOND)
    x, y, z = head_at(b)
    mane = (limb((x, y + 0.15, z - 0.08), (x, y - 0.5, z - 0.46), 0.075, 0.1, color=SECOND),
            ball((x, y + 0.2, z + 0.08), (0.06, 0.07, 0.13), "head", (25, 0, 0), color=SECOND))  # fmt: skip
    palette = ("#8b5227", "#2c1a12", "#1f1512", "#f4eadb", "#5a3620", "#8b5227")
    return quadruped("horse", ("pony", "foal"), palette, b,
                     {"ears": _ears(b, (0.02, 0.15, 0.0), (0.05, 0.02)), "tail": tail, "more": mane}, 1.3)  # fmt: skip


def _zebra() -> Subject:
    b = Build(leg=0.66, barrel=(0.27, 0.28), long=0.8, neck=(0.52, 0.34), head=(0.16, 0.19, 0.22),
              snout=(0.22, 0.125, 0.14), limb=(0.115, 0.06), coat="stripes", alt=DARK, muzzle=DARK, nose=DARK,
              neck_radius=0.15, eye=0.045)  # fmt: skip
    tail = _tail(b, (0, -0.14, -0.1), (0, -0.45, -0.16), (0.04, 0.04, 0.06), color=DARK)
    x, y, z = head_at(b)
    mane = (limb((x, y + 0.18, z - 0.08), (x, y - 0.45, z - 0.42), 0.06, 0.08, color=DARK),)
    palette = ("#f5f2ec", "#1b1a1c", "#1b1a1c", "#f5f2ec", "#4a4542", "#f5f2ec")
    return quadruped("zebra", ("young zebra", "striped zebra"), palette, b,
                     {"ears": _ears(b, (0.04, 0.16, 0.0), (0.06, 0.03)), "tail": tail, "more": mane}, 1.2)  # fmt: skip


def _cow() -> Subject:
    b = Build(leg=0.5, barrel=(0.33, 0.34), long=0.86, neck=(0.28, 0.32), head=(0.22, 0.23, 0.24),
              snout=(0.16, 0.16, 0.12), limb=(0.12, 0.075), coat="patches", alt=DARK, muzzle=ACCENT, nose=ACCENT,
              sock=MAIN)  # fmt: skip
    tail = _tail(b, (0, -0.25, -0.1), (0, -0.5, -0.12), (0.035, 0.03, 0.06), color=MAIN)
    x, y, z = head_at(b)
    more = (*pair(limb((x + 0.13, y + 0.19, z - 0.03), (x + 0.23, y + 0.36, z + 0.02), 0.05, 0.02, "head", color=EXTRA)),
            ball((0, b.leg - 0.18, -0.26), (0.15, 0.12, 0.15), color=ACCENT))  # fmt: skip
    palette = ("#f7f4ee", "#1d1a19", "#1d1a19", "#f7f4ee", "#f0aaa4", "#e6d8b8")
    return quadruped("cow", ("dairy cow", "calf"), palette, b,
                     {"ears": _flaps(b, (0.13, 0.06, 0.05), (0, 0, -12), DARK, 0.08), "tail": tail, "more": more}, 1.2)  # fmt: skip


def _pig() -> Subject:
    b = Build(leg=0.28, barrel=(0.33, 0.33), long=0.66, neck=(0.2, 0.3), head=(0.27, 0.26, 0.25), coat="plain",
              snout=(0.1, 0.13, 0.06), limb=(0.11, 0.08), muzzle=ACCENT, nose=ACCENT, sock=SECOND)  # fmt: skip
    tail = _tail(b, (0.06, 0.07, -0.08), (-0.02, 0.16, -0.1), (0.03, 0.03, 0.02), color=ACCENT, root=ACCENT)
    palette = ("#f4a6a8", "#d97b84", "#3a2224", "#f9c9c6", "#e8808a", "#f4a6a8")
    return quadruped("pig", ("piglet", "little pig"), palette, b,
                     {"ears": _ears(b, (0.1, 0.13, 0.08), (0.085, 0.025)), "tail": tail}, 0.8)  # fmt: skip


def _goat() -> Subject:
    b = Build(leg=0.5, barrel=(0.25, 0.25), long=0.64, neck=(0.42, 0.24), head=(0.18, 0.2, 0.22),
              snout=(0.18, 0.1, 0.1), limb=(0.09, 0.055), sock=SECOND, coat="plain", muzzle=MAIN)  # fmt: skip
    x, y, z = head_at(b)
    tx, ty, tz = tail_root(b)
    more = (*pair(limb((x + 0.08, y + 0.17, z - 0.02), (x + 0.15, y + 0.42, z - 0.2), 0.05, 0.015, "head", color=EXTRA)),
            limb((x, y - 0.2, z + 0.25), (x, y - 0.4, z + 0.24), 0.06, 0.015, "head", color=SECOND),
            limb((tx, ty, tz), (tx, ty + 0.12, tz - 0.08), 0.05, 0.02, "tail"))  # fmt: skip
    palette = ("#efe9dd", "#8d7a66", "#241f1b", "#f8f4ec", "#d99a8e", "#8a7758")
    return quadruped("goat", ("billy goat", "young goat"), palette, b,
                     {"ears": _flaps(b, (0.12, 0.05, 0.05), (0, 0, -18), MAIN, 0.1), "more": more}, 0.85)  # fmt: skip


def _sheep() -> Subject:
    b = Build(leg=0.34, barrel=(0.2, 0.2), long=0.6, neck=(0.3, 0.28), head=(0.17, 0.2, 0.2), coat="plain",
              snout=(0.1, 0.11, 0.1), limb=(0.075, 0.055), sock=DARK, muzzle=DARK, neck_radius=0.12)  # fmt: skip
    x, y, z = head_at(b)
    wool = tuple(ball((sx * 0.17, b.leg + h, zz), (0.26, 0.25, 0.26))
                 for sx in (-1.0, 1.0) for h, zz in ((0.2, -0.3), (0.22, 0.02), (0.2, 0.28)))  # fmt: skip
    more = (*wool, ball((0, b.leg + 0.34, -0.02), (0.28, 0.2, 0.44)), ball((x, y + 0.17, z - 0.06), (0.17, 0.12, 0.15), "head"),
            ball((x, y, z), (0.175, 0.205, 0.205), "head", color=DARK))  # fmt: skip
    palette = ("#f6f1e6", "#2b2523", "#2b2523", "#fdfaf3", "#e7a9a3", "#f6f1e6")
    return quadruped("sheep", ("lamb", "woolly sheep"), palette, b,
                     {"more": more, "ears": _flaps(b, (0.12, 0.05, 0.05), (0, 0, -15), DARK, 0.06)}, 0.85)  # fmt: skip


def _elephant() -> Subject:
    b = Build(leg=0.52, barrel=(0.4, 0.4), long=0.72, neck=(0.32, 0.36), head=(0.3, 0.32, 0.28), coat="plain",
              snout=(0.05, 0.13, 0.16), limb=(0.15, 0.13), muzzle=MAIN, nose=MAIN, eye=0.045)  # fmt: skip
    x, y, z = head_at(b)
    more = (limb((x, y - 0.2, z + 0.3), (x, y - 0.58, z + 0.42), 0.115, 0.085, "jaw"),
            limb((x, y - 0.58, z + 0.42), (x, y - 0.72, z + 0.6), 0.085, 0.06, "jaw"),
            *pair(ball((x + 0.38, y - 0.02, z - 0.1), (0.27, 0.33, 0.05), "head", (0, 35, 0), alt=ACCENT, pattern="inner"),
                  limb((x + 0.15, y - 0.2, z + 0.22), (x + 0.17, y - 0.36, z + 0.46), 0.04, 0.018, "head", color=LIGHT)))  # fmt: skip
    tail = _tail(b, (0, -0.25, -0.08), (0, -0.45, -0.1), (0.035, 0.03, 0.045))
    palette = ("#8f949c", "#74787f", "#26262a", "#f7f1e2", "#cf9d9c", "#8f949c")
    return quadruped("elephant", ("baby elephant", "young elephant"), palette, b, {"more": more, "tail": tail}, 1.45)


def _giraffe() -> Subject:
    b = Build(leg=0.72, barrel=(0.24, 0.27), long=0.62, neck=(0.9, 0.3), head=(0.145, 0.15, 0.18), coat="mosaic",
              snout=(0.2, 0.09, 0.08), limb=(0.1, 0.05), alt=SECOND, neck_radius=0.115, sock=LIGHT, eye=0.045)  # fmt: skip
    x, y, z = head_at(b)
    more = (*pair(limb((x + 0.05, y + 0.1, z - 0.04), (x + 0.06, y + 0.27, z - 0.06), 0.025, 0.035, "head", color=SECOND)),
            limb((x, y - 0.02, z - 0.14), (x, y - 0.72, z - 0.36), 0.05, 0.06, color=SECOND))  # fmt: skip
    tail = _tail(b, (0, -0.2, -0.1), (0, -0.45, -0.12), (0.035, 0.025, 0.05), color=SECOND)
    palette = ("#f0cf8a", "#a8622a", "#2a1c14", "#f8e9c8", "#c98f6c", "#f0cf8a")
    return quadruped("giraffe", ("tall giraffe", "young giraffe"), palette, b,
                     {"ears": _flaps(b, (0.11, 0.045, 0.04), (0, 0, 14), MAIN, 0.05), "tail": tail, "more": more}, 1.6)  # fmt: skip


def _mouse() -> Subject:
    b = Build(leg=0.2, barrel=(0.3, 0.24), long=0.46, neck=(0.2, 0.26), head=(0.22, 0.2, 0.22), coat="belly",
              snout=(0.14, 0.09, 0.04), limb=(0.07, 0.045), nose=ACCENT, sock=ACCENT, muzzle=MAIN, eye=0.058)  # fmt: skip
    x, y, z = head_at(b)
    ears = pair(ball((x + 0.22, y + 0.25, z - 0.06), (0.19, 0.19, 0.04), "head", (0, 12, 0), alt=ACCENT, pattern="inner"))
    tail = _tail(b, (0, -0.12, -0.32), (0.12, 0.06, -0.72), (0.04, 0.03, 0.015), color=ACCENT, root=ACCENT)
    palette = ("#9c958f", "#6d6762", "#1f1c1c", "#ece6df", "#f0a3a8", "#9c958f")
    return quadruped("mouse", ("little mouse", "small mouse"), palette, b, {"ears": ears, "tail": tail}, 0.5)


def _turtle() -> Subject:
    b = Build(leg=0.17, barrel=(0.16, 0.16), long=0.62, neck=(0.26, 0.32), head=(0.17, 0.16, 0.19), coat="plain",
              snout=(0.02, 0.1, 0.04), limb=(0.11, 0.1), muzzle=MAIN, nose=MAIN, neck_radius=0.1, eye=0.048)  # fmt: skip
    x, y, z = tail_root(b)
    more = (ball((0, 0.3, 0), (0.46, 0.36, 0.56), color=SECOND, alt=EXTRA, pattern="shell"),
            ball((0, 0.22, 0), (0.5, 0.08, 0.6), color=EXTRA),
            limb((x, y - 0.1, z), (x, y - 0.16, z - 0.2), 0.06, 0.02, "tail"))  # fmt: skip
    palette = ("#7fb052", "#5b7a2e", "#20231a", "#d9e3a8", "#7fb052", "#c9b26a")
    return quadruped("turtle", ("tortoise", "little turtle"), palette, b, {"more": more}, 0.5)


def _dragon() -> Subject:
    b = Build(leg=0.42, barrel=(0.26, 0.28), long=0.68, neck=(0.52, 0.34), head=(0.2, 0.19, 0.22), coat="belly",
              snout=(0.22, 0.12, 0.06), limb=(0.12, 0.08), muzzle=MAIN, nose=MAIN, alt=EXTRA, neck_radius=0.13)  # fmt: skip
    x, y, z = head_at(b)
    more = (*pair(limb((x + 0.1, y + 0.15, z - 0.08), (x + 0.17, y + 0.4, z - 0.26), 0.05, 0.015, "head", color=EXTRA),
                  ball((0.5, 0.98, -0.06), (0.44, 0.025, 0.26), "body", (18, 12, 32), color=SECOND),
                  ball((0.86, 1.26, -0.12), (0.3, 0.022, 0.2), "body", (10, 25, 42), color=SECOND)),
            *(block((0, 0.84 - 0.06 * i, -0.3 * i + 0.1), (0.02, 0.1, 0.1), "body", (45, 0, 0), color=SECOND) for i in range(3)))  # fmt: skip
    tail = _tail(b, (0, -0.2, -0.4), (0, -0.12, -0.95), (0.17, 0.09, 0.025), alt=SECOND, pattern="end")
    palette = ("#3f9b4b", "#c6452c", "#1c1f1c", "#f3e9b0", "#d9442b", "#efdc8a")
    return quadruped("dragon", ("winged dragon", "baby dragon"), palette, b, {"more": more, "tail": tail}, 1.3)


def _squat_frog() -> Subject:
    b = Build(leg=0.2, barrel=(0.26, 0.24), long=0.34, neck=(0.16, 0.16), head=(0.31, 0.19, 0.24), coat="belly",
              snout=(0.02, 0.12, 0.06), limb=(0.1, 0.06), muzzle=MAIN, nose=MAIN, neck_radius=0.2)  # fmt: skip
    x, y, z = head_at(b)
    eyes = pair(ball((x + 0.19, y + 0.17, z + 0.06), 0.105, "head"),
                ball((x + 0.2, y + 0.2, z + 0.12), 0.075, "head", (0, 20, 0), color=LIGHT, alt=DARK, pattern="eye", gloss=0.9,
                     caster=False),
                limb((0.24, 0.2, -0.26), (0.4, 0.24, 0.06), 0.13, 0.1, "legL"))  # fmt: skip
    palette = ("#5fae35", "#3c7a22", "#1b2016", "#eef2b8", "#e0584c", "#5fae35")
    return quadruped("frog", ("toad", "little frog"), palette, b, {"more": eyes}, 0.5)


def quadrupeds() -> tuple[Subject, ...]:
    """All four-legged subjects."""
    makers = (_fox, _dog, _corgi, _dalmatian, _cat, _tiger, _lion, _horse, _zebra, _cow, _pig, _goat, _sheep,
              _elephant, _giraffe, _mouse, _turtle, _dragon, _squat_frog)  # fmt: skip
    return tuple(make() for make in makers)
