"""Rotations, rigid motions, viewing directions, neighbours and alignment.

Quaternions are wxyz. A twist is (rho, phi): translation part first, then the rotation vector in radians.
Every function takes any leading batch dimensions, float32 or float64, and is differentiable unless it says
otherwise. Formulas: J. Sola et al., "A micro Lie theory for state estimation in robotics", arXiv 1812.01537.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .cameras import Cameras
from .errors import FieldError

_SERIES_BELOW = 1e-2  # squared angle under which power series replace closed forms that cancel near zero
_TINY = 1e-8  # the same where the closed form is only undefined at zero
_COLLINEAR = 1e-6  # relative extent (squared) below which centres do not fix a rotation
_DISTANCES = 1 << 27  # found at once: half a gigabyte


def quat_normalize(quats: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 4"]:
    """Unit quaternions of the same sign. Norms below 1e-12 count as 1e-12, so gradients stay finite."""
    return torch.nn.functional.normalize(quats, dim=-1, eps=1e-12)


def quat_multiply(a: Float[Tensor, "*#batch 4"], b: Float[Tensor, "*#batch 4"]) -> Float[Tensor, "*_ 4"]:
    """Hamilton product: R(a b) = R(a) R(b). Norms multiply; batches broadcast."""
    aw, ax, ay, az = a.unbind(-1)
    bw, bx, by, bz = b.unbind(-1)
    return torch.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        dim=-1,
    )


def quat_conjugate(quats: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 4"]:
    """The conjugate: the inverse rotation of a unit quaternion."""
    return torch.cat([quats[..., :1], -quats[..., 1:]], dim=-1)


def quat_to_matrix(quats: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation matrices of quaternions of any non-zero norm (normalised first)."""
    w, x, y, z = quat_normalize(quats).unbind(-1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


def matrix_to_quat(matrices: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 4"]:
    """Unit quaternions with w >= 0 of rotation matrices (orthonormal, determinant +1; not checked).

    The four rows of 4 q q^T are linear in the matrix; the row of the largest component is well conditioned
    (S. W. Shepperd, J. Guidance and Control 1(3), 1978), also half a turn away from the identity.
    """
    m00, m01, m02, m10, m11, m12, m20, m21, m22 = matrices.flatten(-2).unbind(-1)
    entries = [
        1 + m00 + m11 + m22, m21 - m12, m02 - m20, m10 - m01,
        m21 - m12, 1 + m00 - m11 - m22, m01 + m10, m02 + m20,
        m02 - m20, m01 + m10, 1 - m00 + m11 - m22, m12 + m21,
        m10 - m01, m02 + m20, m12 + m21, 1 - m00 - m11 + m22,
    ]  # fmt: skip
    outer = torch.stack(entries, dim=-1).unflatten(-1, (4, 4))
    best = outer.diagonal(dim1=-2, dim2=-1).argmax(dim=-1)[..., None, None]
    row = outer.take_along_dim(best, dim=-2).squeeze(-2)
    quats = quat_normalize(row)
    return torch.where(quats[..., :1] < 0, -quats, quats)


def quat_exp(vectors: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 4"]:
    """Unit quaternions of rotation vectors (axis times angle in radians)."""
    square, angle, small = _angle(vectors, _TINY)
    half = torch.where(small, 0.5 - square / 48, torch.sin(angle / 2) / angle)
    cosine = torch.where(small, 1 - square / 8, torch.cos(angle / 2))
    return torch.cat([cosine, half * vectors], dim=-1)


def quat_log(quats: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3"]:
    """Rotation vectors of length at most pi of unit quaternions; q and -q give the same."""
    quats = torch.where(quats[..., :1] < 0, -quats, quats)
    w, v = quats[..., :1], quats[..., 1:]
    square, sine, small = _angle(v, _TINY)
    safe_w = torch.where(small, w, torch.ones_like(w))
    series = (2 - 2 / 3 * square / safe_w**2) / safe_w
    return torch.where(small, series, 2 * torch.atan2(sine, w) / sine) * v


def slerp(
    a: Float[Tensor, "*#batch 4"], b: Float[Tensor, "*#batch 4"], fraction: float | Float[Tensor, "*#batch"]
) -> Float[Tensor, "*_ 4"]:
    """Unit quaternions `fraction` of the way from a (0) to b (1): shorter arc, constant angular speed."""
    a, b = quat_normalize(a), quat_normalize(b)
    step = quat_log(quat_multiply(quat_conjugate(a), b))
    weight = fraction.unsqueeze(-1) if isinstance(fraction, Tensor) else fraction
    return quat_multiply(a, quat_exp(weight * step))


def se3_exp(twists: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 4 4"]:
    """Rigid motions of twists (rho, phi); gradients are finite everywhere, zero included."""
    rho, phi = twists[..., :3], twists[..., 3:]
    square, angle, small = _angle(phi)
    half_sine = torch.sin(angle / 2) / (angle / 2)
    b = torch.where(small, 0.5 - square / 24 + square**2 / 720 - square**3 / 40320, half_sine**2 / 2)
    c = torch.where(
        small,
        1 / 6 - square / 120 + square**2 / 5040 - square**3 / 362880,
        (angle - torch.sin(angle)) / angle**3,
    )
    turned = torch.linalg.cross(phi, rho, dim=-1)
    shift = rho + b * turned + c * torch.linalg.cross(phi, turned, dim=-1)
    return rigid(quat_to_matrix(quat_exp(phi)), shift)


def se3_log(motions: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 6"]:
    """Twists (rho, phi), |phi| <= pi, of rigid motions: the inverse of `se3_exp` (rotation not checked)."""
    phi = quat_log(matrix_to_quat(motions[..., :3, :3]))
    square, angle, small = _angle(phi)
    series = 1 / 12 + square / 720 + square**2 / 30240 + square**3 / 1209600
    c = torch.where(small, series, (1 - angle / 2 * torch.cos(angle / 2) / torch.sin(angle / 2)) / angle**2)
    shift = motions[..., :3, 3]
    turned = torch.linalg.cross(phi, shift, dim=-1)
    rho = shift - turned / 2 + c * torch.linalg.cross(phi, turned, dim=-1)
    return torch.cat([rho, phi], dim=-1)


def rigid(rotation: Float[Tensor, "*batch 3 3"], shift: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 4 4"]:
    """[R t; 0 1] from a rotation matrix and a translation."""
    top = torch.cat([rotation, shift.unsqueeze(-1)], dim=-1)
    last = torch.cat([top.new_zeros(3), top.new_ones(1)]).expand(*top.shape[:-2], 1, 4)
    return torch.cat([top, last], dim=-2)


def rigid_inverse(motions: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 4 4"]:
    """The inverse of rigid motions, by transposing (exact for a rotation)."""
    rotation = motions[..., :3, :3].transpose(-1, -2)
    return rigid(rotation, -(rotation @ motions[..., :3, 3:]).squeeze(-1))


def _angle(vectors: Tensor, below: float = _SERIES_BELOW) -> tuple[Tensor, Tensor, Tensor]:
    """Squared length, length, and where the square is tiny (length 1 there: unused branches stay finite)."""
    square = (vectors * vectors).sum(-1, keepdim=True)
    small = square < below
    return square, torch.where(small, torch.ones_like(square), square).sqrt(), small


def look_at(
    eyes: Float[Tensor, "*#batch 3"], targets: Float[Tensor, "*#batch 3"], up: Float[Tensor, "*#batch 3"]
) -> Float[Tensor, "*_ 4 4"]:
    """World-to-camera matrices (OpenCV axes) at `eyes`: `targets` centred, `up` upwards in the image.

    `up` is a world direction of any length. Raises `FieldError` if an eye coincides with its target, or if
    `up` is zero or (within about 0.06 degrees) along the viewing direction, where no roll is defined.
    """
    eyes, targets, up = torch.broadcast_tensors(eyes, targets, up)
    gap = targets - eyes
    distance = gap.norm(dim=-1, keepdim=True)
    extent = eyes.abs().amax(-1, keepdim=True) + targets.abs().amax(-1, keepdim=True)
    _refuse(distance <= 1e-6 * extent.clamp_min(1e-6), "an eye coincides with its target", targets)
    length = up.norm(dim=-1, keepdim=True)
    _refuse(length < 1e-12, "`up` is zero; give a world direction such as (0, 0, 1)", up)
    forward = gap / distance
    right = torch.linalg.cross(forward, up / length, dim=-1)
    sine = right.norm(dim=-1, keepdim=True)
    _refuse(sine < 1e-3, "`up` is parallel to the viewing direction; give another `up` or move the eye", up)
    right = right / sine
    down = torch.linalg.cross(forward, right, dim=-1)
    rotation = torch.stack([right, down, forward], dim=-2)
    return rigid(rotation, -(rotation @ eyes.unsqueeze(-1)).squeeze(-1))


def _refuse(bad: Tensor, why: str, values: Tensor) -> None:
    rows = bad.flatten().nonzero().flatten().tolist()
    if rows:
        got = [round(v, 6) for v in values.reshape(-1, 3)[rows[0]].tolist()]
        raise FieldError(f"look_at: {why} (view {rows[0]}: {got}; {len(rows)} of {bad.numel()} affected)")


def knn(
    points: Float[Tensor, "N 3"], k: int, rows: Int[Tensor, " M"] | None = None
) -> tuple[Float[Tensor, "M k"], Int[Tensor, "M k"]]:
    """Distances (ascending, in world units) and indices (int64) of each point's k nearest others.

    Those of all points, or of `rows`. Not differentiable. On the CPU through scipy's k-d tree; on a GPU by all
    distances, some rows at a time, without waiting for the device: a tree on the CPU would be waited for longer. The
    point itself is left out, other points at the same place are not. Raises `FieldError` unless 1 <= k < N.
    """
    count = len(points)
    if not 1 <= k < count:
        raise FieldError(f"knn: k must lie in [1, {count - 1}] for {count} points, got {k}")
    points = points.detach()
    rows = torch.arange(count, device=points.device) if rows is None else rows
    return _knn_by_tree(points, k, rows) if points.device.type == "cpu" else knn_by_distance(points, k, rows)


def _knn_by_tree(points: Tensor, k: int, rows: Tensor) -> tuple[Tensor, Tensor]:
    from scipy.spatial import KDTree

    array = points.double().numpy()
    raw_distances, raw_indices = KDTree(array).query(array[rows.numpy()], k=k + 1, workers=-1)
    distances, indices = torch.from_numpy(raw_distances), torch.from_numpy(raw_indices).long()
    is_self = indices == rows[:, None]
    is_self[~is_self.any(1), -1] = True  # among duplicates the point itself may be cut off: drop the farthest instead
    keep = ~is_self
    return distances[keep].view(len(rows), k).to(points.dtype), indices[keep].view(len(rows), k)


def knn_by_distance(
    points: Float[Tensor, "N 3"], k: int, rows: Int[Tensor, " M"]
) -> tuple[Float[Tensor, "M k"], Int[Tensor, "M k"]]:
    """`knn` on any device, by all distances from `rows`.

    Those are found as |a|^2 - 2 ab + |b|^2, which rounds by 1e-7 of |a|^2: points that far out are as far apart. The
    distances that are returned are found again as lengths.
    """
    found = []
    for part in rows.split(max(1, _DISTANCES // len(points))):
        apart = torch.cdist(points[part], points, compute_mode="use_mm_for_euclid_dist")
        apart.scatter_(1, part[:, None], torch.inf)
        found.append(apart.topk(k, 1, largest=False).indices)
    indices = torch.cat(found) if found else rows.new_zeros(0, k)
    distances, order = (points[indices] - points[rows][:, None]).norm(dim=-1).sort(1)
    return distances, indices.gather(1, order)


class Similarity(NamedTuple):
    """x -> scale * rotation @ x + shift, between two world coordinate systems."""

    scale: Tensor  # [] positive
    rotation: Tensor  # [3, 3]
    shift: Tensor  # [3]

    def apply(self, points: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """The points in the target's coordinates."""
        return self.scale * points @ self.rotation.T + self.shift

    def apply_cameras(self, cameras: Cameras) -> Cameras:
        """The cameras moved with the world: their images of moved points are the same."""
        rotation = cameras.viewmats[:, :3, :3].to(self.rotation) @ self.rotation.T
        shift = self.scale * cameras.viewmats[:, :3, 3].to(self.shift) - rotation @ self.shift
        viewmats = rigid(rotation, shift).to(cameras.viewmats)
        return Cameras(viewmats, cameras.Ks, cameras.width, cameras.height, cameras.moments)


def align_points(source: Float[Tensor, "N 3"], target: Float[Tensor, "N 3"], *, with_scale: bool = True) -> Similarity:
    """The similarity (without scale: rigid motion) that takes `source` to `target` with least squared error.

    S. Umeyama, PAMI 13(4), 1991. Needs at least 3 points that are not on one line; raises `FieldError`
    otherwise. Not differentiable; computed in float64, returned in the dtype of `source`.
    """
    if len(source) < 3:
        raise FieldError(f"align_points: at least 3 pairs are needed, got {len(source)}")
    a, b, mean_a, mean_b = _centred(source, target)
    if _collinear(a) or _collinear(b):
        raise FieldError("align_points: the points lie on one line (or coincide), so the rotation is not determined")
    rotation = _nearest_rotation(b.T @ a)
    return _finish(rotation, a, b, (mean_a, mean_b), with_scale, source)


def align_cameras(source: Cameras, target: Cameras, *, with_scale: bool = True) -> Similarity:
    """The similarity that takes the `source` cameras to the `target` cameras, pair by pair.

    Least squares over the centres (`align_points`); where the centres lie on one line or coincide, the
    rotation is the chordal mean over the orientations instead, and coinciding centres get scale 1. Raises
    `FieldError` if the counts differ or are zero.
    """
    if len(source) != len(target) or len(source) == 0:
        raise FieldError(f"align_cameras: wanted as many cameras on both sides, got {len(source)} and {len(target)}")
    a, b, mean_a, mean_b = _centred(source.positions, target.positions)
    if _collinear(a) or _collinear(b):
        ours, theirs = (c.viewmats[:, :3, :3].detach().double() for c in (source, target))
        rotation = _nearest_rotation((theirs.transpose(1, 2) @ ours).sum(0))
    else:
        rotation = _nearest_rotation(b.T @ a)
    return _finish(rotation, a, b, (mean_a, mean_b), with_scale, source.viewmats)


def _centred(source: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    source, target = source.detach().double(), target.detach().double()
    mean_a, mean_b = source.mean(0), target.mean(0)
    return source - mean_a, target - mean_b, mean_a, mean_b


def _collinear(centred: Tensor) -> bool:
    if len(centred) < 3:
        return True
    spread = torch.linalg.svdvals(centred)
    return bool(spread[1] ** 2 <= _COLLINEAR * spread[0] ** 2) or bool(spread[0] < 1e-12)


def _nearest_rotation(matrix: Tensor) -> Tensor:
    u, _, vt = torch.linalg.svd(matrix)
    sign = torch.ones(3, dtype=matrix.dtype, device=matrix.device)
    sign[2] = torch.sign(torch.linalg.det(u @ vt))  # a reflection fits better at times, but is no rotation
    return u @ (sign[:, None] * vt)


def _finish(
    rotation: Tensor, a: Tensor, b: Tensor, means: tuple[Tensor, Tensor], with_scale: bool, like: Tensor
) -> Similarity:
    power = (a * a).sum()
    fitted = (b * (a @ rotation.T)).sum() / power.clamp_min(1e-300)
    use = with_scale and bool(power > 1e-24) and bool(fitted > 0)
    scale = fitted if use else torch.ones_like(fitted)
    shift = means[1] - scale * rotation @ means[0]
    return Similarity(scale.to(like), rotation.to(like), shift.to(like))
