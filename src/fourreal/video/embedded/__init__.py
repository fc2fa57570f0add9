"""The video model that ships with the package: small, pixel space, trained on procedural worlds."""
