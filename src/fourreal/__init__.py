"""fourreal: deformable 3D Gaussian scenes from a sentence, or from two clips (4Real, arXiv 2406.07472)."""

__version__ = "0.1.0"
