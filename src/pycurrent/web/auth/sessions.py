"""The sessions of browsers that are logged in."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from pycurrent.engine import Clock
from pycurrent.service.login import User
from pycurrent.store import AccessDatabase, SessionRecord, StoreError
from pycurrent.web.users.keys import digest_of, new_key

IDLE = timedelta(days=7)
"""How long a session lasts that is not used."""

LONGEST = timedelta(days=30)
"""How long any session lasts."""

_EXTEND_AFTER = timedelta(hours=1)
"""How much time of use goes by unnoted: a write on each request would be too many."""


class Sessions:
    """Begins and ends them; see `AccessDatabase` for what is kept."""

    def __init__(self, database: AccessDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def begin(self, user: User) -> str:
        """Begin a session. Returns the key for the cookie."""
        key, now = new_key(), self._clock.now()
        record = SessionRecord(digest_of(key), user.id, user.name, now, now + IDLE)
        self._database.add_session(record)
        return key

    def find(self, key: str) -> User | None:
        """The user of a session; None if it has ended or never was."""
        now = self._clock.now()
        record = self._database.session(digest_of(key), now)
        if record is None:
            return None
        expires = min(now + IDLE, record.created + LONGEST)
        if expires - record.expires > _EXTEND_AFTER:
            # Where that can't be noted now, a later request does it.
            with suppress(StoreError):
                self._database.extend_session(record.digest, expires)
        return User(record.user_id, record.user_name)

    def end(self, key: str) -> None:
        """Log the browser out. Twice is fine."""
        self._database.end_session(digest_of(key))
