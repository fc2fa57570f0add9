"""LPIPS, the perceptual distance of R. Zhang et al. (CVPR 2018, arXiv 1801.03924), from weights the user has.

The weights are not shipped: those of the trunks are ImageNet classifiers'. `Lpips.load` reads the state dict of the
authors' package (`lpips.LPIPS(net=...)`, version 0.1), saved as safetensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from fourreal.core.errors import FileFormatError

_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of inputs in [-1, 1], the authors' ScalingLayer
_EPS = 1e-10  # the authors' normalize_tensor


class _Layer(NamedTuple):
    """A convolution followed by ReLU, after an optional max pooling; `tap`: its output is compared."""

    slice: int
    number: int  # in the trunk's `features`
    shape: tuple[int, int, int]  # out, in, kernel
    stride: int = 1
    padding: int = 1
    pool: int = 0  # kernel of the pooling before, stride 2
    tap: bool = True


_ALEX = (
    _Layer(1, 0, (64, 3, 11), 4, 2),
    _Layer(2, 3, (192, 64, 5), 1, 2, 3),
    _Layer(3, 6, (384, 192, 3), pool=3),
    _Layer(4, 8, (256, 384, 3)),
    _Layer(5, 10, (256, 256, 3)),
)
_VGG = (
    _Layer(1, 0, (64, 3, 3), tap=False),
    _Layer(1, 2, (64, 64, 3)),
    _Layer(2, 5, (128, 64, 3), pool=2, tap=False),
    _Layer(2, 7, (128, 128, 3)),
    _Layer(3, 10, (256, 128, 3), pool=2, tap=False),
    _Layer(3, 12, (256, 256, 3), tap=False),
    _Layer(3, 14, (256, 256, 3)),
    _Layer(4, 17, (512, 256, 3), pool=2, tap=False),
    _Layer(4, 19, (512, 512, 3), tap=False),
    _Layer(4, 21, (512, 512, 3)),
    _Layer(5, 24, (512, 512, 3), pool=2, tap=False),
    _Layer(5, 26, (512, 512, 3), tap=False),
    _Layer(5, 28, (512, 512, 3)),
)
_TRUNKS = {"alex": _ALEX, "vgg": _VGG}


class Lpips:
    """The distance of pictures in [0, 1]; 0 is alike, about 0.7 is unlike.

    Attributes:
        trunk: "alex" or "vgg", as the weights say.
    """

    def __init__(self, weights: Mapping[str, Tensor], where: str = "the weights") -> None:
        """From the state dict of the authors' module. Raises `FileFormatError` naming the tensor that is amiss."""
        self.trunk = "vgg" if "net.slice1.2.weight" in weights else "alex"
        self._layers = _TRUNKS[self.trunk]
        self._weights = {k: v.float() for k, v in weights.items()}
        wanted: dict[str, tuple[int, ...]] = {}
        for layer in self._layers:
            out, given, kernel = layer.shape
            wanted[f"net.slice{layer.slice}.{layer.number}.weight"] = (out, given, kernel, kernel)
            wanted[f"net.slice{layer.slice}.{layer.number}.bias"] = (out,)
            if layer.tap:
                wanted[f"lin{layer.slice - 1}.model.1.weight"] = (1, out, 1, 1)
        for name, shape in wanted.items():
            found = tuple(weights[name].shape) if name in weights else None
            if found != shape:
                words = "nothing" if found is None else f"a tensor {list(found)}"
                raise FileFormatError(
                    f"{where}: LPIPS ({self.trunk}) needs {name} {list(shape)}, got {words}; wanted the state dict of "
                    "lpips.LPIPS(net='alex') or (net='vgg')"
                )

    @classmethod
    def load(cls, path: Path | str) -> Lpips:
        """From a safetensors file. Raises `FileFormatError` if it is missing, damaged or holds something else."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        if not Path(path).is_file():
            raise FileFormatError(f"{path} does not exist; wanted a safetensors file with the weights of LPIPS")
        try:
            return cls(load_file(path), str(path))
        except SafetensorError as error:
            raise FileFormatError(f"{path} is damaged or not a safetensors file: {error}") from None

    @torch.no_grad()
    def __call__(self, image: Float[Tensor, "B 3 H W"], truth: Float[Tensor, "B 3 H W"]) -> Float[Tensor, " B"]:
        """The distance of each picture; at least 32 x 32 pixels, on the CPU."""
        total = image.new_zeros(len(image))
        for i, (a, b) in enumerate(zip(self._features(image), self._features(truth), strict=True)):
            weight = self._weights[f"lin{i}.model.1.weight"]
            total = total + F.conv2d((_unit(a) - _unit(b)).square(), weight).mean((1, 2, 3))
        return total

    def _features(self, images: Tensor) -> list[Tensor]:
        shift, scale = (images.new_tensor(v)[:, None, None] for v in (_SHIFT, _SCALE))
        x, taps = (2 * images - 1 - shift) / scale, []
        for layer in self._layers:
            if layer.pool:
                x = F.max_pool2d(x, layer.pool, 2)
            name = f"net.slice{layer.slice}.{layer.number}"
            x = F.conv2d(x, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"], layer.stride, layer.padding)
            x = x.relu()
            taps += [x] if layer.tap else []
        return taps


def _unit(x: Tensor) -> Tensor:
    """Feature vectors of length 1."""
    return x / (x.square().sum(1, keepdim=True).sqrt() + _EPS)
