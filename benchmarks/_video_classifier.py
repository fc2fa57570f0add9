"""A judge of clips: which subject, action, colour, ground and sky they show, learned from true clips of worlds."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from _video_setting import Setting
from torch import Tensor, nn

from fourreal.core.errors import FileFormatError
from fourreal.core.storage import load_tensors, save_tensors
from fourreal.worlds import FACTORS, Worlds

JUDGED = ("subject", "action", "color", "ground", "sky")
_OF_SUBJECT = ("subject", "action", "color")  # unclear where there are two
_KIND, _FEATURES, _RATE, _BATCH, _CHUNK = "world classifier", 256, 2e-3, 128, 1024


@dataclass(frozen=True)
class ClassifierConfig:
    """Clips that a classifier takes, and channels of its first stage."""

    frames: int
    height: int
    width: int
    channels: int = 64


class _Residual(nn.Module):
    """Convolutions over space, time, space."""

    def __init__(self, channels: int, frames: int) -> None:
        super().__init__()
        self.frames = frames
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.time = nn.Conv2d(channels, channels, (3, 1), padding=(1, 0), bias=False)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """Frames [B F, c, h, w], clip by clip."""
        hidden = F.silu(self.norms[0](self.first(x)))
        # Pixels side by side, so that time is an axis of a plain convolution.
        lines = hidden.unflatten(0, (-1, self.frames)).permute(0, 2, 1, 3, 4).flatten(3)
        moved = self.time(lines).unflatten(3, x.shape[-2:]).permute(0, 2, 1, 3, 4).flatten(0, 1)
        return F.silu(x + self.norms[2](self.second(F.silu(self.norms[1](moved)))))


class Classifier(nn.Module):
    """A (2+1)D residual network (arXiv 1711.11248); `features` are what Frechet distances are taken of."""

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.config = config
        c, f = config.channels, config.frames
        self.stem = nn.Conv2d(3, c, 5, stride=2, padding=2)
        stages: list[nn.Module] = []
        for i, depth in enumerate((2, 2, 3)):
            wide = c * 2**i
            if i:
                stages += [nn.Conv2d(wide // 2, wide, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(wide)]
            stages += [_Residual(wide, f) for _ in range(depth)]
        self.stages = nn.Sequential(*stages)
        self.last = nn.Linear(8 * c, _FEATURES)
        self.heads = nn.ModuleDict({name: nn.Linear(_FEATURES, len(FACTORS[name])) for name in JUDGED})

    def features(self, clips: Tensor) -> Tensor:
        """[B, 256] of clips [B, F, 3, H, W] in [-1, 1]."""
        x = self.stem(clips.flatten(0, 1).contiguous(memory_format=torch.channels_last))
        x = self.stages(x).unflatten(0, clips.shape[:2])
        return F.silu(self.last(torch.cat((x.mean((1, 3, 4)), x.amax((1, 3, 4))), -1)))

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        """Logits of every factor."""
        found = F.dropout(self.features(clips), 0.1, self.training)
        return {name: head(found) for name, head in self.heads.items()}


class Verdict(NamedTuple):
    """What a classifier says of B clips: label ids [B] of each factor, and features [B, 256]."""

    labels: dict[str, Tensor]
    features: Tensor

    def accuracy(self, worlds: Worlds) -> dict[str, float]:
        """Share of the clips whose label is found; for the subject only where it is alone."""
        return {name: float(self._right(worlds, name).float().mean()) for name in JUDGED}

    def by_value(self, worlds: Worlds) -> dict[str, dict[str, float]]:
        """The same for every value of the factors that occurs."""
        out: dict[str, dict[str, float]] = {}
        for name in JUDGED:
            right, true = (
                self._right(worlds, name),
                worlds.labels[name][_counted(worlds, name)].to(self.features.device),
            )
            out[name] = {
                value: float(right[true == i].float().mean())
                for i, value in enumerate(FACTORS[name])
                if bool((true == i).any())
            }
        return out

    def _right(self, worlds: Worlds, name: str) -> Tensor:
        kept = _counted(worlds, name)
        return (self.labels[name] == worlds.labels[name])[kept]


def _counted(worlds: Worlds, name: str) -> Tensor:
    alone = worlds.labels["second"] == 0
    return alone if name in _OF_SUBJECT else torch.ones_like(alone)


def _placed(classifier: Classifier, device: torch.device) -> Classifier:
    for module in classifier.modules():
        if isinstance(module, nn.Conv2d):
            module.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return classifier.to(device)


def _autocast(device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")


@torch.no_grad()
def judged(classifier: Classifier, clips: Tensor) -> Verdict:
    """The verdict on clips [B, F, 3, H, W] in [0, 1]."""
    device, found, labels = next(classifier.parameters()).device, [], {name: [] for name in JUDGED}
    for part in clips.split(_BATCH):
        with _autocast(device):
            features = classifier.features(2 * part.to(device).float().clamp(0, 1) - 1).float()
        found.append(features)
        for name, head in classifier.heads.items():
            labels[name].append(head(features).argmax(-1))
    return Verdict({k: torch.cat(v) for k, v in labels.items()}, torch.cat(found))


def _pool(setting: Setting, count: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Training clips as bytes, and their labels; -100 where a label is unclear."""
    frames, labels = [], {name: [] for name in JUDGED}
    for first in range(0, count, _CHUNK):
        worlds = setting.worlds("classifier", min(_CHUNK, count - first), first)
        clips = setting.dynamic(worlds, setting.generator("classifier", first))
        frames.append((clips * 255).round().byte())
        for name in JUDGED:
            labels[name].append(worlds.labels[name].masked_fill(~_counted(worlds, name), -100))
    return torch.cat(frames), {k: torch.cat(v) for k, v in labels.items()}


def augmented(clips: Tensor, generator: torch.Generator) -> Tensor:
    """Mirrored, moved by up to two pixels, a little noise and blur, so that no fault of a sampler gives it away."""
    count, device = len(clips), clips.device
    height, width = clips.shape[-2:]

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=device)

    def each(share: Tensor) -> Tensor:
        return share.view(-1, 1, 1, 1, 1)

    clips = torch.where(each(rand(count) < 0.5), clips.flip(-1), clips)
    flat = clips.flatten(0, 1)
    rows, columns = (rand(2) * 5).long().tolist()
    flat = F.pad(flat, (2, 2, 2, 2), mode="replicate")[..., rows : rows + height, columns : columns + width]
    soft = F.avg_pool2d(F.pad(flat, (1, 1, 1, 1), mode="replicate"), 3, 1).unflatten(0, clips.shape[:2])
    clips = flat.unflatten(0, clips.shape[:2])
    clips = torch.lerp(clips, soft, each(rand(count) * (rand(count) < 0.3)))
    noise = torch.randn(clips.shape, generator=generator, device=device)
    return clips + each(0.06 * rand(count) * (rand(count) < 0.5)) * noise


def _loss(logits: dict[str, Tensor], labels: dict[str, Tensor]) -> Tensor:
    total = torch.zeros((), device=next(iter(labels.values())).device)
    for name in JUDGED:
        known = (labels[name] >= 0).sum().clamp(min=1)
        total = total + F.cross_entropy(logits[name].float(), labels[name], reduction="sum") / known
    return total


def _batches(count: int, batch: int, epochs: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Indices of whole batches, in another order every time round."""
    for _ in range(epochs):
        order = torch.randperm(count, generator=generator, device=generator.device)
        yield from order[: count // batch * batch].split(batch)


def train_classifier(setting: Setting) -> Classifier:
    """Render a pool of true clips and learn it."""
    o, device, begun = setting.options, setting.device, time.perf_counter()
    frames, labels = _pool(setting, o.classifier_clips)
    print(f"classifier: {len(frames)} true clips rendered in {time.perf_counter() - begun:.0f} s", flush=True)
    torch.manual_seed(0)
    config = ClassifierConfig(setting.frames, *setting.size, o.classifier_width)
    classifier = _placed(Classifier(config), device)
    optimizer = torch.optim.AdamW(classifier.parameters(), _RATE, weight_decay=0.05, fused=device.type == "cuda")
    batch = min(_BATCH, len(frames))
    steps = o.classifier_epochs * (len(frames) // batch)
    generator = torch.Generator(device).manual_seed(0)
    for step, index in enumerate(_batches(len(frames), batch, o.classifier_epochs, generator)):
        fall = 0.5 * (1 + math.cos(math.pi * step / steps))
        optimizer.param_groups[0]["lr"] = _RATE * min(1.0, (step + 1) / min(200, steps)) * fall
        clips = augmented(frames[index].float() / 127.5 - 1, generator)
        with _autocast(device):
            logits = classifier(clips)
        loss = _loss(logits, {k: v[index] for k, v in labels.items()})
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(classifier.parameters(), 2.0)
        optimizer.step()
        if step % max(1, steps // 8) == 0 or step == steps - 1:
            spent = time.perf_counter() - begun
            print(f"classifier: step {step + 1} of {steps}, loss {float(loss.detach()):.3f}, {spent:.0f} s", flush=True)
    return classifier.eval().requires_grad_(False)


def classifier_of(setting: Setting) -> Classifier:
    """The stored classifier if there is one, else a new one, which is then stored."""
    path = setting.options.classifier
    if path is None or not path.exists():
        made = train_classifier(setting)
        if path is not None:
            save_tensors(path, made.state_dict(), asdict(made.config), kind=_KIND)
        return made
    classifier = stored_classifier(path, setting.device)
    c = classifier.config
    if (c.frames, c.height, c.width) != (setting.frames, *setting.size):
        raise FileFormatError(
            f"{path} judges clips of {c.frames}x{c.height}x{c.width}, but the weights make "
            f"{setting.frames}x{setting.size[0]}x{setting.size[1]}; name another --classifier file"
        )
    return classifier


def stored_classifier(path: Path, device: torch.device) -> Classifier:
    """The classifier of a file. Raises `FileFormatError` if it is missing, damaged or of another kind."""
    tensors, meta = load_tensors(path, kind=_KIND)
    classifier = Classifier(ClassifierConfig(**{k: meta[k] for k in ("frames", "height", "width", "channels")}))
    classifier.load_state_dict(tensors)
    return _placed(classifier, device).eval().requires_grad_(False)


def frechet(a: Tensor, b: Tensor) -> float:
    """Frechet distance of two sets of features [N, D], taken as normal (arXiv 1706.08500, eq. 6)."""
    a, b = a.double().cpu(), b.double().cpu()
    root = _root(a.T.cov())
    cross = torch.linalg.eigvalsh(root @ b.T.cov() @ root).clamp(min=0).sqrt().sum()
    return float((a.mean(0) - b.mean(0)).square().sum() + a.T.cov().trace() + b.T.cov().trace() - 2 * cross)


def _root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T
