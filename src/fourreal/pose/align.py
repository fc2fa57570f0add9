"""How the frame of estimated cameras lies in the frame of given ones, and how well the two agree."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FieldError
from fourreal.core.geometry import Similarity

from .base import scene_distance


@dataclass(frozen=True, eq=False)
class Alignment:
    """A similarity between two sets of cameras of the same pictures, and what it leaves.

    Attributes:
        move: takes points and cameras of the source's frame to the target's.
        degrees: [F] angle between each camera of the target and the moved source's.
        percent: [F] distance of their centres, in percent of the distance of the target's cameras from the scene.
    """

    move: Similarity
    degrees: Float[Tensor, " F"]
    percent: Float[Tensor, " F"]

    def to_json(self) -> dict[str, float]:
        """Medians and maxima, and the scale."""
        return {
            "degrees_median": float(self.degrees.median()),
            "degrees_max": float(self.degrees.max()),
            "percent_median": float(self.percent.median()),
            "percent_max": float(self.percent.max()),
            "scale": float(self.move.scale),
        }

    def words(self) -> str:
        """Medians and maxima in one line."""
        n = self.to_json()
        return (
            f"rotation {n['degrees_median']:.2f} degrees (at most {n['degrees_max']:.2f}), "
            f"position {n['percent_median']:.2f} % of the distance (at most {n['percent_max']:.2f})"
        )


IDENTITY = Similarity(torch.tensor(1.0), torch.eye(3), torch.zeros(3))


def align(source: Cameras, target: Cameras) -> Alignment:
    """The similarity of least squared error over centres and orientations together.

    Umeyama's closed form (PAMI 13(4), 1991) with the cameras' axes as further points: on a short arc the centres lie
    almost on one line, about which they alone leave the turn open. Centres are weighed by their spread, so that both
    count alike.

    Raises:
        FieldError: if the sets differ in number, or hold fewer than 2 cameras.
    """
    if len(source) != len(target) or len(source) < 2:
        raise FieldError(
            f"cameras of the same pictures are needed to align, at least 2, got {len(source)} and {len(target)}"
        )
    a, b = source.positions.double().cpu(), target.positions.double().cpu()
    mean_a, mean_b = a.mean(0), b.mean(0)
    a, b = a - mean_a, b - mean_b
    ours, theirs = (c.viewmats[:, :3, :3].double().cpu() for c in (source, target))
    spread = a.norm() * b.norm() / len(a)
    centres = b.T @ a / spread.clamp_min(1e-12) if spread > 1e-12 else torch.zeros(3, 3, dtype=torch.float64)
    u, _, vt = torch.linalg.svd(centres + (theirs.transpose(1, 2) @ ours).sum(0))
    flip = torch.ones(3, dtype=torch.float64)
    flip[2] = torch.sign(torch.linalg.det(u @ vt))
    rotation = u @ (flip[:, None] * vt)
    shared, power = (b * (a @ rotation.T)).sum(), (a * a).sum()
    scale = shared / power if power > 1e-24 and shared > 0 else torch.ones_like(power)
    move = Similarity(scale.float(), rotation.float(), (mean_b - scale * rotation @ mean_a).float())
    return Alignment(move, *differences(move.apply_cameras(source.to("cpu")), target.to("cpu")))


def differences(source: Cameras, target: Cameras) -> tuple[Float[Tensor, " F"], Float[Tensor, " F"]]:
    """Degrees between the orientations, and percent of the distance between the centres, camera by camera."""
    relative = target.viewmats[:, :3, :3].double() @ source.viewmats[:, :3, :3].double().transpose(1, 2)
    skew = (relative - relative.transpose(1, 2)).square().sum((1, 2)).sqrt() / (2 * 2**0.5)
    cosine = (relative.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2
    apart = (source.positions - target.positions).norm(dim=1)
    percent = 100 * apart / scene_distance(target, torch.zeros(0, 3), 0)
    return torch.rad2deg(torch.atan2(skew, cosine)).float(), percent
