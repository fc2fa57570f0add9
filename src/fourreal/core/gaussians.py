"""`Gaussians`: canonical 3D Gaussian splats; the stored space is in the name."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from .checks import check_tensor
from .errors import FieldError


@dataclass(frozen=True, eq=False)
class Gaussians:
    """N anisotropic 3D Gaussians with view-independent colour (4Real, section "Background"; 3DGS, arXiv 2308.04079).

    Attributes:
        means: [N, 3] centres in world units.
        quats: [N, 4] rotations, wxyz, non-zero (normalised on use).
        log_scales: [N, 3] natural logarithm of the standard deviations along the local axes; in [-30, 30].
        logit_opacities: [N] logit of the opacity; in [-50, 50].
        colors: [N, 3] RGB in [0, 1].

    Raises:
        FieldError: if a field is out of shape or range.
    """

    means: Tensor
    quats: Tensor
    log_scales: Tensor
    logit_opacities: Tensor
    colors: Tensor

    def __post_init__(self) -> None:
        check_tensor("Gaussians.means", self.means, ("N", 3))
        count = self.means.shape[0]
        check_tensor("Gaussians.quats", self.quats, (count, 4))
        check_tensor("Gaussians.log_scales", self.log_scales, (count, 3), low=-30, high=30)
        check_tensor("Gaussians.logit_opacities", self.logit_opacities, (count,), low=-50, high=50)
        check_tensor("Gaussians.colors", self.colors, (count, 3), low=0.0, high=1.0)
        zero = (self.quats.detach().norm(dim=1) < 1e-8).nonzero().flatten().tolist()
        if zero:
            raise FieldError(f"Gaussians.quats[{zero[0]}] is zero, wanted a wxyz rotation ({len(zero)} affected)")

    def __len__(self) -> int:
        return self.means.shape[0]

    @property
    def scales(self) -> Tensor:
        """[N, 3] standard deviations in world units."""
        return self.log_scales.exp()

    @property
    def opacities(self) -> Tensor:
        """[N] in (0, 1)."""
        return torch.sigmoid(self.logit_opacities)

    def tensors(self) -> dict[str, Tensor]:
        """The five fields by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def to(self, device: torch.device | str) -> Gaussians:
        """A copy on `device`."""
        return Gaussians(**{k: v.to(device) for k, v in self.tensors().items()})
