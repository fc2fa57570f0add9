"""`Scene`: Gaussians with what is needed to look at them, as one file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from .cameras import Cameras
from .checks import check_int, check_tensor
from .errors import FieldError, FileFormatError
from .gaussians import Gaussians
from .storage import load_tensors, save_tensors

_KIND = "scene"


@dataclass(frozen=True, eq=False)
class Scene:
    """Canonical Gaussians, the cameras they were fitted to (by group name) and the clip's clock.

    Attributes:
        gaussians: the canonical splats.
        cameras: groups such as "train" or "heldout"; names are non-empty and hold no "/".
        background: [3] float32 RGB in [0, 1] behind everything.
        n_times: moments of the reference clip, at least 1 (a static scene has 1).
        fps: moments a second, positive.

    Raises:
        FieldError: if a field is out of shape or range.
    """

    gaussians: Gaussians
    cameras: Mapping[str, Cameras] = field(default_factory=dict)
    background: Tensor = field(default_factory=lambda: torch.zeros(3))
    n_times: int = 1
    fps: float = 8.0

    def __post_init__(self) -> None:
        check_tensor("Scene.background", self.background, (3,), low=0.0, high=1.0)
        check_int("Scene.n_times", self.n_times, low=1)
        if not (math.isfinite(self.fps) and self.fps > 0):
            raise FieldError(f"Scene.fps must be a positive number, got {self.fps!r}")
        bad = [name for name in self.cameras if not name or "/" in name]
        if bad:
            raise FieldError(f"Scene.cameras: group names must be non-empty and hold no '/', got {bad[0]!r}")

    def save(self, path: Path | str) -> None:
        """Write one safetensors file (tensors and JSON), atomically."""
        tensors = {f"gaussians/{k}": v for k, v in self.gaussians.tensors().items()}
        tensors["background"] = self.background
        for name, group in self.cameras.items():
            tensors |= {
                f"cameras/{name}/viewmats": group.viewmats,
                f"cameras/{name}/Ks": group.Ks,
                f"cameras/{name}/times": group.moments,
            }
        sizes = {name: [group.width, group.height] for name, group in self.cameras.items()}
        meta = {"version": 1, "n_times": self.n_times, "fps": self.fps, "camera_sizes": sizes}
        save_tensors(path, tensors, meta, kind=_KIND)

    @classmethod
    def load(cls, path: Path | str) -> Scene:
        """Read what `save` wrote; raises `FileFormatError` or `FieldError` naming what is wrong."""
        tensors, meta = load_tensors(path, kind=_KIND)
        if meta.get("version") != 1:
            raise FileFormatError(f"{path} is scene format version {meta.get('version')}, this program reads version 1")
        try:
            prefix = "gaussians/"
            gaussians = Gaussians(**{k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
            cameras = {
                name: Cameras(
                    tensors[f"cameras/{name}/viewmats"],
                    tensors[f"cameras/{name}/Ks"],
                    size[0],
                    size[1],
                    tensors[f"cameras/{name}/times"],
                )
                for name, size in meta["camera_sizes"].items()
            }
            return cls(gaussians, cameras, tensors["background"], meta["n_times"], meta["fps"])
        except FieldError as error:
            raise FileFormatError(f"{path}: {error}") from None
        except (KeyError, TypeError, AttributeError) as error:
            raise FileFormatError(f"{path} lacks or misnames a part of a scene: {error}") from None
