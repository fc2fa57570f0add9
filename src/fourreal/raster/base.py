"""The rasterizer plug: what goes in, what comes out."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

from torch import Tensor

from fourreal.core.gaussians import Gaussians

EPS2D = 0.3  # pixels^2 added to the projected covariance's diagonal (3DGS, gsplat)
ALPHA_MIN = 1.0 / 255.0  # contributions below are dropped (3DGS, gsplat)
ALPHA_MAX = 0.999  # gsplat 1.5.3
TRANSMITTANCE_MIN = 1e-4  # a pixel stops here (3DGS, gsplat)
NEAR, FAR = 0.01, 1e10  # gsplat's defaults, camera-space depth


class Splats(NamedTuple):
    """Activated Gaussian parameters. Each is [N, ...] (shared by the cameras) or [C, N, ...] (one state a camera)."""

    means: Tensor  # [(C,) N, 3]
    quats: Tensor  # [(C,) N, 4] wxyz, any norm
    scales: Tensor  # [(C,) N, 3] standard deviations
    opacities: Tensor  # [(C,) N] in [0, 1]
    colors: Tensor  # [(C,) N, 3]

    @staticmethod
    def of(gaussians: Gaussians) -> Splats:
        """A scene's Gaussians, activated."""
        g = gaussians
        return Splats(g.means, g.quats, g.scales, g.opacities, g.colors)


class Views(NamedTuple):
    """Pinhole cameras, OpenCV convention, pixel centres at +0.5."""

    viewmats: Tensor  # [C, 4, 4] world-to-camera
    Ks: Tensor  # [C, 3, 3]
    width: int
    height: int


class Rendering(NamedTuple):
    """What a rasterizer returns; every tensor but `radii` carries gradients.

    After `backward()`, `means2d.grad` (call `means2d.retain_grad()` before) holds the screen-space gradient and,
    if asked for, `means2d.absgrad` the sum of its absolute per-pixel parts: both [C, N, 2], to decide on growth.
    """

    color: Tensor  # [C, 3, H, W], background composited
    alpha: Tensor  # [C, 1, H, W] in [0, 1]
    depth: Tensor  # [C, 1, H, W] sum of weight * camera-space z (gsplat's "D"); divide by alpha for the expected depth
    means2d: Tensor  # [C, N, 2] pixels
    radii: Tensor  # [C, N, 2] int32 pixels; 0 where a Gaussian is not drawn


@runtime_checkable
class Rasterizer(Protocol):
    """`render(splats, views, background, absgrad=...)`: pure, batched over cameras.

    Gradients reach means, quats, scales, opacities, colors and viewmats.
    """

    def __call__(
        self, splats: Splats, views: Views, background: Tensor | None = None, *, absgrad: bool = False
    ) -> Rendering:
        """Draw `splats` from `views` over `background` ([3] or [C, 3], default black)."""
        ...
