"""The training loop of both networks: optimiser, average of the weights, checkpoints, several processes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn

from fourreal.core.errors import DivergenceError, FileFormatError
from fourreal.core.storage import load_tensors, save_tensors

_KIND = "video model training"


@dataclass(frozen=True)
class TrainConfig:
    """How a network is trained.

    Attributes:
        clips: clips to see in all, over all processes.
        batch: clips a step and process.
        rate: peak learning rate.
        warmup: steps until the peak.
        decay: share of the training over which the rate falls to zero, at its end.
        average: decay of the average of the weights, which is what is kept (EMA).
        weight_decay: of the optimisers.
        muon: whether matrices of the blocks follow Muon instead of AdamW.
        seed: of noise and data.
    """

    clips: int = 4_000_000
    batch: int = 256
    rate: float = 1e-3
    warmup: int = 200
    decay: float = 0.3
    average: float = 0.999
    weight_decay: float = 0.02
    muon: bool = True
    seed: int = 0


@dataclass(frozen=True)
class TrainNews:
    """Where the training stands: clips seen and wanted, mean loss since the last news, clips a second."""

    clips: int
    total: int
    loss: float
    speed: float


def rate_at(config: TrainConfig, step: int, progress: float) -> float:
    """Learning rate: linear warm-up, constant, linear fall over the last `decay` of the training."""
    fall = min(1.0, max(0.0, 1 - progress) / max(config.decay, 1e-9))
    return config.rate * min(1.0, (step + 1) / config.warmup) * fall


def _optimizers(network: nn.Module, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """Muon (Jordan 2024) for the matrices of blocks, AdamW for the rest."""
    fused = next(network.parameters()).device.type == "cuda"
    named = [(k, p) for k, p in network.named_parameters() if p.requires_grad]
    matrices = [p for k, p in named if config.muon and "blocks." in k and p.dim() == 2 and min(p.shape) > 8]
    chosen = {id(p) for p in matrices}
    rest = [p for _, p in named if id(p) not in chosen]
    out: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(rest, config.rate, betas=(0.9, 0.98), weight_decay=config.weight_decay, fused=fused)
    ]
    if matrices:
        out.append(
            torch.optim.Muon(matrices, config.rate, weight_decay=config.weight_decay, adjust_lr_fn="match_rms_adamw")
        )
    return out


class Trainer:
    """A network in training, its average and its optimisers; `run` goes on from where it stands."""

    def __init__(self, network: nn.Module, config: TrainConfig, device: torch.device) -> None:
        self.config, self.device = config, device
        self.network = network.to(device)
        self.average = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.optimizers = _optimizers(self.network, config)
        self.clips = self.steps = self.stream_position = 0
        self.rank, self.world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
        self.generator = torch.Generator(device).manual_seed(config.seed * 1000 + self.rank)
        self.share_weights()

    def share_weights(self) -> None:
        """Every process takes the weights of the first."""
        if self.world > 1:
            for value in (*self.network.state_dict().values(), *self.average.values()):
                dist.broadcast(value, 0)

    def run(
        self,
        loss: Callable[[torch.Generator], Tensor],
        *,
        until: float = math.inf,
        stop: Callable[[], bool] = lambda: False,
        every: int = 50,
        on_news: Callable[[TrainNews], None] = lambda _: None,
    ) -> bool:
        """Train until `config.clips` are seen (True), or `time.monotonic()` passes `until` or `stop` says so (False).

        `stop` is asked after every step; of several processes, which must leave together, the first is asked with the
        news.

        Raises:
            DivergenceError: if the loss is not finite.
        """
        total, begun, losses = self.config.clips, time.monotonic(), []
        while self.clips < total:
            losses.append(self._step(loss))
            alone = self.world == 1 and stop()
            if len(losses) < every and self.clips < total and not alone:
                continue
            mean = float(torch.stack(losses).mean())
            if not math.isfinite(mean):
                raise DivergenceError(f"the training loss is {mean} after {self.clips} clips; lower the learning rate")
            now = time.monotonic()
            on_news(TrainNews(self.clips, total, mean, len(losses) * self.config.batch * self.world / (now - begun)))
            begun, losses = now, []
            if self._agreed(now > until or stop()):
                return self.clips >= total
        return True

    def _agreed(self, stop: bool) -> bool:
        """Whether the first process wants to stop: all must leave the loop at the same step."""
        if self.world == 1:
            return stop
        flag = torch.tensor([float(stop)], device=self.device)
        dist.broadcast(flag, 0)
        return bool(flag.item())

    def _step(self, loss: Callable[[torch.Generator], Tensor]) -> Tensor:
        rate = rate_at(self.config, self.steps, self.clips / self.config.clips)
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
            for group in optimizer.param_groups:
                group["lr"] = rate
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            value = loss(self.generator)
        value.backward()
        params = [p for p in self.network.parameters() if p.grad is not None]
        self._share_gradients(params)
        nn.utils.clip_grad_norm_(params, 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self.steps += 1
        self.clips += self.config.batch * self.world
        self._update_average()
        return value.detach()

    def _share_gradients(self, params: Iterable[Tensor]) -> None:
        if self.world == 1:
            return
        grads = [p.grad for p in params if p.grad is not None]
        flat = torch.cat([g.reshape(-1) for g in grads])
        dist.all_reduce(flat)
        flat /= self.world
        for grad, part in zip(grads, flat.split([g.numel() for g in grads]), strict=True):
            grad.copy_(part.view_as(grad))

    @torch.no_grad()
    def _update_average(self) -> None:
        keep = min(self.config.average, (1 + self.steps) / (10 + self.steps))
        new = self.network.state_dict()
        floats = [k for k, v in new.items() if v.is_floating_point()]
        torch._foreach_lerp_(  # pyright: ignore[reportPrivateImportUsage]
            [self.average[k] for k in floats], [new[k] for k in floats], 1 - keep
        )

    def save(self, path: Path | str, stream_position: int) -> None:
        """Write everything needed to go on, atomically; only the first process writes."""
        if self.rank != 0:
            return
        tensors = {f"net.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"ema.{k}": v for k, v in self.average.items()}
        tensors["generator"] = self.generator.get_state()
        for i, optimizer in enumerate(self.optimizers):
            for j, state in optimizer.state_dict()["state"].items():
                tensors |= {f"opt.{i}.{j}.{k}": torch.as_tensor(v) for k, v in state.items()}
        meta = {"clips": self.clips, "steps": self.steps, "stream": stream_position}
        save_tensors(path, tensors, meta, kind=_KIND)

    def load(self, path: Path | str) -> None:
        """Go on from what `save` wrote. Raises `FileFormatError` if it is damaged or of another network."""
        tensors, meta = load_tensors(path, kind=_KIND)
        try:
            self.network.load_state_dict(_part(tensors, "net."))
            for key, value in _part(tensors, "ema.").items():
                self.average[key].copy_(value)
            for i, optimizer in enumerate(self.optimizers):
                states: dict[int, dict[str, Tensor]] = {}
                for key, value in _part(tensors, f"opt.{i}.").items():
                    number, name = key.split(".")
                    states.setdefault(int(number), {})[name] = value
                optimizer.load_state_dict({**optimizer.state_dict(), "state": states})
            if self.rank == 0:
                self.generator.set_state(tensors["generator"])
            self.clips, self.steps, self.stream_position = (int(meta[k]) for k in ("clips", "steps", "stream"))
        except (KeyError, ValueError, RuntimeError) as error:
            raise FileFormatError(f"{path} does not fit this training ({error}); delete it to start again") from None
        self.share_weights()

    def start_from(self, weights: dict[str, Tensor]) -> None:
        """Begin with the weights of another training, with fresh optimisers."""
        self.network.load_state_dict({k: v.float() for k, v in weights.items()}, strict=False)
        for key, value in self.network.state_dict().items():
            self.average[key].copy_(value)
        self.share_weights()


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
