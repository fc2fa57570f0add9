"""The run-time type checker of the tests: beartype, where an int is as good as a float (PEP 484)."""

from __future__ import annotations

from beartype import BeartypeConf, beartype

checker = beartype(conf=BeartypeConf(is_pep484_tower=True))
