"""The jobs of which nothing is removed while their records stay: they are needed.

That is the last result of each key that is wanted, the results at which stages are held, those that
wait to be retired, and what jobs that have not ended name in their keys and values.

The engine knows the wanted keys, and records them at its end. Beside an engine, or after one was
killed, another process goes by the last use of each stage: that also keeps the jobs of stages that
are gone. Jobs that are used or begun meanwhile are looked at again before each removal.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Collection, Mapping

from pycurrent.store.records import Row

Wanted = Callable[[str, str], bool]
"""True if the key with this operation and digest is wanted now. May be called in any thread."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


class Needs:
    """The needs that one run respects. Made after it has removed jobs, whose numbers come again."""

    def __init__(
        self, connection: sqlite3.Connection, queries: Mapping[str, str], wanted: Wanted | None
    ) -> None:
        """Without `wanted`, the uses of jobs by stages tell."""
        self._connection = connection
        self._queries = queries
        self._wanted = wanted
        self._keys: set[tuple[str, str]] = set()
        self._in_use: set[str] = set()
        """The digests that unended jobs name."""
        self._last_job = -1
        self._last_use = -1
        if wanted is None:
            ((self._last_use,),) = self._read("newest_use", ())
            self._keys.update((op, digest) for op, digest in self._read("used_keys", ()))

    def _look_again(self) -> None:
        for seq, *texts in self._read("unended_keys", (self._last_job,)):
            self._last_job = max(self._last_job, seq)
            for text in texts:
                self._in_use.update(_DIGEST.findall(text or ""))
        if self._wanted is None:
            for use, op, digest in self._read("keys_used_since", (self._last_use,)):
                self._last_use = max(self._last_use, use)
                self._keys.add((op, digest))

    def held(self, jobs: Mapping[int, tuple[str, str]]) -> set[int]:
        """The ended jobs among these that are needed, by their numbers, as of now. `jobs` has
        their operations, and the digests of their keys.
        """
        self._look_again()
        numbers = f"[{','.join(map(str, jobs))}]"
        held = {seq for (seq,) in self._read("held_jobs", (numbers,))}
        for seq, key in jobs.items():
            if self._is_wanted(key) and self._newest_of(key) == seq:
                held.add(seq)
        return held

    def uses(self, digests: Collection[str]) -> bool:
        """True if an unended job names one of these, as of the last call of `held`."""
        return not self._in_use.isdisjoint(digests)

    def _is_wanted(self, key: tuple[str, str]) -> bool:
        return key in self._keys if self._wanted is None else self._wanted(*key)

    def _newest_of(self, key: tuple[str, str]) -> int | None:
        rows = self._read("newest_of_key", key)
        return rows[0][0] if rows else None

    def _read(self, query: str, parameters: tuple[object, ...]) -> list[Row]:
        return self._connection.execute(self._queries[query], parameters).fetchall()
