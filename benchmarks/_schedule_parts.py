"""For benchmarks of the fit: the naive loop, and clocks on what is not a step."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fourreal.core import record
from fourreal.core.record import Recorder
from fourreal.deform import mlp
from fourreal.deform.base import Offsets
from fourreal.deform.mlp import MlpField
from fourreal.deform.nodes import NodeField
from fourreal.fit import choosing, loop
from fourreal.fit.clips import Clips
from fourreal.fit.dynamic import dynamic_objective
from fourreal.fit.loop import Objective
from fourreal.fit.state import FitState
from fourreal.raster import select
from fourreal.raster.base import Rasterizer, Rendering, Splats, Views
from fourreal.stages import canonical, temporal


@dataclass
class Clocks:
    """Seconds and calls of a fit's rarer parts; the device is waited for before and after each."""

    device: torch.device
    seconds: dict[str, float] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)

    def watch(self) -> None:
        """Watch from now on, in all fits of the process."""
        for owner, function, name in (
            (canonical, "seed_gaussians", "seeding"),
            (loop, "grow", "growth"),
            (choosing, "shown_rows", "what pictures show"),
            (choosing, "neighbourhood", "neighbours"),
            (FitState, "snapshot", "snapshots"),
        ):
            setattr(owner, function, self.timed(name, getattr(owner, function)))
        of = record._Recording.of
        record._Recording.of = staticmethod(self.timed("recordings", of))  # type: ignore[method-assign]

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, watched under a name."""

        def watched(*args: Any, **more: Any) -> Any:
            begun = self._now()
            try:
                return function(*args, **more)
            finally:
                self.seconds[name] = self.seconds.get(name, 0.0) + self._now() - begun
                self.calls[name] = self.calls.get(name, 0) + 1

        return watched

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def __str__(self) -> str:
        return ", ".join(f"{name} {self.calls[name]} in {s:.2f} s" for name, s in self.seconds.items())


def make_eager() -> None:
    """Record nothing from now on."""

    def eager(_: Recorder, name: str, function: Callable[..., Any], leaves: Sequence[Tensor], *inputs: Tensor) -> Any:
        return function(*inputs)

    Recorder.run = eager  # type: ignore[method-assign]


def make_naive() -> None:
    """Patch the fit to deform and render all Gaussians, image by image, in float32, and to wait at every image."""
    make_eager()
    mlp.network = plain
    for kind in (MlpField, NodeField):
        kind.offsets = one_by_one(kind.offsets)  # type: ignore[method-assign]

    def objective(clips: Clips, render: Rasterizer, **_: Any) -> Objective:
        return dynamic_objective(clips, render)

    for stage in (canonical, temporal):
        stage.select = choose_each  # type: ignore[assignment]
        stage.dynamic_objective = objective  # type: ignore[assignment]


def plain(position: Tensor, clock: Tensor, hidden: Sequence[nn.Linear], heads: nn.Linear, skip: int) -> Tensor:
    """`deform.half.network` as it is written down first."""
    shape = len(clock), position.shape[-2], -1
    given = torch.cat([position.expand(shape), clock[:, None].expand(shape)], -1)
    out = given
    for i, layer in enumerate(hidden):
        out = F.relu(layer(torch.cat([given, out], -1) if i == skip and i else out))
    return heads(out)


def choose_each(device: torch.device) -> Rasterizer:
    """A rasterizer that draws image by image, and waits for each."""
    render = select(device)

    def each(splats: Splats, views: Views, background: Tensor | None = None, *, absgrad: bool = False) -> Rendering:
        parts = []
        for i in range(len(views.viewmats)):
            shared = zip(splats, (2, 2, 2, 1, 2), strict=True)  # dimensions of what all views share
            mine = Splats(*(v[i : i + 1] if v.dim() > own else v for v, own in shared))
            view = Views(views.viewmats[i : i + 1], views.Ks[i : i + 1], views.width, views.height)
            parts.append(render(mine, view, background, absgrad=absgrad))
            float(parts[-1].color.detach().sum())
        color, alpha, depth, _, radii = (torch.cat(column) for column in zip(*parts, strict=True))
        return Rendering(color, alpha, depth, cast("Tensor", Screen([p.means2d for p in parts])), radii)

    return each


class Screen:
    """Screen positions of several renderings, with what density control asks of them."""

    def __init__(self, parts: list[Tensor]) -> None:
        self.parts = parts

    def retain_grad(self) -> None:
        """Keep gradients."""
        for part in self.parts:
            part.retain_grad()

    @property
    def grad(self) -> Tensor:
        """Absolute gradients, or plain ones where there are no others."""
        return torch.cat([cast("Tensor", getattr(part, "absgrad", part.grad)) for part in self.parts])


def one_by_one(offsets: Callable[..., Offsets]) -> Callable[..., Offsets]:
    """A field's `offsets` that asks for one index after the other."""

    def looped(self: Any, means: Tensor, index: Tensor) -> Offsets:
        parts = [offsets(self, means, index[i : i + 1]) for i in range(len(index))]
        return Offsets(*(torch.cat(column) for column in zip(*parts, strict=True)))

    return looped
