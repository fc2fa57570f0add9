"""`Cameras`: a batch of pinhole cameras of one image size, OpenCV convention."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .checks import check_int, check_tensor
from .errors import FieldError


@dataclass(frozen=True, eq=False)
class Cameras:
    """Pinhole cameras (x right, y down, z forward; pixel centres at +0.5).

    Attributes:
        viewmats: [C, 4, 4] float32 world-to-camera, rigid (rotation of determinant +1, last row 0 0 0 1).
        Ks: [C, 3, 3] float32 intrinsics in pixels, positive focal lengths, no skew.
        width, height: image size in pixels.
        times: [C] float32 moment of each camera in frames of the reference clip; may be fractional.

    Raises:
        FieldError: if a field is out of shape or range.
    """

    viewmats: Tensor
    Ks: Tensor
    width: int
    height: int
    times: Tensor | None = None

    def __post_init__(self) -> None:
        check_int("Cameras.width", self.width, low=1)
        check_int("Cameras.height", self.height, low=1)
        check_tensor("Cameras.viewmats", self.viewmats, ("C", 4, 4))
        count = self.viewmats.shape[0]
        check_tensor("Cameras.Ks", self.Ks, (count, 3, 3))
        if self.times is None:
            object.__setattr__(self, "times", torch.zeros(count, device=self.viewmats.device))
        check_tensor("Cameras.times", self.times, (count,))
        _check_rigid(self.viewmats.detach())
        _check_intrinsics(self.Ks.detach())

    def __len__(self) -> int:
        return self.viewmats.shape[0]

    def __getitem__(self, index: int | slice | list[int] | Tensor) -> Cameras:
        if isinstance(index, int):
            index = [index]
        return Cameras(self.viewmats[index], self.Ks[index], self.width, self.height, self.moments[index])

    @property
    def moments(self) -> Tensor:
        """`times`, for type checkers: never None after construction."""
        assert self.times is not None
        return self.times

    @property
    def c2w(self) -> Tensor:
        """[C, 4, 4] camera-to-world."""
        rotation = self.viewmats[:, :3, :3].transpose(1, 2)
        out = torch.zeros_like(self.viewmats)
        out[:, :3, :3] = rotation
        out[:, :3, 3] = self.positions
        out[:, 3, 3] = 1
        return out

    @property
    def positions(self) -> Tensor:
        """[C, 3] camera centres in the world."""
        return -(self.viewmats[:, :3, :3].transpose(1, 2) @ self.viewmats[:, :3, 3:]).squeeze(-1)

    def project(self, points: Float[Tensor, "*C N 3"]) -> tuple[Float[Tensor, "C N 2"], Float[Tensor, "C N"]]:
        """Pixels at which each camera sees points (centres at +0.5), and their depths.

        Points at or behind a camera have no place in its picture: theirs lie far off, look at the depth.

        Args:
            points: world units, the same for all cameras ([N, 3]) or others for each ([C, N, 3]).
        """
        local = points @ self.viewmats[:, :3, :3].transpose(1, 2) + self.viewmats[:, None, :3, 3]
        image = local @ self.Ks.transpose(1, 2)
        return image[..., :2] / image[..., 2:].clamp_min(1e-6), local[..., 2]

    def unproject(self, pixels: Float[Tensor, "C N 2"], depth: Float[Tensor, "C N"]) -> Float[Tensor, "C N 3"]:
        """World points that each camera sees at `pixels` (centres at +0.5), at these depths: inverts `project`."""
        centre, focal = self.Ks[:, None, :2, 2], torch.stack([self.Ks[:, 0, 0], self.Ks[:, 1, 1]], -1)[:, None]
        local = torch.cat([(pixels - centre) / focal, torch.ones_like(depth)[..., None]], -1) * depth[..., None]
        return (local - self.viewmats[:, None, :3, 3]) @ self.viewmats[:, :3, :3]

    def resized(self, width: int, height: int) -> Cameras:
        """The same views at another image size; intrinsics scale with each axis."""
        check_int("width", width, low=1)
        check_int("height", height, low=1)
        scale = self.Ks.new_tensor([width / self.width, height / self.height, 1.0])
        return Cameras(self.viewmats, self.Ks * scale[:, None], width, height, self.times)

    def to(self, device: torch.device | str) -> Cameras:
        """A copy on `device`."""
        return Cameras(self.viewmats.to(device), self.Ks.to(device), self.width, self.height, self.moments.to(device))


def _check_rigid(viewmats: Tensor) -> None:
    rotation = viewmats[:, :3, :3].double()
    error = (rotation @ rotation.transpose(1, 2) - torch.eye(3, device=viewmats.device)).abs().amax((1, 2))
    mirrored = torch.linalg.det(rotation) < 0
    last = (viewmats[:, 3] - viewmats.new_tensor([0.0, 0.0, 0.0, 1.0])).abs().amax(1)
    bad = ((error > 1e-3) | mirrored | (last > 1e-6)).nonzero().flatten().tolist()
    if bad:
        i = bad[0]
        why = "is mirrored" if mirrored[i] else f"is {float(error[i]):.2g} away from orthonormal"
        if last[i] > 1e-6:
            why = "has a last row other than 0 0 0 1"
        raise FieldError(
            f"Cameras.viewmats[{i}] {why}; wanted a rigid world-to-camera matrix (OpenCV axes). "
            f"{len(bad)} of {len(viewmats)} are affected"
        )


def _check_intrinsics(Ks: Tensor) -> None:
    focal = Ks[:, [0, 1], [0, 1]]
    rest = Ks[:, [0, 1, 2, 2, 2], [1, 0, 0, 1, 2]] - Ks.new_tensor([0.0, 0.0, 0.0, 0.0, 1.0])
    bad = ((focal <= 0).any(1) | (rest.abs() > 1e-6).any(1)).nonzero().flatten().tolist()
    if bad:
        raise FieldError(
            f"Cameras.Ks[{bad[0]}] must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] with positive focal lengths, "
            f"got {Ks[bad[0]].tolist()}"
        )
