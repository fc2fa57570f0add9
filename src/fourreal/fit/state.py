"""What the loop changes: parameters, moments, growth statistics, random state, position in the phase table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from fourreal.core.gaussians import Gaussians
from fourreal.raster.base import Splats

from .bounds import Bounds, Lens
from .density import GrowthStats


@dataclass
class FitState:
    """All that a checkpoint must hold so that a resumed run equals an uninterrupted one.

    Attributes:
        params: leaf tensors by name: means, quats, log_scales, logit_opacities, colors (see `Gaussians`).
        optimizer: Adam with one group a parameter, in the order of `params`.
        stats: what density control has gathered since its last round.
        generator: the only source of randomness, on the CPU.
        extent: scene size that scales the rate of the means and the thresholds of growth, world units.
        phase, step: position in the phase table; `step` counts within the phase.
        rate_factor: 1, or less after a recovery from divergence.
        held: so many Gaussians, the first, are not trained now.
        modules: what else is trained, by name: deformation fields, camera increments. The optimizer has a group for
            each, after those of `params`. Modules that must follow the set of Gaussians have a method `rebind(means)`.
        lens: what density control keeps free; not part of a checkpoint, since it follows from the clips.
    """

    params: dict[str, Tensor]
    optimizer: torch.optim.Adam
    stats: GrowthStats
    generator: torch.Generator
    extent: float
    phase: int = 0
    step: int = 0
    rate_factor: float = 1.0
    held: int = 0
    modules: dict[str, nn.Module] = field(default_factory=dict)
    lens: Lens | None = None

    @classmethod
    def begin(
        cls, gaussians: Gaussians, extent: float, seed: int, modules: Mapping[str, nn.Module] | None = None
    ) -> FitState:
        """A fresh state on the device of `gaussians`."""
        modules = dict(modules or {})
        params = {k: v.detach().clone().requires_grad_() for k, v in gaussians.tensors().items()}
        generator = torch.Generator().manual_seed(seed)
        optimizer = make_optimizer(params, modules)
        state = cls(params, optimizer, GrowthStats.zeros(params["means"]), generator, extent, modules=modules)
        state.rebind()  # to these Gaussians, which need not be those that the modules were fitted with
        return state

    @property
    def bounds(self) -> Bounds:
        """Where Gaussians may be."""
        return Bounds(self.extent, self.lens)

    def splats(self) -> Splats:
        """The parameters as a rasterizer takes them."""
        p = self.params
        return Splats(p["means"], p["quats"], p["log_scales"].exp(), torch.sigmoid(p["logit_opacities"]), p["colors"])

    def gaussians(self) -> Gaussians:
        """A validated copy of the parameters, on their device."""
        return Gaussians(**{k: v.detach().clone() for k, v in self.params.items()})

    def trained(self, name: str) -> list[Tensor]:
        """The tensors of an optimizer group: a parameter of the Gaussians, or those of a module."""
        return [self.params[name]] if name in self.params else list(self.modules[name].parameters())

    def rebind(self) -> None:
        """Tell the modules that the set of Gaussians has changed."""
        for module in self.modules.values():
            follow = getattr(module, "rebind", None)
            if follow is not None:
                follow(self.params["means"].detach())

    def hold(self) -> None:
        """Train none of the present Gaussians from here on: without gradients and momentum Adam leaves them alone."""
        self.held = len(self.params["means"])
        for name in self.params:
            for value in self.optimizer.state.get(self.params[name], {}).values():
                if value.shape == self.params[name].shape:
                    value.zero_()

    def drop_held_gradients(self) -> None:
        """Gradients of the Gaussians that are held become zero."""
        for param in self.params.values():
            if self.held and param.grad is not None:
                param.grad[: self.held] = 0

    def project(self) -> None:
        """Bring the parameters back to where `Gaussians` allows them after an optimiser step."""
        with torch.no_grad():
            self.params["colors"].clamp_(0, 1)
            self.params["log_scales"].clamp_(-20, 20)
            self.params["logit_opacities"].clamp_(-20, 20)

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor of the state by a flat name; with `scalars` this is a checkpoint."""
        out = {f"params/{k}": v.detach() for k, v in self.params.items()}
        for name, module in self.modules.items():
            out |= {f"modules/{name}/{k}": v.detach() for k, v in module.state_dict().items()}
        for name in (*self.params, *self.modules):
            for i, param in enumerate(self.trained(name)):
                moments = self.optimizer.state.get(param, {})
                out |= {f"adam/{name}/{i}/{k}": v for k, v in moments.items()}
        out |= {"stats/grads": self.stats.grads, "stats/counts": self.stats.counts}
        out["generator"] = self.generator.get_state()
        return out

    def scalars(self) -> dict[str, Any]:
        """The numbers that go with `tensors`."""
        return {
            "extent": self.extent,
            "phase": self.phase,
            "step": self.step,
            "rate_factor": self.rate_factor,
            "held": self.held,
        }

    def snapshot(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """An independent copy of the whole state in memory."""
        return {k: v.clone() for k, v in self.tensors().items()}, self.scalars()

    @classmethod
    def restore(
        cls,
        tensors: Mapping[str, Tensor],
        scalars: Mapping[str, Any],
        device: torch.device,
        modules: Mapping[str, nn.Module] | None = None,
    ) -> FitState:
        """The state that `tensors` and `scalars` describe; KeyError if a part is missing.

        `modules` are of the right kind and size; they are filled in place.
        """
        modules = dict(modules or {})
        names = [k.removeprefix("params/") for k in tensors if k.startswith("params/")]
        params = {n: tensors[f"params/{n}"].to(device, copy=True).requires_grad_() for n in sorted(names, key=_ORDER)}
        for name, module in modules.items():
            module.load_state_dict(_under(tensors, f"modules/{name}/"))
        optimizer = make_optimizer(params, modules)
        for group in optimizer.param_groups:
            for i, param in enumerate(group["params"]):
                moments = _under(tensors, f"adam/{group['name']}/{i}/")
                if moments:
                    optimizer.state[param] = {k: v.to(device, copy=True) for k, v in moments.items()}
        generator = torch.Generator()
        generator.set_state(tensors["generator"].cpu())
        stats = GrowthStats(*(tensors[f"stats/{k}"].to(device, copy=True) for k in ("grads", "counts")))
        state = cls(params, optimizer, stats, generator, modules=modules, **scalars)
        state.rebind()
        return state


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


_ORDER = ["means", "quats", "log_scales", "logit_opacities", "colors"].index


def make_optimizer(params: Mapping[str, Tensor], modules: Mapping[str, nn.Module] | None = None) -> torch.optim.Adam:
    """Adam (0.9, 0.999) with eps 1e-15 as in 3DGS; fused: one kernel a group, no host synchronisation."""
    groups = [{"params": [p], "name": name, "lr": 0.0} for name, p in params.items()]
    groups += [{"params": list(m.parameters()), "name": name, "lr": 0.0} for name, m in (modules or {}).items()]
    return torch.optim.Adam(groups, betas=(0.9, 0.999), eps=1e-15, fused=True)
