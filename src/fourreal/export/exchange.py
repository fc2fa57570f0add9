"""The scene in formats of others: animated USD through usd-core, .4dgs and glTF of one moment through fourdgs.

All are turned upright (y up, the reference camera looks along -z) with the point looked at in the middle.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from fourreal.core.errors import FourRealError, MissingDependencyError
from fourreal.core.gaussians import Gaussians
from fourreal.core.geometry import matrix_to_quat, quat_multiply, quat_normalize
from fourreal.core.storage import atomic_path
from fourreal.io.ply import SH_C0

from .charts import level_axes
from .lifted import Lifted
from .splats import gaussians_at

Exchange = Literal["4dgs", "usd", "glb"]
SUFFIXES: dict[Exchange, tuple[str, ...]] = {"4dgs": (".4dgs",), "usd": (".usdc", ".usda", ".usd"), "glb": (".glb",)}
_FRAME, _COLORS = "y-up-right-handed", "srgb-rec709-display"
_LONG = 1e4  # seconds: how slowly a Gaussian may fade; the library refuses infinity
_FAINT = 1 / 255  # opacity below which a Gaussian is not drawn


def write_exchange(path: Path, lifted: Lifted, form: Exchange, *, time: float | None = None) -> None:
    """Write one file, atomically.

    Args:
        path: the file; its suffix must fit (`SUFFIXES`).
        lifted: the scene.
        form: "usd" is an animated `ParticleField3DGaussianSplat`, a sample for each frame of the reference clip;
            "4dgs" holds the same as keyframes and differences, positions exact to a fiftieth of the median Gaussian's
            size; "glb" (KHR_gaussian_splatting) holds one moment.
        time: of the moment of a glb, in frames of the reference clip; by default the frozen one.

    Raises:
        MissingDependencyError: if fourdgs or, for USD, usd-core is not installed.
        FourRealError: if the suffix does not fit, or the time lies outside the clip.
    """
    if path.suffix.lower() not in SUFFIXES[form]:
        raise FourRealError(f"{path}: a {form} file ends in {' or '.join(SUFFIXES[form])}")
    moment = float(lifted.instant if time is None else time)
    try:
        with atomic_path(path) as temporary:
            if form == "usd":
                _write_usd(temporary, lifted)
            elif form == "4dgs":
                temporary.write_bytes(_sequence(lifted))
            else:
                _write_glb(temporary, lifted, moment)
    except ImportError as error:
        library = "usd-core" if form == "usd" else "fourdgs"
        raise MissingDependencyError(
            f'{form} files need the library {library}; install it with: pip install "fourreal[formats]"'
        ) from error


def _write_usd(path: Path, lifted: Lifted) -> None:
    """USD: https://openusd.org, schema UsdVol.ParticleField3DGaussianSplat. Colours are spherical harmonics of degree
    0 as 3DGS has them: display-referred, not linear."""
    Gf, Usd, UsdGeom, UsdVol, Vt = (import_module(f"pxr.{name}") for name in ("Gf", "Usd", "UsdGeom", "UsdVol", "Vt"))
    stage = Usd.Stage.CreateInMemory()
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    stage.SetTimeCodesPerSecond(lifted.scene.fps)
    stage.SetStartTimeCode(0)
    stage.SetEndTimeCode(lifted.scene.n_times - 1)
    splat = UsdVol.ParticleField3DGaussianSplat.Define(stage, "/GaussianSplats")
    stage.SetDefaultPrim(splat.GetPrim())
    g = _visible(lifted, 0.0)
    splat.CreateOpacitiesAttr(Vt.FloatArray.FromNumpy(_array(g.opacities)))
    splat.CreateRadianceSphericalHarmonicsDegreeAttr(0)
    splat.CreateRadianceSphericalHarmonicsCoefficientsAttr(Vt.Vec3fArray.FromNumpy(_array((g.colors - 0.5) / SH_C0)))
    for time in range(lifted.scene.n_times):
        g = _visible(lifted, float(time))
        code = Usd.TimeCode(time) if lifted.motion is not None else Usd.TimeCode.Default()
        splat.CreatePositionsAttr().Set(Vt.Vec3fArray.FromNumpy(_array(g.means)), code)
        splat.CreateScalesAttr().Set(Vt.Vec3fArray.FromNumpy(_array(g.scales)), code)
        splat.CreateOrientationsAttr().Set(Vt.QuatfArray.FromNumpy(_array(_xyzw(g))), code)
        reach = 3 * g.scales.amax(1, keepdim=True)
        low, high = (g.means - reach).amin(0).tolist(), (g.means + reach).amax(0).tolist()
        splat.CreateExtentAttr().Set(Vt.Vec3fArray([Gf.Vec3f(*low), Gf.Vec3f(*high)]), code)
    stage.GetRootLayer().Export(str(path))


def _sequence(lifted: Lifted) -> bytes:
    """The whole clip as a .4dgs file of keyframes and differences."""
    from fourdgs.keyframe_delta_file import write_sequence
    from fourdgs.keyframe_delta_writer import Sample

    scene = lifted.scene
    states = [_state(lifted, float(t), t / scene.fps) for t in range(scene.n_times)]
    ids = np.arange(states[0].count)
    samples = [Sample(t / scene.fps, ids, state) for t, state in enumerate(states)]
    return write_sequence(samples, scene.n_times / scene.fps, profile="fine")


def _write_glb(path: Path, lifted: Lifted, time: float) -> None:
    import fourdgs

    state = _state(lifted, time, 0.0)
    fourdgs.to_gltf(str(path), state, 0.0, cutoff=0.05, coordinate_system=_FRAME, color_space=_COLORS)


def _state(lifted: Lifted, time: float, seconds: float) -> Any:
    """A fourdgs `GaussianSet` of the moment `time`, valid for long."""
    import fourdgs

    g = _visible(lifted, time)
    count = len(g)
    return fourdgs.GaussianSet(
        positions=_array(g.means),
        scales=_array(g.scales),
        rotations=_array(_xyzw(g)),
        colors=_array(torch.cat((g.colors, g.opacities[:, None]), 1)),
        motions=np.zeros((count, 3), np.float32),
        mu_t=np.full(count, seconds, np.float32),
        sigma_t=np.full(count, _LONG, np.float32),
        win_lo=np.zeros(count, np.float32),
        win_hi=np.full(count, _LONG, np.float32),
    )


def _visible(lifted: Lifted, time: float) -> Gaussians:
    """What is drawn at `time`, upright."""
    g = gaussians_at(lifted, time)
    keep = lifted.scene.gaussians.opacities >= _FAINT
    g = Gaussians(**{name: values[keep] for name, values in g.tensors().items()})
    right, away = level_axes(lifted)
    turn = torch.stack((right, lifted.up, -away))
    quats = quat_multiply(matrix_to_quat(turn).expand_as(g.quats), g.quats)
    return Gaussians((g.means - lifted.pivot) @ turn.T, quats, g.log_scales, g.logit_opacities, g.colors)


def _xyzw(g: Gaussians) -> Tensor:
    return quat_normalize(g.quats)[:, [1, 2, 3, 0]]


def _array(values: Tensor) -> np.ndarray:
    return np.ascontiguousarray(values.detach().cpu().float().numpy())
