"""The messages between a relay and an agent."""

from __future__ import annotations

import pytest

from pycurrent.places.frames import HEAD, LONGEST, Damaged, Kind, Reader, encode


def test_messages_of_a_later_version_are_passed_over() -> None:
    """In whatever pieces they come."""
    sent = encode(Kind.BEGUN) + HEAD.pack(200, 5) + b"later" + encode(Kind.SPOOL, b"printed")
    for at in range(len(sent) + 1):
        reader = Reader()
        found = [*reader.feed(sent[:at]), *reader.feed(sent[at:])]
        assert found == [(Kind.BEGUN, b""), (Kind.SPOOL, b"printed")]


def test_a_message_that_is_too_long_is_refused() -> None:
    """It is something else than a message."""
    with pytest.raises(Damaged, match="too long"):
        list(Reader().feed(HEAD.pack(Kind.SPOOL, LONGEST + 1)))
