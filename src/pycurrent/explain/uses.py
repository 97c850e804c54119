"""Records which stages use which jobs, with their labels.

The use of a job that is about to run is recorded with the job. That of a known result can wait:
after a start there may be 100,000 of them, nearly all recorded before. They are looked at in slices
in later turns of the loop, and at the latest when the engine ends. If the process is killed before
that, the next engine finds them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from typing import TypeAlias

from pycurrent.cache import ResultCache, Use
from pycurrent.engine.open_engine import OpenEngine
from pycurrent.store import UseRecord, labels_text
from pycurrent.term import NO_LABELS, StageRef

_AT_ONCE = 100
"""How many uses are looked at in one turn of the loop: some 0.3 ms."""
_PARTS_AT_ONCE = 5
"""How many of these parts are committed together, if they are new: some 3 ms."""

_Noted: TypeAlias = tuple[datetime | None, list[Use]]
"""Some uses, and when their jobs were created; None for those of known results."""


class UseRecorder:
    """A service of the engine. Make it before the first step."""

    def __init__(self, engine: OpenEngine) -> None:
        self._engine = engine
        self._new: deque[_Noted] = deque()
        # Uses that can wait.
        self._later: deque[_Noted] = deque()
        self._is_due = False
        self._uncommitted = 0
        """How many parts of these are not committed yet."""
        self._paths = engine.live.take_in_paths()
        self._has_paths = False
        engine.service(ResultCache).on_use(self._note)
        engine.after_step(self._record_new)
        engine.on_end(self._record_rest)

    def _note(self, use: Use) -> None:
        run = use.instance.run
        if run is None or not self._has_paths:
            _add(use, None if run is None else run.job.created, self._later)
        else:
            _add(use, run.job.created, self._new)
        if self._later and not self._is_due:
            self._is_due = True
            self._engine.loop.call_soon(self._go_on)

    def _record_new(self) -> None:
        new, self._new = self._new, deque()
        for noted in new:
            for use in self._records(noted):
                self._engine.store.add_use(use)

    def _go_on(self) -> None:
        """Do a part of what was put off, and the rest in the next turns of the loop."""
        self._is_due = bool(self._later)
        if self._is_due:
            self._engine.when_step_is_done(self._do_some)

    def _do_some(self) -> None:
        if self._engine.is_closed:
            return
        if not self._has_paths:
            self._has_paths = next(self._paths, _DONE) is _DONE
        else:
            self._uncommitted += self._record_some()
            is_last = self._uncommitted and not self._later
            if is_last or self._uncommitted == _PARTS_AT_ONCE:
                # A step commits without waiting for the disk in the loop.
                self._uncommitted = 0
                self._engine.request_step()
        self._engine.loop.call_soon(self._go_on)

    async def _record_rest(self) -> None:
        for _ in self._paths if self._later else ():
            await asyncio.sleep(0)
        while self._later:
            if sum(self._record_some() for _ in range(_PARTS_AT_ONCE)):
                await self._engine.commits.written()
            await asyncio.sleep(0)
        self._engine.live.forget_paths()

    def _record_some(self) -> bool:
        """Record some of those that were put off. False if all of these are recorded already."""
        if not self._later:
            return False
        noted, store = self._later.popleft(), self._engine.store
        uses = [*self._records(noted)]
        new = store.unrecorded_uses(uses) if noted[0] is None else uses
        for use in new:
            store.add_use(use)
        return bool(new)

    def _records(self, noted: _Noted) -> Iterator[UseRecord]:
        """The records of those uses that have a job, and a stage."""
        created, uses = noted
        since = created or self._engine.clock.now()
        labels, text = NO_LABELS, None
        for use in uses:
            job_id = use.job_id
            if job_id is None or not use.is_open:
                continue
            # Neighbours often have the very same labels.
            if (own := use.stage_labels) is not labels:
                labels, text = own, labels_text(own)
            yield UseRecord(job_id, StageRef.text_of(use.path), text, since)


def _add(use: Use, created: datetime | None, noted: deque[_Noted]) -> None:
    """Note a use: with those before it whose jobs are as old, up to as many as one turn takes."""
    if not noted or noted[-1][0] != created or len(noted[-1][1]) == _AT_ONCE:
        noted.append((created, []))
    noted[-1][1].append(use)


_DONE = object()
