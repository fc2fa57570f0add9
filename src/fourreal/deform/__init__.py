"""Deformation fields: where each Gaussian goes at a time, or in a frame; nothing here knows cameras or images."""

from .base import DeformConfig, DeformField, Offsets
from .mlp import MlpConfig
from .nodes import NodeConfig
from .space import Space
from .storage import load_field, save_field

__all__ = [
    "DeformConfig",
    "DeformField",
    "MlpConfig",
    "NodeConfig",
    "Offsets",
    "Space",
    "load_field",
    "save_field",
]
