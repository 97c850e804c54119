"""The work that a durable job does once, whichever engine it goes on with."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from pycurrent.errors import WrongKind

T = TypeVar("T")


async def given_once(path: Path, function: Callable[[], Awaitable[T]], type: type[T]) -> T:
    """Return the result of the function that is kept at a path; call it if none is, and keep that.
    Raises `WrongKind` for what can't be kept.
    """
    with suppress(FileNotFoundError):
        return _decoded(path.read_bytes(), type)
    given = await function()
    try:
        data = _encoded(given)
    except (TypeError, msgspec.MsgspecError) as error:
        raise WrongKind(
            f"job.once keeps what can be JSON: texts, numbers, lists, dataclasses ...: {error}"
        ) from None
    part = path.with_suffix(".part")
    file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "wb") as writing:
        writing.write(data)
    part.rename(path)
    return given


def _encoded(given: object) -> bytes:
    try:
        return msgspec.json.encode(given)
    except UnicodeEncodeError:
        # A name of a file that is not UTF-8: the standard library writes lone surrogates.
        return json.dumps(msgspec.to_builtins(given)).encode("ascii")


def _decoded(data: bytes, type: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=type)
    except msgspec.DecodeError:
        return msgspec.convert(json.loads(data), type)


def type_of(function: Callable[[], Awaitable[T]]) -> type[T]:
    """The type of what a function gives, by its annotation; anything without one."""
    found: Any = Any
    # A name that is known in a function alone.
    with suppress(NameError):
        found = inspect.get_annotations(function, eval_str=True).get("return", Any)
    return cast("type[T]", found)
