"""Settings of a run as frozen dataclasses, to and from JSON, and changed by name."""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from fourreal.core.errors import FourRealError

T = TypeVar("T")


class SettingsError(FourRealError, ValueError):
    """A setting that does not exist, or a value that does not fit it."""


def to_json(value: Any) -> Any:
    """A setting as JSON has it: dataclasses as objects, tuples as lists, paths as text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(v) for v in value]
    return str(value) if isinstance(value, Path) else value


def from_json(kind: type[T], data: Any, where: str = "the settings") -> T:
    """The dataclass that `to_json` wrote; fields that are missing take their defaults.

    Raises:
        SettingsError: naming the field, for one that does not exist or a value that does not fit.
    """
    return _read(kind, data, where)


def changed(settings: T, changes: Sequence[str]) -> T:
    """The settings with some replaced, each given as "stage.field=value".

    Values are JSON, or text as it stands. Members of lists are named by their "name" or counted from 0, as in
    "canonical.phases.coarse.steps=100".

    Raises:
        SettingsError: for a name that does not exist (the nearest is offered), or a value that does not fit.
    """
    data = to_json(settings)
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals:
            raise SettingsError(f"--set takes stage.field=value, got {change!r}; for example videos.steps=6")
        _put(data, name.strip(), _value(text.strip()))
    return from_json(type(settings), data, "--set")


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _put(data: Any, name: str, value: Any) -> None:
    *way, last = name.split(".")
    for part in way:
        data = data[_key(data, part, name)]
    data[_key(data, last, name)] = value


def _key(data: Any, part: str, name: str) -> Any:
    """The key or index of `part`."""
    if isinstance(data, list):
        names = [row.get("name") if isinstance(row, dict) else None for row in data]
        if part in names:
            return names.index(part)
        if part.isdecimal() and int(part) < len(data):
            return int(part)
        valid = [n for n in names if n] or [str(i) for i in range(len(data))]
    elif isinstance(data, dict):
        if part in data:
            return part
        valid = list(data)
    else:
        raise SettingsError(f"--set {name}: there is nothing below {part!r}")
    near = difflib.get_close_matches(part, valid, 1)
    hint = f'; did you mean "{near[0]}"?' if near else ""
    raise SettingsError(f"--set {name}: there is no {part!r}, only {', '.join(valid)}{hint}")


def _read(kind: Any, data: Any, where: str) -> Any:
    """`data` as `kind`: a dataclass, union, tuple, mapping, literal, path, number, text or truth value."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _read_union(parts, data, where)
    if origin is Literal:
        if data not in parts:
            raise SettingsError(f"{where} must be one of {', '.join(map(str, parts))}, got {data!r}")
        return data
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(typing.cast("type", kind), data, where)
    if origin is tuple:
        if not isinstance(data, (list, tuple)):
            raise SettingsError(f"{where} must be a list, got {data!r}")
        return tuple(_read(parts[0], v, f"{where}[{i}]") for i, v in enumerate(data))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(data, Mapping):
            raise SettingsError(f"{where} must be an object, got {data!r}")
        return {str(k): _read(parts[1], v, f"{where}.{k}") for k, v in data.items()}
    return _read_plain(kind, data, where)


def _read_union(parts: tuple[Any, ...], data: Any, where: str) -> Any:
    errors = []
    for part in parts:
        if part is type(None):
            if data is None:
                return None
            continue
        try:
            return _read(part, data, where)
        except SettingsError as error:
            errors.append(error)
    raise errors[0]


def _read_dataclass(kind: type, data: Any, where: str) -> Any:
    if not isinstance(data, Mapping):
        raise SettingsError(f"{where} must be an object, got {data!r}")
    hints = get_type_hints(kind)
    names = [f.name for f in dataclasses.fields(kind)]
    for name in data:
        if name not in names:
            raise SettingsError(f"{where}: there is no {name!r}, only {', '.join(names)}")
    try:
        return kind(**{k: _read(hints[k], v, f"{where}.{k}") for k, v in data.items()})
    except TypeError as error:
        raise SettingsError(f"{where}: {error}") from None


def _read_plain(kind: Any, data: Any, where: str) -> Any:
    if kind is Path and isinstance(data, str):
        return Path(data)
    number = isinstance(data, (int, float)) and not isinstance(data, bool)
    if kind is float and number and math.isfinite(data):
        return float(data)
    if kind is int and number and data == int(data):
        return int(data)
    if kind in (bool, str) and isinstance(data, kind):
        return data
    words = {Path: "a path", float: "a number", int: "a whole number", bool: "true or false", str: "text"}
    raise SettingsError(f"{where} must be {words.get(kind, kind)}, got {data!r}")
