"""What a Wan network makes of a prompt, made once: its blocks ask for the same keys and values at every evaluation."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

_MOST = 4  # prompts that are remembered: a run has two
_Made = list[tuple[Tensor, Tensor]]


@dataclass(eq=False)
class _Attention:
    """A processor of diffusers' cross-attention that takes keys and values from memory, if they are given.

    Attributes:
        usual: the processor that was there.
        given: keys and values, each [N, heads, L, C].
    """

    usual: Any
    given: tuple[Tensor, Tensor] | None = None

    def __call__(self, attention: Any, hidden_states: Tensor, *others: Any, **named: Any) -> Tensor:
        if self.given is None:
            return self.usual(attention, hidden_states, *others, **named)
        asked = _heads(attention.norm_q(attention.to_q(hidden_states)), attention)
        seen = F.scaled_dot_product_attention(asked, *self.given)
        return attention.to_out[0](seen.transpose(1, 2).flatten(2))


def _heads(x: Float[Tensor, "N L C"], attention: Any) -> Float[Tensor, "N H L c"]:
    return x.unflatten(2, (attention.heads, -1)).transpose(1, 2)


@dataclass(frozen=True, eq=False)
class TextMemory:
    """Keys and values of a few prompts in the blocks of networks. Images that a network is told are not prompts."""

    _places: dict[Any, list[tuple[Any, _Attention]]] = field(default_factory=dict, repr=False)
    _made: dict[Hashable, _Made] = field(default_factory=dict, repr=False)

    def prepared(self, network: Any, words: Float[Tensor, "N L C"], name: Hashable) -> _Made | None:
        """Keys and values of every block for `words`, which are the same whenever `name` is.

        None if there are too many names, or a block sees an image as well: then the network must be told the words.
        """
        places = self._places_of(network)
        key = (network, name, tuple(words.shape), words.dtype, words.device)
        if key not in self._made:
            if not places or len(self._made) >= _MOST:
                return None
            inward = network.condition_embedder.text_embedder(words)
            self._made[key] = [
                (
                    _heads(attention.norm_k(attention.to_k(inward)), attention).contiguous(),
                    _heads(attention.to_v(inward), attention).contiguous(),
                )
                for attention, _ in places
            ]
        return self._made[key]

    @contextmanager
    def given(self, network: Any, made: _Made | None) -> Iterator[None]:
        """Within, the network's blocks see what was made, whatever words they are told."""
        places = self._places_of(network) if made is not None else []
        for (_, processor), pair in zip(places, made or [], strict=True):
            processor.given = pair
        try:
            yield
        finally:
            for _, processor in places:
                processor.given = None

    def _places_of(self, network: Any) -> list[tuple[Any, _Attention]]:
        """Cross-attentions with our processors, which do what the others did unless something is given."""
        if network not in self._places:
            crossing = [m for m in network.modules() if getattr(m, "is_cross_attention", False)]
            found = [(m, _processor(m)) for m in crossing]
            kept = [(m, processor) for m, processor in found if processor is not None]
            self._places[network] = kept if len(kept) == len(found) else []
            for attention, processor in self._places[network]:
                attention.set_processor(processor)
        return self._places[network]


def _processor(attention: Any) -> _Attention | None:
    """Ours for a cross-attention; None if it does more than look at words."""
    usual = attention.processor
    if isinstance(usual, _Attention):  # another model has this network, too
        return usual
    return _Attention(usual) if type(usual).__name__ == "WanAttnProcessor" and attention.add_k_proj is None else None
