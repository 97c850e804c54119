"""Finds the value at which a stage is to be held: by itself, a text, a change, or a job."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from msgspec.structs import replace

from pycurrent.engine.pinnable import LOOKED_AT, Pinnable, RecordedValue
from pycurrent.engine.value_codec import text_or_none
from pycurrent.errors import UsageError
from pycurrent.term import Ok, Stage, Subscription, shown, text_of

_NAMED = 5
"""How many recorded values a message names."""
_SHOWN = 100
"""The characters of a value that are shown."""


class PinnableStage:
    """A stage that can be pinned, and the values at which it can be held.

    All methods that choose one raise `UsageError` if there is none.
    """

    def __init__(
        self, path: str, stage: Stage, followed: Subscription[Any], user: Pinnable[Any]
    ) -> None:
        """Raises `UsageError` if values of the input can't be read back."""
        self.path = path
        self.stage = stage
        self.user = user
        self._followed = followed
        if user.codec is None:
            raise UsageError(
                f"{path} can't be pinned, as its values can't be read back: give its Monitor a"
                " type=, or annotate what its `read` returns"
            )
        self._codec = user.codec

    def values(self) -> Iterator[RecordedValue]:
        """The values at which it can be held, the newest first, each once."""
        seen: set[str] = set()
        for value in islice(self.user.recorded(), LOOKED_AT):
            if value.text not in seen:
                seen.add(value.text)
                told = self._told(value.text)
                if told is not None:
                    yield replace(value, shown=told)

    def present(self) -> RecordedValue:
        """The value that it has now, if it is not pinned."""
        output, job = self.user.present()
        if not isinstance(output, Ok):
            raise self._refused("its present value", "it has none")
        text = text_or_none(self._codec, output.value)
        told = None if text is None else self._told(text)
        if text is None or told is None:
            raise self._refused("its present value", "that can't be read back")
        return RecordedValue(text, told, None, job=job)

    def of_change(self, number: int) -> RecordedValue:
        """The value that came by the change with a number."""
        found = (value for value in self.user.recorded() if value.change == number)
        return self._readable(next(found, None), f"change {number}")

    def of_job(self, job: str) -> RecordedValue:
        """The value that a job has made."""
        return self._readable(self.user.made_by(job), f"job {job}")

    def named(self, to: object) -> RecordedValue:
        """The value that is equal to one, or that a text names."""
        known = [*self.values()]
        found = [value for value in known if self._is(to, value)][:1]
        if not found and isinstance(to, str):
            found = [value for value in known if to in value.names] or [
                value for value in known if any(name.startswith(to) for name in value.names)
            ]
        if len(found) > 1:
            raise UsageError(
                f"{shown(to)} names several values of {self.path}: {_some(found)}: give more of it"
            )
        return self._readable(next(iter(found), None), shown(to))

    def _readable(self, value: RecordedValue | None, named: str) -> RecordedValue:
        """The value that was found, with a text for people."""
        if value is None:
            known = [*self.values()]
            if known:
                raise UsageError(f"{self.path} has had no value {named}: it has had {_some(known)}")
            why = "none of its values is recorded. They are if its Monitor has a name (describe=)"
            raise self._refused(named, why)
        told = self._told(value.text)
        if told is None:
            raise self._refused(named, "that value can't be read back")
        return replace(value, shown=told)

    def _refused(self, named: str, why: str) -> UsageError:
        return UsageError(f"{self.path} can't be pinned at {named}: {why}")

    def _is(self, to: object, value: RecordedValue) -> bool:
        """True if it is this value, as the stage has it or as its input gives it."""
        found = self._codec.decode(value.text)
        output = self._followed.through(Ok(found))
        return _equal(found, to) or (isinstance(output, Ok) and _equal(output.value, to))

    def _told(self, text: str) -> str | None:
        """A value, as the stage has it, for people; None if it can't be read back."""
        try:
            output = self._followed.through(Ok(self._codec.decode(text)))
        except Exception:  # Its type has changed, or a `from_json` of its author fails.
            return None
        told = " ".join(text_of(output.value).split()) if isinstance(output, Ok) else text
        return told if len(told) <= _SHOWN else f"{told[: _SHOWN - 1]}…"


def _equal(one: object, other: object) -> bool:
    try:
        return type(one) is type(other) and bool(one == other)
    except Exception:
        return False  # Of a type whose values can't be compared.


def _some(values: list[RecordedValue]) -> str:
    more = f" and {len(values) - _NAMED} more" if len(values) > _NAMED else ""
    return f"{', '.join(value.shown for value in values[:_NAMED])}{more}"
