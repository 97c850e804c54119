"""Outputs: the state of a current now.

`Failed` and `Active` are also the absences of the incremental core, so that they pass through
a pipeline without being wrapped.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from enum import Enum
from itertools import islice
from pathlib import PurePath
from types import FrameType, TracebackType
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

from msgspec import Struct

from pycurrent.errors import PycurrentError, UsageError, WrongKind
from pycurrent.incr import Absent, Cycle, Duplicate, Unhashable

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Activity(Enum):
    """The work on a value that is not known yet."""

    READY = "ready"
    """It could start, and waits for a resource."""
    RUNNING = "running"
    WAITING_FOR_CONFIRMATION = "waiting for confirmation"

    # A tenth of the time that Enum's takes, for each of 100,000 stages.
    __hash__ = object.__hash__


class Hold(Enum):
    """How people hold a stage. Its note says who does, until when, and why."""

    PINNED = "pinned"
    PAUSED = "paused"


class FailureKind(Enum):
    """The part of the world that failed."""

    REAL = "real"
    """The work itself."""
    INFRA = "infra"
    """Something that the work only uses: the network, a registry, a machine."""
    TIMEOUT = "timeout"
    """It took too long."""
    CANCELLED = "cancelled"
    """Somebody stopped it."""


REAL = FailureKind.REAL


class Failure(PycurrentError):
    """Raise it to make a current fail with exactly this message and kind."""

    def __init__(self, message: str = "", *, kind: FailureKind = REAL) -> None:
        _check_kind(kind)
        super().__init__(message)
        self.kind: FailureKind = kind


def _check_kind(kind: Any) -> None:
    if not isinstance(kind, FailureKind):
        name = kind.upper() if isinstance(kind, str) else ""
        known = name if name in FailureKind.__members__ else "INFRA"
        raise WrongKind(
            f"Failure: kind= takes a FailureKind, not {kind!r}: write FailureKind.{known}"
        )


class Ok(Struct, Generic[T_co], frozen=True):
    """A known value."""

    value: T_co


# The two absences are compared by what they say, subclasses included: the failure of many
# inputs together is put into words only when somebody asks.


class Failed(Absent):
    """The value is missing, and `message` says why. Failures with equal messages are equal.

    `traceback` says where the exception came from, if there was one, and `kind` what failed. They
    are not compared.
    """

    __slots__ = ("_kind", "_message", "traceback")
    __match_args__ = ("message",)
    rank: ClassVar[int] = 3

    _kind: FailureKind
    _message: str
    traceback: str | None

    def __init__(
        self,
        message: str,
        *,
        kind: FailureKind = REAL,
        traceback: str | None = None,
    ) -> None:
        object.__setattr__(self, "_kind", kind)
        object.__setattr__(self, "_message", message)
        object.__setattr__(self, "traceback", traceback)

    @property
    def message(self) -> str:
        """Why there is no value."""
        return self._message

    @property
    def kind(self) -> FailureKind:
        """The part of the world that failed."""
        return self._kind

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Failed):
            return NotImplemented
        return self is other or self.message == other.message

    def __hash__(self) -> int:
        return hash((Failed, self.message))

    def __repr__(self) -> str:
        return f"Failed({self.message!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_failed, (self.message, self.kind, self.traceback))


class UsageFailure(Failed):
    """The pipeline is wrong (a `UsageError`): its author has to fix it.

    It is equal to any failure with the same message, and recorded like one.
    """

    __slots__ = ()


class MuteMark:
    """A mute, as the failures that it is of carry it."""

    __slots__ = ("is_over", "words")

    def __init__(self, words: str) -> None:
        self.words = words
        """By whom it is muted, until when and why, for people."""
        self.is_over = False


class Muted(Failed):
    """A failure that people have muted: what needs no value of its node goes on without it.

    It gives way to any other absence, so that a mute excuses nothing but what it is of. It differs
    from the failure itself, so that nodes pass on that it was muted, or is not any more; functions
    of authors are given the failure itself (see `unmuted`).
    """

    __slots__ = ("failed", "mute")
    rank: ClassVar[int] = 1
    is_excused: ClassVar[bool] = True

    failed: Failed
    mute: MuteMark

    def __init__(self, failed: Failed, mute: MuteMark) -> None:
        object.__setattr__(self, "failed", failed)
        object.__setattr__(self, "mute", mute)

    @property
    def message(self) -> str:
        return self.failed.message

    @property
    def kind(self) -> FailureKind:
        return self.failed.kind

    @property
    def traceback(self) -> str | None:  # type: ignore[override]
        return self.failed.traceback

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Muted):
            return False if isinstance(other, Failed) else NotImplemented
        return self.mute is other.mute and self.failed == other.failed

    def __hash__(self) -> int:
        return hash((Muted, self.message))


def unmuted(output: Output[T]) -> Output[T]:
    """The output without the mark that it is muted: an equal one whether it is or not."""
    return output.failed if isinstance(output, Muted) else output


def _failed(message: str, kind: FailureKind, traceback: str | None) -> Failed:
    """Restore a pickled or copied failure."""
    return Failed(message, kind=kind, traceback=traceback)


class Active(Absent, Struct, frozen=True):
    """The value is not known yet."""

    activity: Activity
    rank: ClassVar[int] = 2

    def __repr__(self) -> str:
        return f"Active({self.activity.name})"


Output: TypeAlias = Ok[T_co] | Failed | Active

READY = Active(Activity.READY)
RUNNING = Active(Activity.RUNNING)

UNEXPLAINED = 'a Failure without a message: write Failure("why")'
"""The beginning of the message of a failure that has none."""
WAITING_FOR_CONFIRMATION = Active(Activity.WAITING_FOR_CONFIRMATION)


def failed_by(error: BaseException) -> Failed:
    """Return the failure for an exception.

    The messages of our own exceptions say everything. Other exceptions may be bugs, so their
    failures have the type and a traceback. An attribute `kind` of one of ours gives the kind. An
    interrupt is raised again, as it has to end the program.
    """
    if isinstance(error, KeyboardInterrupt):
        raise error
    alone = _only(error)
    text = text_of(alone)
    match alone:
        case Failure() if not text:
            place = _place(alone, UNEXPLAINED)
            return Failed(f"{UNEXPLAINED}{place}", kind=_kind_of(alone))
        case Failure() | Duplicate() | Unhashable() | Cycle():
            return Failed(text, kind=_kind_of(alone))
        case UsageError() if text:
            return UsageFailure(f"{text}{_place(alone, text)}")
        case PycurrentError() if text:
            return Failed(text, kind=_kind_of(alone))
        case BaseExceptionGroup():
            kinds = {_kind_of(leaf) for leaf in _leaves(alone)}
            return Failed(
                describe_exception(alone),
                kind=kinds.pop() if len(kinds) == 1 else REAL,
                traceback=relevant_traceback(error),
            )
        case _:
            return Failed(describe_exception(alone), traceback=relevant_traceback(error))


def describe_exception(error: BaseException) -> str:
    """`Type: message`, or just the type of an exception without a message.

    For a group, those of the exceptions in it.
    """
    alone = _only(error)
    if isinstance(alone, BaseExceptionGroup):
        inside = list(dict.fromkeys(_said(leaf) for leaf in _leaves(alone)))
        more = f"; and {len(inside) - MOST} more" if len(inside) > MOST else ""
        return "; ".join(inside[:MOST]) + more
    from pycurrent.term.near_names import meant  # most runs raise nothing

    text = f"{text_of(alone)}{meant(alone)}"
    name = type(alone).__name__
    return f"{name}: {text}" if text else name


MOST = 10
"""The number of exceptions of a group that a message names."""


def _leaves(group: BaseExceptionGroup[Any]) -> Iterator[BaseException]:
    stack: list[BaseException] = [group]
    while stack:
        error = stack.pop()
        if isinstance(error, BaseExceptionGroup):
            stack.extend(reversed(error.exceptions))
        else:
            yield error


def _only(error: BaseException) -> BaseException:
    """Return the only exception of a group, or the group if it has several."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    first, *others = _leaves(error)
    return error if others else first


def _kind_of(error: BaseException) -> FailureKind:
    try:
        kind = getattr(error, "kind", None) if isinstance(error, PycurrentError) else None
    except KeyboardInterrupt:
        raise
    except BaseException:  # It is a property of an author's class.
        return REAL
    return kind if isinstance(kind, FailureKind) else REAL


def _said(error: BaseException) -> str:
    """The message of an exception as if it were alone in its group."""
    ours = isinstance(error, PycurrentError)
    return (text_of(error) if ours else "") or describe_exception(error)


def text_of(value: object) -> str:
    """Return `str(value)`, also if that raises."""
    try:
        return str(value)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return f"<{type(value).__name__} without a text: {type(error).__name__}>"


def located(error: BaseException) -> str:
    """`Type: message (ci.py:12)`: an exception, and the author's line that has raised it."""
    text = describe_exception(error)
    return f"{text}{_place(_only(error), text)}"


def _place(error: BaseException, text: str) -> str:
    """The place in the author's code that raised our exception: ` (pipeline.py:12)`, or empty, also
    if its text names that place.
    """
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        if not _is_ours(frame) and not _is_of_python(frame):
            place = f"{PurePath(frame.f_code.co_filename).name}:{line}"
    return f" ({place})" if place and place not in text else ""


def relevant_traceback(error: BaseException) -> str | None:
    """The traceback without the frames of this package at its top; None if nothing is left."""
    frames = error.__traceback__
    while frames is not None and _is_ours(frames.tb_frame):
        frames = frames.tb_next
    if frames is None:
        return None
    try:
        return "".join(traceback.format_exception(type(error), error, frames, limit=20))
    except KeyboardInterrupt:
        raise
    except BaseException:
        # Python reads attributes of the exception, and parses lines of the source.
        return _bare_traceback(error, frames)


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).startswith("pycurrent.")


def _is_of_python(frame: FrameType) -> bool:
    name, _, _ = str(frame.f_globals.get("__name__", "")).partition(".")
    return name != "__main__" and name in sys.stdlib_module_names


def _bare_traceback(error: BaseException, frames: TracebackType) -> str:
    """The places and the message alone, which nothing can spoil."""
    places = [
        f'  File "{frame.f_code.co_filename}", line {line}, in {frame.f_code.co_name}\n'
        for frame, line in islice(traceback.walk_tb(frames), 20)
    ]
    header = "Traceback (most recent call last):\n"
    return f"{header}{''.join(places)}{type(error).__name__}: {text_of(error)}\n"
