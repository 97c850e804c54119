"""Slows down who guesses passwords, and nobody else.

It counts by the one who tries, and by the name: the network that it comes from, or the browser, if
somebody has logged in with it by this name before. So nobody can lock somebody else out, from
whatever addresses: at worst their browsers that have not been here before, where both come from one
network. How many guesses can be made from many networks is limited by what it takes to check one.
"""

from __future__ import annotations

import ipaddress
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from pycurrent.engine import Clock
from pycurrent.web.auth.errors import TooManyAttempts

FREE = 5
"""Failures that cost nothing."""

LONGEST = timedelta(minutes=5)
"""The wait after which no failure makes it longer."""

FORGOTTEN = timedelta(minutes=30)
"""How long after the last failure it is as if there had been none."""

AT_ONCE = 4
"""How many passwords of one source are checked at once: others get their turn."""

KEPT = 100_000
"""How many sources and names are remembered: the ones that tried last."""

_LONGEST_ADDRESS = 64
_NETWORK = 64
"""How many bits of an address (IPv6) are those of a network, in which one has them all."""


@dataclass(frozen=True, slots=True)
class _Failures:
    count: int
    last: float

    @property
    def wait(self) -> timedelta:
        """After the last one: a second, and twice as long each time."""
        if self.count < FREE:
            return timedelta(0)
        return min(timedelta(seconds=2 ** min(self.count - FREE, 20)), LONGEST)


class Throttle:
    """Counts failures by the one who tries, and by the name that they try.

    An attempt counts as a failure from its start: many at once gain nothing. Kept in memory, and
    only for the last hundred thousand.
    """

    def __init__(self, clock: Clock, *, kept: int = KEPT) -> None:
        """Remember the last `kept` sources and names."""
        self._clock = clock
        self._kept = kept
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()
        self._checking: Counter[str] = Counter()

    @contextmanager
    def attempt(self, source: str, name: str) -> Iterator[None]:
        """Somebody tries to be `name`, within the block. Raises `TooManyAttempts` if they have to
        wait; that counts nothing.
        """
        key, now = (source, name), self._clock.monotonic()
        known = self._known(key, now)
        if known is not None:
            wait = known.wait - timedelta(seconds=now - known.last)
            if wait > timedelta(0):
                raise TooManyAttempts(wait)
        if self._checking[source] >= AT_ONCE:
            raise TooManyAttempts(timedelta(seconds=1))
        self._failures[key] = _Failures(1 if known is None else known.count + 1, now)
        self._failures.move_to_end(key)
        if len(self._failures) > self._kept:
            self._failures.popitem(last=False)
        self._checking[source] += 1
        try:
            yield
        finally:
            self._checking[source] -= 1
            if not self._checking[source]:
                del self._checking[source]

    def succeeded(self, source: str, name: str) -> None:
        """They were who they said they are."""
        self._failures.pop((source, name), None)

    def _known(self, key: tuple[str, str], now: float) -> _Failures | None:
        known = self._failures.get(key)
        return None if known is None or now - known.last > FORGOTTEN.total_seconds() else known


def network_of(address: str) -> str:
    """From where somebody comes: their address, or the network in which one can have any."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        # A proxy has said so.
        return address[:_LONGEST_ADDRESS]
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found.packed, _NETWORK), strict=False))
