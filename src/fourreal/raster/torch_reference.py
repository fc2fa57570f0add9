"""The reference rasterizer: plain torch, dense, differentiated by autograd, any float dtype. For small sizes only.

Every pixel looks at every Gaussian: memory and time grow with C * N * H * W. It states in the fewest lines what the
fast implementations must compute, including gsplat 1.5.3's thresholds.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ._inputs import VALUE_MAX, backgrounds, check_inputs, drawable, with_cameras
from .base import ALPHA_MAX, ALPHA_MIN, EPS2D, FAR, NEAR, TRANSMITTANCE_MIN, Rendering, Splats, Views


def rotations(quats: Tensor) -> Tensor:
    """Rotation matrices [..., 3, 3] of wxyz quaternions [..., 4] of any norm but zero."""
    w, x, y, z = (quats / quats.norm(dim=-1, keepdim=True)).unbind(-1)
    rows = (
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    )  # fmt: skip
    return torch.stack(rows, -1).unflatten(-1, (3, 3))


def _sanitised(splats: Splats) -> tuple[Splats, Tensor]:
    """[C, N, ...] parameters, those of undrawable Gaussians replaced by harmless constants, and the mask [C, N]."""
    ok = drawable(splats)
    wide = ok[..., None]
    means, quats, scales, opacities, colors = splats
    return Splats(
        torch.where(wide, means, 0.0),
        torch.where(wide, quats, 1.0),
        torch.where(wide, scales, 1.0),
        torch.where(ok, opacities, 0.0),
        torch.where(wide, colors, 0.0),
    ), ok


def _jacobian(camera: Tensor, views: Views) -> Tensor:
    """[C, N, 2, 3] derivative of the pixel by the camera-space mean [C, N, 3] (EWA), its slopes clamped to the image
    and a guard band of 0.15 image sizes on each side (3DGS).
    """
    x, y, z = camera.unbind(-1)
    ks = views.Ks.to(camera)[:, None]
    fx, fy, cx, cy = ks[..., 0, 0], ks[..., 1, 1], ks[..., 0, 2], ks[..., 1, 2]
    guard_x, guard_y = 0.15 * views.width / fx, 0.15 * views.height / fy
    tx = torch.minimum((views.width - cx) / fx + guard_x, torch.maximum(-(cx / fx + guard_x), x / z))
    ty = torch.minimum((views.height - cy) / fy + guard_y, torch.maximum(-(cy / fy + guard_y), y / z))
    zero = torch.zeros_like(z)
    return torch.stack([fx / z, zero, -fx * tx / z, zero, fy / z, -fy * ty / z], -1).unflatten(-1, (2, 3))


def project(splats: Splats, views: Views) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """EWA projection of sanitised [C, N, ...] splats: means2d [C, N, 2] pixels, conics [C, N, 3], depths [C, N] and
    int32 radii [C, N, 2], 0 where a Gaussian is not drawn.
    """
    rotation, shift = views.viewmats[:, None, :3, :3], views.viewmats[:, None, :3, 3]
    camera = (rotation @ splats.means[..., None])[..., 0] + shift
    near = (camera[..., 2] >= NEAR) & (camera[..., 2] <= FAR)
    camera = torch.where(near[..., None], camera, 1.0)
    factor = _jacobian(camera, views) @ rotation @ (rotations(splats.quats) * splats.scales[..., None, :])
    covariance = factor @ factor.mT
    a, b, d = covariance[..., 0, 0] + EPS2D, covariance[..., 0, 1], covariance[..., 1, 1] + EPS2D
    det = a * d - b * b
    regular = near & (det > 0) & (torch.maximum(torch.maximum(a, d), det) <= VALUE_MAX)
    det = torch.where(regular, det, 1.0)
    conics = torch.stack([d / det, -b / det, a / det], -1)
    k = views.Ks.to(camera)[:, None]
    means2d = torch.stack(
        [
            k[..., 0, 0] * camera[..., 0] / camera[..., 2] + k[..., 0, 2],
            k[..., 1, 1] * camera[..., 1] / camera[..., 2] + k[..., 1, 2],
        ],
        -1,
    )
    radii = _radii(means2d, a, d, splats.opacities, views)
    radii = torch.where(regular[..., None], radii, 0)
    drawn = (radii > 0).all(-1)
    means2d = torch.where(drawn[..., None], means2d, 0.0)
    return means2d, conics, camera[..., 2], radii


@torch.no_grad()
def _radii(means2d: Tensor, a: Tensor, d: Tensor, opacities: Tensor, views: Views) -> Tensor:
    """Half sides of the box in which alpha can reach 1/255 (StopThePop, arXiv 2402.00525, B.2)."""
    extent = (2 * (opacities / ALPHA_MIN).clamp(min=1.0).log()).sqrt().clamp(max=3.33)
    radii = (extent[..., None] * torch.stack([a, d], -1).sqrt()).ceil()
    size = means2d.new_tensor([views.width, views.height])
    seen = ((means2d + radii > 0) & (means2d - radii < size)).all(-1) & (radii > 0).all(-1)
    seen = seen & (opacities >= ALPHA_MIN)
    return torch.where(seen[..., None], radii.clamp(max=2.0**30), 0.0).to(torch.int32)


def pixel_offsets(means2d: Tensor, views: Views) -> tuple[Tensor, Tensor]:
    """Distances mean - pixel centre of one camera's Gaussians [N, 2]: dx [N, 1, W] and dy [N, H, 1]."""
    columns = torch.arange(views.width, dtype=means2d.dtype, device=means2d.device) + 0.5
    rows = torch.arange(views.height, dtype=means2d.dtype, device=means2d.device) + 0.5
    return means2d[:, 0, None, None] - columns, means2d[:, 1, None, None] - rows[:, None]


def weights(dx: Tensor, dy: Tensor, conics: Tensor, opacities: Tensor) -> tuple[Tensor, Tensor]:
    """Compositing weights [N, H, W] of depth-ordered Gaussians and the transmittance [H, W] behind them.

    alpha = min(0.999, opacity exp(-sigma)), dropped below 1/255; a pixel stops, exclusively, before its transmittance
    would fall to 1e-4.
    """
    a, b, d = (conics[:, k, None, None] for k in range(3))
    sigma = 0.5 * (a * dx * dx + d * dy * dy) + b * dx * dy
    alpha = (opacities[:, None, None] * torch.exp(-sigma)).clamp(max=ALPHA_MAX)
    alpha = torch.where((sigma >= 0) & (alpha >= ALPHA_MIN), alpha, 0.0)
    after = torch.cumprod(1 - alpha, 0)
    alpha = torch.where(after > TRANSMITTANCE_MIN, alpha, 0.0)
    through = torch.cumprod(torch.cat([alpha.new_ones(1, *alpha.shape[1:]), 1 - alpha]), 0)
    return alpha * through[:-1], through[-1]


def render(
    splats: Splats, views: Views, background: Float[Tensor, "*C 3"] | None = None, *, absgrad: bool = False
) -> Rendering:
    """Draw `splats` into `views`: the contract of `Rasterizer`, in the dtype and on the device of `splats.means`.

    `absgrad` is filled by the definition, one pixel's screen-space gradient after the other summed in absolute value.
    Raises `FieldError` if a shape does not fit.
    """
    cameras, _ = check_inputs(splats, views, background)
    wide = Splats(*(t.expand(cameras, *t.shape[1:]) for t in with_cameras(splats)))
    clean, ok = _sanitised(wide)
    means2d, conics, depths, radii = project(clean, views)
    radii = torch.where(ok[..., None], radii, 0)
    behind = backgrounds(background, cameras, means2d)
    tap = _AbsoluteTap(means2d) if absgrad else None
    images = []
    for c in range(cameras):
        drawn = (radii[c] > 0).all(-1).nonzero()[:, 0]
        order = drawn[torch.argsort(depths[c, drawn].detach(), stable=True)]
        dx, dy = pixel_offsets(means2d[c, order], views)
        if tap is not None:
            dx, dy = tap.watch(c, order, dx, dy, views)
        weight, rest = weights(dx, dy, conics[c, order], clean.opacities[c, order])
        payload = torch.cat([clean.colors[c, order], depths[c, order, None]], -1)
        image = torch.einsum("nhw,nk->khw", weight, payload)
        color = image[:3] + rest * behind[c, :, None, None]
        images.append(torch.cat([color, (1 - rest)[None], image[3:]]))
    stack = torch.stack(images) if images else means2d.new_zeros(0, 5, views.height, views.width)
    return Rendering(stack[:, :3], stack[:, 3:4], stack[:, 4:], means2d, radii)


class _AbsoluteTap:
    """Sums |gradient| of the per-pixel offsets of each Gaussian into `means2d.absgrad`."""

    def __init__(self, means2d: Tensor) -> None:
        self.total = torch.zeros_like(means2d).detach()
        means2d.absgrad = self.total  # pyright: ignore[reportAttributeAccessIssue]

    def watch(self, c: int, order: Tensor, dx: Tensor, dy: Tensor, views: Views) -> tuple[Tensor, Tensor]:
        """Full [N, H, W] copies of dx, dy whose gradients are added up when they arrive."""
        shape = (len(order), views.height, views.width)
        dx, dy = dx.expand(shape).clone(), dy.expand(shape).clone()
        for axis, part in enumerate((dx, dy)):
            if part.requires_grad:
                part.register_hook(lambda g, axis=axis: self._add(c, order, axis, g))
        return dx, dy

    def _add(self, c: int, order: Tensor, axis: int, grad: Tensor) -> None:
        self.total[c, order, axis] += grad.abs().sum((1, 2))
