"""The deformation plug: what a field returns, and what a caller may ask of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.core.checks import check_int
from fourreal.core.errors import FieldError
from fourreal.core.geometry import quat_multiply

from .space import Space

Index = float | Tensor


class Offsets(NamedTuple):
    """What a field adds to N canonical Gaussians, at one index ([N, ...]) or at T of them ([T, N, ...])."""

    means: Tensor  # [(T,) N, 3] world units
    quats: Tensor  # [(T,) N, 4] wxyz: (1, 0, 0, 0) + quats, of any norm, turns the Gaussian in the world
    log_scales: Tensor  # [(T,) N, 3]

    def apply(
        self, means: Float[Tensor, "*T N 3"], quats: Float[Tensor, "*T N 4"], log_scales: Float[Tensor, "*T N 3"]
    ) -> tuple[Float[Tensor, "*_ N 3"], Float[Tensor, "*_ N 4"], Float[Tensor, "*_ N 3"]]:
        """The deformed means, quats and log_scales: x + dx, (1 + dq) q, log s + ds.

        4Real (section "Background") has q + dq. Here dq is added to the identity and multiplies from the left, so that
        a rigid motion is the same dq for every Gaussian whatever its own rotation and the norm that q is stored with.
        For one Gaussian both forms reach the same rotations at the same |dq|, as (1 + dq) q = q + dq q.
        """
        return means + self.means, quats + quat_multiply(self.quats, quats), log_scales + self.log_scales


@runtime_checkable
class DeformField(Protocol):
    """A deformation of a set of Gaussians that is zero at one index and, when new, everywhere.

    An index is a time (in frames, may be fractional) or the number of a frame, by the field's kind.
    """

    @property
    def frames(self) -> int:
        """Indices run from 0 to `frames` - 1."""
        ...

    @property
    def canonical(self) -> int:
        """The index at which every offset is exactly zero, whatever the parameters."""
        ...

    @property
    def unit(self) -> Tensor:
        """World units ([], the scene's size) of one unit of the parameters, so that rates need no scene scale."""
        ...

    def offsets(self, means: Float[Tensor, "*T N 3"], index: Index) -> Offsets:
        """Offsets of the Gaussians at canonical `means`, differentiable in these and in the parameters.

        A number gives [N, ...], a tensor of T indices gives [T, N, ...]; networks also take means [T, N, 3], other ones
        for each index. Raises `FieldError` for indices outside
        the range (where that needs no wait for a device) or, if the field is bound to a set, another number of means.
        """
        ...

    def rebind(self, means: Float[Tensor, "N 3"]) -> None:
        """Follow a set of Gaussians that has grown, shrunk or moved far; the parameters stay as they are."""
        ...

    def parameters(self) -> Iterator[torch.nn.Parameter]:
        """What to optimise."""
        ...


@runtime_checkable
class DeformConfig(Protocol):
    """A frozen dataclass that describes a field."""

    def build(
        self,
        means: Float[Tensor, "N 3"],
        frames: int,
        canonical: int = 0,
        *,
        seed: int = 0,
        space: Space | None = None,
    ) -> DeformField:
        """A field that is zero everywhere, for a scene whose Gaussians are at `means`, on their device.

        `space` is the middle and size of what moves, where that is known (cameras tell); else the Gaussians decide,
        and where most of these are seeds of the sky, the field sees the subject as a point.
        """
        ...


def check_span(frames: int, canonical: int) -> None:
    """Raise `FieldError` unless `canonical` is one of `frames` indices."""
    check_int("frames", frames, low=1)
    check_int("canonical", canonical, low=0)
    if canonical >= frames:
        raise FieldError(f"canonical must be one of the indices 0 to {frames - 1}, got {canonical}")


def as_indices(index: Index, frames: int, like: Tensor) -> tuple[Float[Tensor, " T"], bool]:
    """Indices as [T] of the dtype and on the device of `like`, and whether a single one was asked for.

    Raises `FieldError` for a wrong shape, or for values outside [0, frames - 1]; those on another device than the CPU
    are not looked at, because that would wait for the device.
    """
    given = torch.as_tensor(index, dtype=like.dtype)
    if given.dim() > 1 or given.numel() == 0:
        raise FieldError(f"index must be one number or a tensor [T], got shape {list(given.shape)}")
    if given.device.type == "cpu":
        low, high = (float(v) for v in torch.aminmax(given))
        if not (low >= 0 and high <= frames - 1):
            raise FieldError(f"indices must lie in [0, {frames - 1}], but span [{low:g}, {high:g}]")
    return given.reshape(-1).to(like.device, non_blocking=True), given.dim() == 0


def shaped(offsets: Offsets, single: bool) -> Offsets:
    """`offsets` [1, N, ...] without their first axis if a single index was asked for."""
    return Offsets(*(v[0] for v in offsets)) if single else offsets
