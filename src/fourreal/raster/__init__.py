"""Differentiable rasterizers of 3D Gaussians: one pure function, three implementations."""
