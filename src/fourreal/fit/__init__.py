"""Fitting Gaussians to images: one loop, phase tables as data, losses as named functions, stateless densification."""
