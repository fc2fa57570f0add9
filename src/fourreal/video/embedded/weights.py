"""Weight files: fp16 safetensors with the network's size, its words and its history beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor, nn

from fourreal.core.digest import digest
from fourreal.core.errors import FileFormatError
from fourreal.core.storage import load_tensors, save_tensors
from fourreal.video.base import ModelSourceError

from .critic import CriticConfig, CriticNetwork
from .network import BaseConfig, BaseNetwork
from .upsampler import UpsamplerConfig, UpsamplerNetwork

FOLDER = Path(__file__).parent / "weights"
BASE, UPSAMPLER, WORDS = "base.safetensors", "upsampler.safetensors", "words.safetensors"
CRITIC = "critic.safetensors"
_Network = TypeVar("_Network", bound=nn.Module)
_KINDS = {BASE: "embedded base", UPSAMPLER: "embedded upsampler", CRITIC: "embedded critic"}


@dataclass(frozen=True)
class History:
    """What a network was trained on.

    Attributes:
        clips: training clips seen.
        distilled: clips seen in guidance distillation; 0 means that guidance costs a second evaluation.
        note: in words.
    """

    clips: int
    distilled: int = 0
    note: str = ""

    @property
    def guided(self) -> bool:
        """Whether one evaluation gives the guided prediction."""
        return self.distilled > 0


def save_base(
    path: Path | str, state: Mapping[str, Tensor], config: BaseConfig, vocabulary: tuple[str, ...], history: History
) -> None:
    """Write a base network in fp16."""
    meta = {"config": config.to_json(), "vocabulary": list(vocabulary), "history": vars(history)}
    save_tensors(path, _half(state), meta, kind=_KINDS[BASE])


def save_upsampler(path: Path | str, state: Mapping[str, Tensor], config: UpsamplerConfig, history: History) -> None:
    """Write an upsampler in fp16."""
    save_tensors(path, _half(state), {"config": config.to_json(), "history": vars(history)}, kind=_KINDS[UPSAMPLER])


def save_critic(
    path: Path | str, state: Mapping[str, Tensor], config: CriticConfig, base: Path | str, history: History
) -> None:
    """Write a critic in fp16, with what tells the weights of the base network that it looks through."""
    meta = {"config": config.to_json(), "history": vars(history), "base": digest(Path(base))}
    save_tensors(path, _half(state), meta, kind=_KINDS[CRITIC])


def load_critic(path: Path | str, base: Path | str) -> CriticNetwork:
    """The critic in fp32.

    Raises:
        ModelSourceError: if it cannot be read, or was trained with other weights than those of the file `base`.
    """
    tensors, meta = _read(Path(path), CRITIC)
    try:
        config = CriticConfig(**{**meta["config"], "after": tuple(meta["config"]["after"])})
        critic, seen = _filled(CriticNetwork(config), tensors), str(meta["base"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelSourceError(_damaged(path, error)) from None
    if seen != digest(Path(base)):
        raise ModelSourceError(
            f"{path} judges clips of other weights than {base}; delete it, or train one with "
            f"`4real train-video-model --part critic --start-from {base}`"
        )
    return critic


def _half(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k: v.half() if v.is_floating_point() else v for k, v in state.items()}


def load_base(path: Path | str) -> tuple[BaseNetwork, tuple[str, ...], History]:
    """The base network in fp32, the words it knows, and its history. Raises `ModelSourceError`."""
    tensors, meta = _read(Path(path), BASE)
    try:
        network = _filled(BaseNetwork(BaseConfig(**meta["config"])), tensors)
        return network, tuple(meta["vocabulary"]), History(**meta["history"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelSourceError(_damaged(path, error)) from None


def load_upsampler(path: Path | str) -> tuple[UpsamplerNetwork, History]:
    """The upsampler in fp32 and its history. Raises `ModelSourceError`."""
    tensors, meta = _read(Path(path), UPSAMPLER)
    try:
        network = _filled(UpsamplerNetwork(UpsamplerConfig(**meta["config"])), tensors)
        return network, History(**meta["history"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelSourceError(_damaged(path, error)) from None


def _filled(network: _Network, tensors: dict[str, Tensor]) -> _Network:
    network.load_state_dict({k: v.float() for k, v in tensors.items()}, assign=True)
    return network.requires_grad_(False).eval()


def _read(path: Path, name: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        return load_tensors(path, kind=_KINDS[name])
    except FileFormatError as error:
        raise ModelSourceError(_damaged(path, error)) from None


def _damaged(path: Path | str, error: Exception) -> str:
    return (
        f"the embedded video model cannot be read from {path}: {error}; "
        "reinstall fourreal, or train one with `4real train-video-model`"
    )
