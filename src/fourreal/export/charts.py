"""Small SVG drawings for the report: lines, bars, the plan of the cameras."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

import torch
from torch import Tensor

from fourreal.core.cameras import Cameras

from .lifted import Lifted

PALETTE = ("#ffb86b", "#7cc4ff", "#9be28f", "#e59bd8", "#f2e27a", "#8fded2", "#c4b5fd", "#ff8f8f")
_W, _H = 520.0, 210.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 118.0, 12.0, 26.0
_DOTS = 2600  # Gaussians drawn in the plan


def line_chart(
    series: Mapping[str, Sequence[tuple[float, float]]],
    *,
    log: bool = False,
    unit: str = "",
    across: str = "",
    ends: tuple[str, str] = ("", ""),
) -> str:
    """Lines through (x, y) points, each named at its end, as an SVG element.

    Args:
        series: points by name, x ascending; points that are not finite, or not positive on a log scale, are left out.
        log: logarithmic y axis.
        unit: written after the y labels.
        across: what x is.
        ends: labels of the least and greatest x.

    Returns:
        SVG, or "" if no series has two points.
    """
    shown = {k: [p for p in v if math.isfinite(p[1]) and (p[1] > 0 or not log)] for k, v in series.items()}
    shown = {k: v for k, v in shown.items() if len(v) > 1}
    if not shown:
        return ""
    end = _W - (_RIGHT if len(shown) > 1 else 12.0)
    xs = [x for v in shown.values() for x, _ in v]
    ys = [math.log10(y) if log else y for v in shown.values() for _, y in v]
    low, high, ticks = _ticks(min(ys), max(ys), log)
    x0, x1 = min(xs), max(*xs, min(xs) + 1e-9)

    def place(x: float, y: float) -> tuple[float, float]:
        value = math.log10(y) if log else y
        across_ = _LEFT + (x - x0) / (x1 - x0) * (end - _LEFT)
        return across_, _TOP + (high - value) / (high - low) * (_H - _TOP - _BOTTOM)

    parts = [_grid(place(x0, t)[1], end, f"{_number(t)}{unit}") for t in ticks]
    labels: list[tuple[float, str, str]] = []
    for number, (name, points) in enumerate(shown.items()):
        colour = PALETTE[number % len(PALETTE)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*p) for p in points))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
        labels.append((place(*points[-1])[1], name, colour))
    for at, name, colour in _apart(labels) if len(labels) > 1 else ():
        parts.append(f'<text x="{end + 8}" y="{at + 4:.1f}" style="fill:{colour}">{escape(name)}</text>')
    foot = _H - 8
    parts.append(f'<text x="{_LEFT}" y="{foot}" class="dim">{escape(ends[0])}</text>')
    parts.append(f'<text x="{end}" y="{foot}" class="dim" text-anchor="end">{escape(ends[1])}</text>')
    middle = (_LEFT + end) / 2
    parts.append(f'<text x="{middle}" y="{foot}" class="dim" text-anchor="middle">{escape(across)}</text>')
    return _svg(_W, _H, parts, "chart")


def bar_chart(rows: Sequence[tuple[str, float, str]]) -> str:
    """One bar a row: name, length (at least 0), label; as an SVG element, "" without rows."""
    if not rows:
        return ""
    longest = max([value for _, value, _ in rows] + [1e-9])
    parts = []
    for i, (name, value, label) in enumerate(rows):
        y = 8 + 30 * i
        width = max(2.0, 300 * value / longest)
        parts.append(f'<text x="104" y="{y + 14}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<rect x="114" y="{y + 2}" width="{width:.1f}" height="16" rx="3" fill="{PALETTE[0]}"/>')
        parts.append(f'<text x="{122 + width:.1f}" y="{y + 14}" class="dim">{escape(label)}</text>')
    return _svg(_W, 10 + 30 * len(rows), parts, "chart")


def camera_plan(lifted: Lifted, ring: Sequence[float] = ()) -> str:
    """The scene from above with its cameras: the freeze-time clip's in order, the reference camera, what they look at.

    `ring` holds how well the picture is filled (0 to 1) from directions round the pivot, the first at the home camera
    and the rest at equal steps to its right; it is drawn as a circle from red to green.
    """
    size, pivot = 460.0, lifted.pivot
    right, away = level_axes(lifted)
    flat = torch.stack((right, -away))  # the home camera is at the bottom

    def to_plan(points: Tensor) -> Tensor:
        return (points - pivot) @ flat.T

    centres = to_plan(torch.cat((lifted.home.positions, lifted.walk.positions)))
    reach = float(centres.norm(dim=1).max()) * 1.32 + 1e-9
    scale = size / 2 / reach

    def at(xy: Tensor) -> tuple[float, float]:
        return size / 2 + float(xy[0]) * scale, size / 2 + float(xy[1]) * scale

    parts = [f'<circle cx="{size / 2}" cy="{size / 2}" r="{size / 2 - 1}" fill="#141519" stroke="#2a2c32"/>']
    parts += _splat_dots(lifted, to_plan, at, reach)
    parts += _ring(ring, size)
    for i, camera in enumerate(range(len(lifted.walk))):
        hue = 205 + 120 * i / max(len(lifted.walk) - 1, 1)
        parts.append(_camera(lifted.walk[camera], to_plan, at, flat, f"hsl({hue:.0f} 75% 70%)", f"freeze frame {i}"))
    parts.append(_camera(lifted.home, to_plan, at, flat, PALETTE[0], "reference camera", wide=True))
    x, y = at(torch.zeros(2))
    parts.append(f'<path d="M{x - 6} {y}h12M{x} {y - 6}v12" stroke="#fff" stroke-width="1.5"/>')
    return _svg(size, size, parts, "plan")


def level_axes(lifted: Lifted) -> tuple[Tensor, Tensor]:
    """Unit directions at a right angle to `lifted.up`: to the right of the home camera, and away from it."""
    arm = lifted.pivot - lifted.home.positions[0]
    away = arm - (arm @ lifted.up) * lifted.up
    if float(away.norm()) < 1e-6:
        away = lifted.home.viewmats[0, 2, :3]
    away = away / away.norm()
    return torch.linalg.cross(away, lifted.up, dim=0), away


def _splat_dots(lifted: Lifted, to_plan, at, reach: float) -> list[str]:  # noqa: ANN001
    """A map of the scene: the solid Gaussians near the cameras, highest last."""
    g = lifted.scene.gaussians
    plan = to_plan(g.means)
    near = ((plan.norm(dim=1) < reach * 0.97) & (g.opacities > 0.4)).nonzero().flatten()
    near = near[torch.linspace(0, len(near) - 1, min(_DOTS, len(near))).long()] if len(near) else near
    near = near[(g.means[near] @ lifted.up).argsort()]
    out = []
    for index in near.tolist():
        x, y = at(plan[index])
        red, green, blue = (round(255 * v) for v in g.colors[index].tolist())
        out.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.2" fill="rgb({red},{green},{blue})" opacity=".55"/>')
    return out


def _ring(values: Sequence[float], size: float) -> list[str]:
    middle, radius = size / 2, size / 2 - 7
    out = []
    for i, value in enumerate(values):
        span = 2 * math.pi / len(values)
        first, last = ((i + side) * span for side in (-0.48, 0.48))
        a, b = ((middle + radius * math.sin(v), middle + radius * math.cos(v)) for v in (first, last))
        hue = 130 * max(0.0, min(1.0, (value - 0.5) / 0.45))
        arc = f"M{a[0]:.1f} {a[1]:.1f}A{radius} {radius} 0 0 0 {b[0]:.1f} {b[1]:.1f}"
        words = f"{round(i * 360 / len(values))} degrees to the right: {value:.0%} of the picture is filled"
        out.append(f'<path d="{arc}" fill="none" stroke="hsl({hue:.0f} 60% 50%)" stroke-width="8">')
        out.append(f"<title>{words}</title></path>")
    return out


def _camera(camera: Cameras, to_plan, at, flat: Tensor, colour: str, name: str, *, wide: bool = False) -> str:  # noqa: ANN001
    """A dot and the two sides of what the camera sees."""
    x, y = at(to_plan(camera.positions)[0])
    ahead = flat @ camera.viewmats[0, 2, :3]
    ahead = ahead / ahead.norm().clamp_min(1e-9)
    side = torch.stack((-ahead[1], ahead[0]))
    half, reach = float(camera.width / 2 / camera.Ks[0, 0, 0]), 30.0 if wide else 10.0
    left, right = (
        (x + reach * float(c[0]), y + reach * float(c[1])) for c in (ahead - half * side, ahead + half * side)
    )
    rays = f"{left[0]:.1f},{left[1]:.1f} {x:.1f},{y:.1f} {right[0]:.1f},{right[1]:.1f}"
    fill = f'fill="{colour}" fill-opacity=".25"' if wide else 'fill="none"'
    shape = f'<polyline points="{rays}" {fill} stroke="{colour}" stroke-width="1.5"/>'
    dot = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{4.5 if wide else 2.6}" fill="{colour}"/>'
    return f"<g>{shape}{dot}<title>{escape(name)}</title></g>"


def _ticks(low: float, high: float, log: bool) -> tuple[float, float, list[float]]:
    """Bounds of the axis (log10 on a log scale) and labels within them (as values)."""
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    if log:
        low, high = math.floor(low), math.ceil(high)
        step = max(1, math.ceil((high - low) / 5))
        return low, high, [10.0**k for k in range(int(low), int(high) + 1, step)]
    step = 10 ** math.floor(math.log10((high - low) / 3))
    step *= next(k for k in (1, 2, 5, 10) if (high - low) / (k * step) <= 5)
    low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    return low, high, [low + i * step for i in range(round((high - low) / step) + 1)]


def _apart(labels: list[tuple[float, str, str]], gap: float = 15.0) -> list[tuple[float, str, str]]:
    """The labels, moved so that none covers another."""
    out: list[tuple[float, str, str]] = []
    for at, name, colour in sorted(labels):
        out.append((max(at, out[-1][0] + gap) if out else at, name, colour))
    over = max(0.0, out[-1][0] - (_H - _BOTTOM)) if out else 0.0
    return [(at - over, name, colour) for at, name, colour in out]


def _grid(y: float, end: float, label: str) -> str:
    line = f'<line x1="{_LEFT}" x2="{end}" y1="{y:.1f}" y2="{y:.1f}" stroke="#2a2c32"/>'
    return f'{line}<text x="{_LEFT - 8}" y="{y + 4:.1f}" class="dim" text-anchor="end">{escape(label)}</text>'


def _number(value: float) -> str:
    return f"{value:.0e}" if value and abs(value) < 1e-3 else f"{value:g}"


def _svg(width: float, height: float, parts: Sequence[str], kind: str) -> str:
    return f'<svg class="{kind}" viewBox="0 0 {width:g} {height:g}" role="img">{"".join(parts)}</svg>'
