"""The changes from outside that an engine takes in, and what follows from which of them.

A change is an input that has another value, an act of somebody, a timer, or the start of the
engine. Each is recorded once. In each step some stages change by themselves, the *roots*: those of
inputs, whose changes begin there, and those of operations whose jobs have ended, which pass on the
changes of the job. A job that is started follows from the changes of the roots that lead to its
stage.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from itertools import islice
from typing import Any, TypeAlias

from msgspec import Struct, json
from msgspec.structs import replace

from pycurrent.engine.audit import Asker
from pycurrent.engine.clock import Clock
from pycurrent.incr import Node, unchanged
from pycurrent.store import ChangeKind, ChangeRecord, Database, InputRecord
from pycurrent.term import Ok, Output, Reading, Stage, form_of, text_of

_log = logging.getLogger(__name__)

Ids = tuple[int, ...]
"""The numbers of changes, the oldest first."""

START: Ids = (0,)
"""Stands for the start of the engine, which is recorded only if something follows from it."""
MOST = 16
"""How many changes of a job are kept."""
_LOOKED_AT = 500
"""How many nodes are looked at to find the changes of a job. Beyond that it gets those of all roots
of the step.
"""
_LONGEST = 65_536
"""The characters of a value, as text, beyond which it can't be read back later."""
_SHOWN = 100
"""The characters of a value that are kept to be shown."""


class Roots:
    """The stages that have changed by themselves in one step, with their changes."""

    def __init__(self, *, is_first: bool = False) -> None:
        self._by_node: dict[Node, Ids] = {}
        self._sets: set[Ids] = set()
        self._otherwise = START if is_first else ()

    def add(self, node: Node, changes: Ids) -> None:
        self._by_node[node] = changes
        self._sets.add(changes)

    def leading_to(self, node: Node) -> Ids:
        """The changes that lead to a node."""
        if not self._sets:
            return self._otherwise
        if len(self._sets) == 1 and not self._otherwise:
            return next(iter(self._sets))
        return self._above(node) or self._otherwise

    def _above(self, node: Node) -> Ids:
        found: set[int] = set()
        seen = {node}
        stack = [node]
        while stack:
            here = stack.pop()
            changes = self._by_node.get(here)
            if changes is not None:
                found.update(changes)
                continue
            above = list(islice(here.inputs(), _LOOKED_AT))
            if here.home is not None and here.home.owner is not None:
                above.append(here.home.owner)
            new = [source for source in above if source not in seen]
            seen.update(new)
            stack += new
            if len(seen) > _LOOKED_AT:
                return _newest(set().union(*self._sets))
        return _newest(found)


def _newest(changes: set[int]) -> Ids:
    """The newest of some changes; the start only if it is alone."""
    return tuple(sorted(changes.difference(START))[-MOST:]) or tuple(changes)


class ChangeText(Struct, frozen=True):
    """More about the change of an input than its values."""

    summary: str | None = None
    """The change in a line; None: both values, shortened."""
    by: str | None = None
    """The person or thing that made it."""
    parts: tuple[str, ...] = ()
    """Its parts, commits for example, each in a line, the newest first."""


Describe: TypeAlias = Callable[[Any, Any], Awaitable[ChangeText | None]]
"""Tells more about a change of an input, from its old value and the new one."""


class Following:
    """A block in which what is done follows from some changes."""

    # Each job has one: a context manager of `contextlib` would take three times as long.
    __slots__ = ("_before", "_changes", "_present")

    def __init__(self, changes: Changes, present: Ids) -> None:
        self._changes = changes
        self._present = present
        self._before: Ids = ()

    def __enter__(self) -> None:
        self._before, self._changes.present = self._changes.present, self._present

    def __exit__(self, *exc_info: object) -> None:
        self._changes.present = self._before


class Changes:
    """The changes of one engine. Belongs to the thread of the event loop."""

    def __init__(self, store: Database, clock: Clock, request_step: Callable[[], None]) -> None:
        self._request_step = request_step
        self._describing: set[asyncio.Task[None]] = set()
        self._store = store
        self._clock = clock
        self.present: Ids = ()
        """The changes that what is done now follows from, beside those of a step's roots."""
        self.roots = Roots()
        """The roots of the step that was taken last, or is being taken."""
        self._start: Ids = ()
        self._timer: tuple[Roots, Ids] | None = None
        # The outputs of the inputs, by their names, and the changes by which they came.
        self._inputs: dict[str, tuple[Output[Any], Ids]] = {}

    def following_from(self, changes: Ids) -> Following:
        """Have what is done in the block follow from these changes."""
        return Following(self, changes)

    # Kinds of changes

    def leading_to(self, roots: Roots, node: Node) -> Ids:
        """The changes that lead to a node in the step with these roots, for a record."""
        changes = roots.leading_to(node)
        return self._started() if changes == START else changes

    def _started(self) -> Ids:
        if not self._start:
            self._start = self._new(ChangeKind.START, summary="the engine was started")
        return self._start

    def of_person(self, by: Asker | str | None, summary: str) -> Ids:
        """Somebody has asked for something; None: code has, and did not say for whom."""
        name = by.name if isinstance(by, Asker) else by
        return self._new(ChangeKind.PERSON, by=name, summary=summary)

    def of_timer(self) -> Ids:
        """Results have expired: one change for all of a step."""
        if self._timer is None or self._timer[0] is not self.roots:
            self._timer = self.roots, self._new(ChangeKind.TIMER, summary="results have expired")
        return self._timer[1]

    def of_end(self, summary: str) -> Ids:
        """Something that somebody has set has ended by itself."""
        return self._new(ChangeKind.TIMER, summary=summary)

    def of_input(self, reading: Reading) -> Ids:
        """The changes by which an input has its present output: its own, or the start if it is
        the value of the last run. None if it has no value.
        """
        if not isinstance(reading.output, Ok):
            return ()
        name = reading.name
        seen = None if name is None else self._inputs.get(name)
        if seen is not None and seen[0] is reading.output:
            return seen[1]
        before, changes = (None, ()) if seen is None else seen
        value = reading.output.value
        # An input that has failed meanwhile, and has its last value again, has not changed.
        if not (isinstance(before, Ok) and reading.by is None and unchanged(before.value, value)):
            changes = self._of_value(reading, value, before)
        if name is not None:
            self._inputs[name] = reading.output, changes
        return changes

    def newest_of(self, reading: Reading) -> int | None:
        """The number of the change by which an input has its output; None if it has not changed
        since the start.
        """
        found = None if reading.name is None else self._inputs.get(reading.name)
        return None if found is None or found[1] in (START, ()) else found[1][-1]

    def of_look(self, name: str, old: Any, new: Any, describe: Describe | None) -> Ids:
        """An operation has looked at something outside, and found another value than before."""
        change = self._of_input(name, _shown(old), new)
        self._tell_more(change, describe, old, new)
        return (change.id,)

    def _of_value(self, reading: Reading, value: Any, old_output: Output[Any] | None) -> Ids:
        name = reading.name
        known = None if name is None else self._store.change_tables.input(name)
        if old_output is None and known is not None and known.digest == _digest(value):
            return START
        old = None if known is None else known.shown
        change = self._of_input(name, old, value, reading)
        if isinstance(old_output, Ok):
            describe = getattr(reading.input, "describe_change", None)
            self._tell_more(change, describe, old_output.value, value)
        return (change.id,)

    def _of_input(
        self, name: str | None, old: str | None, value: Any, reading: Reading | None = None
    ) -> ChangeRecord:
        """Record the value of an input, and that it is another one than that before."""
        shown = _shown(value)
        if name is not None:
            record = InputRecord(name, shown, _digest(value), self._clock.now())
            self._store.change_tables.set_input(record)
        changed = shown if old is None else f"{old} → {shown}"
        by_whom = "" if reading is None else _by_whom(reading)
        return self._new_record(
            ChangeKind.INPUT,
            input=name,
            old=old,
            new=shown,
            by=None if reading is None else reading.by,
            summary=f"{name or 'an input'}: {changed}{by_whom}",
            value=None if name is None or reading is None else _text(reading, value),
        )

    def _tell_more(
        self, change: ChangeRecord, describe: Describe | None, old: Any, new: Any
    ) -> None:
        """Have the change described, if that is possible, and record it."""
        if describe is None:
            return
        work = self._describe(change, describe(old, new))
        task = asyncio.get_running_loop().create_task(work, name=f"describes {change.summary}")
        self._describing.add(task)
        task.add_done_callback(self._describing.discard)

    async def _describe(self, change: ChangeRecord, telling: Awaitable[ChangeText | None]) -> None:
        try:
            text = await telling
        except Exception as error:
            _log.warning("the change %r can't be described: %s", change.summary, error)
            return
        if text is None:
            return
        self._store.change_tables.set(
            replace(
                change,
                by=text.by,
                summary=text.summary or change.summary,
                details=json.encode(text.parts).decode() if text.parts else None,
            )
        )
        self._request_step()

    async def described(self) -> None:
        """Wait until all changes are described."""
        while self._describing:
            await asyncio.wait(self._describing)

    async def aclose(self) -> None:
        """Leave what is not described yet."""
        for task in self._describing:
            task.cancel()
        await self.described()

    def _new(self, kind: ChangeKind, *, summary: str, by: str | None = None) -> Ids:
        return (self._new_record(kind, summary=summary, by=by).id,)

    def _new_record(self, kind: ChangeKind, *, summary: str, **more: str | None) -> ChangeRecord:
        number = self._store.change_tables.new_id()
        record = ChangeRecord(id=number, at=self._clock.now(), kind=kind, summary=summary, **more)
        self._store.change_tables.set(record)
        return record


class StepInputs:
    """The stages that may be the roots of a step, as they were before it."""

    def __init__(self, changes: Changes, woken: Mapping[Node, Ids], *, is_first: bool) -> None:
        """`woken` are the nodes whose sources have changed, with the changes of jobs."""
        self._changes = changes
        changes.roots = self._roots = Roots(is_first=is_first)
        self._before: list[tuple[Stage, object, object]] = []
        self._pinned: list[Stage] = []
        for node, ids in woken.items():
            if ids:
                self._roots.add(node, ids)
                if isinstance(node, Stage) and _is_held(node):
                    self._pinned.append(node)
            elif isinstance(node, Stage) and _is_input(node):
                self._before.append((node, node.value, node.absent))

    def find(self, new: list[Stage]) -> None:
        """Find the inputs that have changed, once the step is computed; `new` are those that it has
        begun to follow.
        """
        changed = [
            stage
            for stage, value, absent in self._before
            if stage.value is not value or stage.absent is not absent or _is_held(stage)
        ]
        for stage in (*changed, *new, *self._pinned):
            if stage.is_alive and stage.subscription is not None and _is_input(stage):
                # Of a stage that is pinned it is recorded, too, and nothing follows from it.
                changes = self._changes.of_input(stage.subscription.reading())
                if not stage.subscription.is_held:
                    self._roots.add(stage, changes)


def _text(reading: Reading, value: object) -> str | None:
    """The text of a value that is kept, so that it can be read back."""
    text = None if reading.text_of is None else reading.text_of(value)
    return None if text is None or len(text) > _LONGEST else text


def _by_whom(reading: Reading) -> str:
    said = "" if reading.by is None else f", by {reading.by}"
    return said if reading.reason is None else f"{said}: {reading.reason}"


def _is_input(stage: Stage) -> bool:
    return stage.subscription is not None and stage.subscription.is_input


def _is_held(stage: Stage) -> bool:
    return stage.subscription is not None and stage.subscription.is_held


def _shown(value: object) -> str:
    text = " ".join(text_of(value).split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _digest(value: object) -> str:
    return sha256(form_of(value).encode(errors="surrogatepass")).hexdigest()[:16]
