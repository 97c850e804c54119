"""Inputs that can be held at a value that they have had, and such values."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, TypeVar

from msgspec import Struct

from pycurrent.engine.value_codec import ValueCodec
from pycurrent.store import OverrideRecord
from pycurrent.term import Hold, Metadata, Output, Subscription

T_co = TypeVar("T_co", covariant=True)

LOOKED_AT = 1000
"""How many of the newest recorded values can be found by a text."""


class RecordedValue(Struct, frozen=True):
    """A value that an input has had, and at which a stage can be held."""

    text: str
    """The value (JSON)."""
    shown: str
    """The value for people, shortened."""
    at: datetime | None
    """When it came; None if that is not recorded."""
    change: int | None = None
    """The number of the change by which it came."""
    job: str | None = None
    """The job whose result it is, if an operation gave it."""

    @property
    def names(self) -> tuple[str, ...]:
        """The texts by which people know it: as it is shown, as JSON, and the texts in it, such as
        the hash of a commit.
        """
        return self.shown, self.text, *_texts_in(json.loads(self.text))


class Pin(Struct, frozen=True):
    """The value at which a stage is held."""

    path: str
    """The present path of the stage, or that at which it was pinned, if there is no such stage."""
    value: str
    """The value for people, shortened."""
    by: str | None
    """The person who has pinned it; None if code has, and did not say for whom."""
    at: datetime
    reason: str | None
    until: datetime | None
    """When it ends by itself; None: never."""
    job: str | None
    """The job whose result the value is, if an operation gave it."""
    output: Output[Any] | None = None
    """The output that the stage has; None while there is no such stage."""
    alike: tuple[str, ...] = ()
    """The paths of the stages that look like it, while there is no such stage."""

    @classmethod
    def of(cls, record: OverrideRecord, output: Output[Any] | None = None) -> Pin:
        return cls(
            path=record.subject,
            value=record.shown or record.value or "",
            by=record.by,
            at=record.at,
            reason=record.reason,
            until=record.until,
            job=record.job,
            output=output,
        )

    def __str__(self) -> str:
        by = "" if self.by is None else f" by {self.by}"
        until = "" if self.until is None else f" until {self.until:%Y-%m-%d %H:%M:%S} UTC"
        why = "" if self.reason is None else f": {self.reason}"
        return f"pinned at {self.value}{by}{until}{why}"


class Pinnable(Subscription[T_co]):
    """The use of an input by one stage, which can be held at a value. It tells `Pins` when it
    begins and when it is closed.
    """

    pin: Pin | None
    changed: Callable[[], None]
    """Has the stage read it again in the next step."""

    @property
    def is_held(self) -> bool:
        return self.pin is not None

    def held(self) -> tuple[Output[Any], Metadata | None] | None:
        """The output that the stage is given because it is pinned; None if it is not."""
        pin = self.pin
        if pin is None:
            return None
        assert pin.output is not None
        return pin.output, Metadata(pin.job, note=str(pin), hold=Hold.PINNED)

    @property
    @abstractmethod
    def codec(self) -> ValueCodec | None:
        """Reads values back; None if that can't be done."""

    @abstractmethod
    def present(self) -> tuple[Output[Any], str | None]:
        """The output that it would have without a pin, and the job that has made it, if one has."""

    @abstractmethod
    def recorded(self) -> Iterator[RecordedValue]:
        """The values that are recorded, the newest first, each as often as it came. Their `shown`
        is short, or JSON.
        """

    def made_by(self, job: str) -> RecordedValue | None:
        """The value that a job has made; None if it has made none of this input."""
        return None

    @abstractmethod
    def pin_changed(self) -> None:
        """It was pinned, at another value perhaps, or is not any more."""


def _texts_in(tree: object) -> Iterator[str]:
    """The texts within JSON, but for the names of fields."""
    match tree:
        case str():
            yield tree
        case list():
            for part in tree:
                yield from _texts_in(part)
        case dict():
            for part in tree.values():
                yield from _texts_in(part)
