"""What of a scene the clips have shown: each Gaussian's part in their pictures, and how far a camera may go from them.

A Gaussian's weight in a picture is the sum over pixels of transmittance times alpha: the derivative of the summed
picture by its colour, which the rasterizer's adjoint gives exactly, occlusion included.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FieldError, FileFormatError
from fourreal.core.paths import look_target, orbit, world_up
from fourreal.core.storage import load_tensors, save_tensors
from fourreal.deform.base import DeformField
from fourreal.raster.base import Rasterizer, Splats, Views

_KIND, _VERSION = "coverage", 1
_BATCH = 4
SEEN = 0.1  # pixels: a Gaussian that adds up to less in a picture is not seen in it
SIDE = 60.0  # degrees from the nearest direction it was seen from, beyond which a Gaussian shows an unseen side
UNSEEN = 0.10  # of a view, more than the clips' own views have, is too much
STEP, FARTHEST = 5.0, 90.0  # degrees: how the reach is searched


@dataclass(frozen=True, eq=False)
class Coverage:
    """How often each Gaussian was seen, and how far the camera may go.

    Attributes:
        freeze_views: [N] int32 freeze-time frames that show it.
        reference_frames: [N] int32 reference frames that show it.
        freeze_weight: [N] float32 its weight in all freeze-time frames together, in pixels.
        reference_weight: [N] float32 the same in the reference clip.
        reach: degrees beyond the freeze-time cameras, by direction ("left", "right", "up", "down"), at which more than
            a tenth of the view is something no camera saw; `FARTHEST` where that does not happen.
        frames: of both clips together.
    """

    freeze_views: Tensor
    reference_frames: Tensor
    freeze_weight: Tensor
    reference_weight: Tensor
    reach: dict[str, float]
    frames: int

    @property
    def share(self) -> Float[Tensor, " N"]:
        """Share of the frames of both clips that show each Gaussian, in [0, 1]."""
        return (self.freeze_views + self.reference_frames) / self.frames

    @property
    def degrees(self) -> float:
        """How far the camera may go: the least reach to the sides and up (down, the ground is soon in the way)."""
        return min(self.reach[k] for k in ("left", "right", "up"))

    @property
    def unseen(self) -> float:
        """Share of the Gaussians that no frame shows."""
        return float(((self.freeze_views == 0) & (self.reference_frames == 0)).float().mean())

    def words(self) -> str:
        """One sentence."""
        r = {k: ("more than " if v >= FARTHEST else "") + f"{v:.0f}" for k, v in self.reach.items()}
        return (
            f"the camera may leave the clips' views by {r['left']} degrees to the left, {r['right']} to the right, "
            f"{r['up']} up and {r['down']} down before a tenth of the view is unseen; {self.unseen:.1%} of the "
            "Gaussians are in no frame"
        )

    def save(self, path: Path | str) -> None:
        """Write `coverage.safetensors`, atomically."""
        meta: dict[str, Any] = {"version": _VERSION, "reach": self.reach, "frames": self.frames}
        save_tensors(path, self._tensors(), meta, kind=_KIND)

    def _tensors(self) -> dict[str, Tensor]:
        return {
            "freeze_views": self.freeze_views,
            "reference_frames": self.reference_frames,
            "freeze_weight": self.freeze_weight,
            "reference_weight": self.reference_weight,
        }

    @classmethod
    def load(cls, path: Path | str) -> Coverage:
        """Read what `save` wrote. Raises `FileFormatError` if the file is missing, damaged or of another kind."""
        tensors, meta = load_tensors(path, kind=_KIND)
        if meta.get("version") != _VERSION:
            raise FileFormatError(f"{path} has version {meta.get('version')}, wanted {_VERSION}")
        try:
            reach = {k: float(meta["reach"][k]) for k in ("left", "right", "up", "down")}
            found = cls(**tensors, reach=reach, frames=int(meta["frames"]))
        except (TypeError, KeyError, ValueError) as error:
            raise FileFormatError(f"{path} lacks or misnames a part of a coverage: {error}") from None
        if len({v.shape for v in tensors.values()}) != 1 or found.freeze_views.dim() != 1:
            raise FileFormatError(f"{path}: all tensors must be of one length, one number a Gaussian")
        return found


def coverage(
    splats: Splats,
    freeze: Cameras,
    render: Rasterizer,
    *,
    reference: Cameras | None = None,
    warp: DeformField | None = None,
    motion: DeformField | None = None,
) -> Coverage:
    """What the clips show of the scene.

    Args:
        splats: the canonical Gaussians [N, ...], with linear scales.
        freeze: cameras of the freeze-time clip.
        render: the rasterizer.
        reference: cameras of the reference clip, at their times.
        warp: deformation of each freeze-time frame, if frames were fitted with one.
        motion: deformation by time.
    """
    index = torch.arange(len(freeze), device=splats.means.device).float()
    frozen = weights(splats, freeze, render, warp, index)
    moving = splats.means.new_zeros(0, len(splats.means))
    if reference is not None:
        moving = weights(splats, reference, render, motion, reference.moments)
    return Coverage(
        (frozen > SEEN).sum(0).int().cpu(),
        (moving > SEEN).sum(0).int().cpu(),
        frozen.sum(0).cpu(),
        moving.sum(0).cpu(),
        _reach(splats, freeze, frozen > SEEN, render),
        len(frozen) + len(moving),
    )


def weights(
    splats: Splats, cameras: Cameras, render: Rasterizer, field: DeformField | None, index: Float[Tensor, " V"]
) -> Float[Tensor, "V N"]:
    """Each Gaussian's weight in each camera's picture, in pixels; `field` deforms them by `index`."""
    return torch.cat([
        _weights(splats, cameras[i : i + _BATCH], render, field, index[i : i + _BATCH])
        for i in range(0, len(cameras), _BATCH)
    ])  # fmt: skip


def _weights(splats: Splats, cameras: Cameras, render: Rasterizer, field: DeformField | None, index: Tensor) -> Tensor:
    return _pulled(_deformed(splats, field, index, len(cameras)), cameras, render, None)


def _deformed(splats: Splats, field: DeformField | None, index: Tensor, count: int) -> Splats:
    """[C, N, ...] one state a camera, detached."""
    means, quats, log_scales = splats.means, splats.quats, splats.scales.log()
    if field is None:
        parts = tuple(v.expand(count, *v.shape) for v in (means, quats, log_scales))
    else:
        with torch.no_grad():
            parts = field.offsets(means, index).apply(means, quats, log_scales)
    opacities, colors = (v.expand(count, *v.shape) for v in (splats.opacities, splats.colors))
    return Splats(*(v.detach().contiguous() for v in (parts[0], parts[1], parts[2].exp(), opacities, colors)))


def _pulled(splats: Splats, cameras: Cameras, render: Rasterizer, background: Tensor | None) -> Tensor:
    """[C, N] derivative of the summed red picture by each Gaussian's red."""
    colors = torch.zeros_like(splats.colors).requires_grad_()
    views = Views(cameras.viewmats, cameras.Ks, cameras.width, cameras.height)
    with torch.enable_grad():
        color = render(splats._replace(colors=colors), views, background).color
        (gradient,) = torch.autograd.grad(color[:, 0].sum(), colors)
    return gradient[..., 0].detach()


def _reach(splats: Splats, freeze: Cameras, seen: Bool[Tensor, "V N"], render: Rasterizer) -> dict[str, float]:
    """Degrees by direction; see `Coverage`."""
    cameras = freeze.resized(max(16, freeze.width // 2), max(16, freeze.height // 2))
    own = float(unseen_share(splats, cameras, freeze, seen, render).median())
    out = {}
    for name, path in _ways(cameras.to("cpu")).items():
        share = unseen_share(splats, path.to(splats.means.device), freeze, seen, render)
        beyond = (share > own + UNSEEN).nonzero().flatten()
        out[name] = STEP * int(beyond[0]) if len(beyond) else FARTHEST
    return out


def unseen_share(
    splats: Splats, cameras: Cameras, freeze: Cameras, seen: Bool[Tensor, "V N"], render: Rasterizer
) -> Float[Tensor, " C"]:
    """Share of each picture that is empty, or made of Gaussians that no freeze-time camera saw from that side.

    Args:
        splats: the canonical Gaussians.
        cameras: where to look from.
        freeze: the freeze-time cameras.
        seen: which of them saw which Gaussian.
        render: the rasterizer.
    """
    toward = torch.nn.functional.normalize(freeze.positions[:, None] - splats.means, dim=-1)  # [V, N, 3]
    out = []
    for i in range(0, len(cameras), _BATCH):
        part = cameras[i : i + _BATCH]
        own = torch.nn.functional.normalize(part.positions[:, None] - splats.means, dim=-1)
        near = torch.stack([torch.where(seen, (toward * o).sum(-1), -1.0).amax(0) for o in own])
        known = near > math.cos(math.radians(SIDE))
        weight = _weights(splats, part, render, None, part.moments)
        out.append(1 - (weight * known).sum(1) / (part.width * part.height))
    return torch.cat(out).clamp(0, 1)


def _ways(cameras: Cameras) -> dict[str, Cameras]:
    """Ways out of the clip, a camera every `STEP` degrees: beyond its ends to the sides, up and down from its middle.

    A clip that goes all the way round has no ends, and the ways to the sides stay on it.
    """
    target = _looked_at(cameras)
    up = world_up(cameras).double()
    arm = cameras.positions.double() - target.double()
    flat = arm - (arm @ up)[:, None] * up
    sine = torch.linalg.cross(flat[:-1], flat[1:]) @ up
    turn = torch.cat([sine.new_zeros(1), torch.atan2(sine, (flat[:-1] * flat[1:]).sum(1)).cumsum(0)])
    middle = int((turn - turn.median()).abs().argmin())
    across = cameras.viewmats[middle, 0, :3]
    count = int(FARTHEST / STEP) + 1
    starts = {
        "right": (int(turn.argmax()), up.float(), FARTHEST),
        "left": (int(turn.argmin()), up.float(), -FARTHEST),
        "up": (middle, across, -FARTHEST),
        "down": (middle, across, FARTHEST),
    }
    return {k: orbit(cameras[i], target, count, degrees=d, up=axis) for k, (i, axis, d) in starts.items()}


def _looked_at(cameras: Cameras) -> Tensor:
    """[3] what the cameras circle; where they hardly turn, a point as far before them as they are spread, tenfold."""
    try:
        return look_target(cameras)
    except FieldError:
        spread = (cameras.positions - cameras.positions.mean(0)).norm(dim=1).max().clamp_min(0.1)
        return cameras.positions[0] + 10 * spread * cameras.viewmats[0, 2, :3]
