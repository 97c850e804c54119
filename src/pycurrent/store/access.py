"""The sessions of browsers and the tokens of machines, which let them in to the site, and the
audit of what was asked for on the command line.

Beside the engine's own connection, as the command line makes and revokes tokens while an engine
runs. Each change is written at once. Sessions and tokens are found by the digest of what opens
them; the caller makes the digest, so that what opens them never gets here.
"""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from msgspec import Struct

from pycurrent.store.audit import AuditRecord, append
from pycurrent.store.errors import StateDirError, from_sqlite
from pycurrent.store.queries import load_queries
from pycurrent.store.records import Row, storable, time_text
from pycurrent.store.schema import open_existing, open_for_writing
from pycurrent.store.state_dir import StateDir

# The engine's own transactions are much shorter.
_BUSY_SECONDS = 2.0


class SessionRecord(Struct, frozen=True):
    """A browser that is logged in. Times are aware, in UTC."""

    digest: str
    user_id: str
    user_name: str
    created: datetime
    expires: datetime


class TokenRecord(Struct, frozen=True):
    """A token of a machine. `expires` is None if it never does, `used` if it never was."""

    name: str
    role: str
    created: datetime
    expires: datetime | None
    used: datetime | None


class AccessDatabase:
    """The sessions and tokens in a state directory.

    Belongs to the thread that opened it. All methods raise `StoreError` if the database can't do
    what they ask. Use it as a context manager, or call `close`.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self._queries = load_queries()

    @classmethod
    def open(cls, state: StateDir, *, busy_seconds: float = _BUSY_SECONDS) -> Self:
        """The database of a state directory in which an engine is running, or has been.

        Waits up to `busy_seconds` for the lock of another program. Raises `StateDirError` if the
        database is not there, or of another version.
        """
        return cls(state.database, open_existing(state.database, busy_seconds=busy_seconds))

    @classmethod
    def open_or_make(cls, path: Path) -> Self:
        """The database of the state directory at `path`, which is made or migrated where needed.

        While an engine runs with it, too. Raises `StateDirLocked` if an older engine does.
        """
        try:
            return cls.open(StateDir.read(path))
        except StateDirError:
            # Only the holder of the lock may change the schema; `StateDir` says best what is wrong.
            with StateDir.open(path) as state:
                open_for_writing(state.database, busy_seconds=_BUSY_SECONDS).close()
                return cls.open(state)

    def close(self) -> None:
        """Lets go of the file. Closing twice does nothing."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Sessions

    def add_session(self, session: SessionRecord) -> None:
        """Lets a browser in. Forgets the sessions that are over, by the new one's time."""
        self._run("drop_sessions", (time_text(session.created),))
        self._run(
            "add_session",
            (
                session.digest,
                storable(session.user_id),
                storable(session.user_name),
                time_text(session.created),
                time_text(session.expires),
            ),
        )

    def session(self, digest: str, now: datetime) -> SessionRecord | None:
        """The session with this digest; None if there is none, or it is over."""
        row = self._run("session", (digest, time_text(now))).fetchone()
        return None if row is None else _session(row)

    def extend_session(self, digest: str, expires: datetime) -> None:
        """Moves on the end of a session."""
        self._run("extend_session", (time_text(expires), digest))

    def end_session(self, digest: str) -> bool:
        """Logs a browser out. False if it was not logged in."""
        return self._run("end_session", (digest,)).rowcount > 0

    def end_sessions(self, user_id: str) -> int:
        """Logs somebody out everywhere. Gives how many sessions that were."""
        return self._run("end_sessions", (storable(user_id),)).rowcount

    # Tokens

    def add_token(self, token: TokenRecord, digest: str) -> bool:
        """Lets a machine in. False if there is a token of that name; then nothing changes."""
        expires = None if token.expires is None else time_text(token.expires)
        row = (token.name, digest, token.role, time_text(token.created), expires)
        return self._run("add_token", row).rowcount > 0

    def token(self, digest: str, now: datetime) -> TokenRecord | None:
        """The token with this digest; None if there is none, or it is over."""
        row = self._run("token", (digest, time_text(now))).fetchone()
        return None if row is None else _token(row)

    def tokens(self) -> list[TokenRecord]:
        """All tokens by name, those that are over too."""
        return [_token(row) for row in self._run("tokens", ())]

    def use_token(self, name: str, day: datetime) -> None:
        """Notes the day of the last use."""
        self._run("use_token", (f"{day.astimezone(UTC):%Y-%m-%d}", name))

    def remove_token(self, name: str) -> bool:
        """Revokes a token. False if there is none of that name."""
        return self._run("remove_token", (name,)).rowcount > 0

    # The audit

    def add_audit(self, record: AuditRecord) -> None:
        """Adds an act to the audit."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                append(self._connection, self._queries, [record])
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise from_sqlite(self._path, error) from error

    def _run(self, query: str, parameters: tuple[object, ...]) -> sqlite3.Cursor:
        try:
            return self._connection.execute(self._queries[query], parameters)
        except sqlite3.Error as error:
            raise from_sqlite(self._path, error) from error


def _session(row: Row) -> SessionRecord:
    digest, user_id, user_name, created, expires = row
    return SessionRecord(
        digest,
        user_id,
        user_name,
        datetime.fromisoformat(created),
        datetime.fromisoformat(expires),
    )


def _token(row: Row) -> TokenRecord:
    name, role, created, expires, used = row
    return TokenRecord(
        name,
        role,
        datetime.fromisoformat(created),
        None if expires is None else datetime.fromisoformat(expires),
        None if used is None else datetime.fromisoformat(used).replace(tzinfo=UTC),
    )
