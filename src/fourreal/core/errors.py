"""Errors meant for people: each names the value, what would be right and, where it helps, what to run next."""

from __future__ import annotations


class FourRealError(Exception):
    """Base of every error that the command line prints as one message, without a traceback."""


class FieldError(FourRealError, ValueError):
    """A dataclass field has the wrong shape, dtype or range."""


class FileFormatError(FourRealError, ValueError):
    """A file cannot be read as what it claims to be."""


class VideoError(FileFormatError):
    """A clip cannot be read or written."""


class MissingDependencyError(FourRealError, ImportError):
    """An optional library is needed; the message says how to install it."""


class DivergenceError(FourRealError, RuntimeError):
    """An optimisation produced NaN or infinite values and could not recover."""
