"""All props: scenery that stands around, things held while acting, and hats."""

from __future__ import annotations

from ._held import HELD, WORN
from ._scenery import SCENERY
from .prop import Prop

__all__ = ["HELD", "SCENERY", "WORN", "Prop"]
