"""Score distillation: the one loss, what is done to frames before it, noise levels, and which views it looks at."""

from .augment import Augmentation, augment, draw_augmentation
from .base import Decode, Denoise, Encode, Known
from .noise import annealed_level, level_of, sigma_of
from .sds import N_REF, sds_loss
from .views import camera_path_of, fixed_view_clip, freeze_time_clip, multi_view_clip, perturb

__all__ = [
    "N_REF",
    "Augmentation",
    "Decode",
    "Denoise",
    "Encode",
    "Known",
    "annealed_level",
    "augment",
    "camera_path_of",
    "draw_augmentation",
    "fixed_view_clip",
    "freeze_time_clip",
    "level_of",
    "multi_view_clip",
    "perturb",
    "sds_loss",
    "sigma_of",
]
