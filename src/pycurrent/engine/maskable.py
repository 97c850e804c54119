"""The texts that can be masked in a log."""

from __future__ import annotations

from pycurrent.errors import UsageError

SHORTEST_SECRET = 3
"""In characters. Anything shorter is found by chance all over a log."""


def checked(secret: object) -> str:
    """The secret, if it can be masked. Bytes are taken as the text that they are.

    Raises UsageError, which does not name the secret, if it is of another type or too short.
    """
    if secret is None:
        raise UsageError(
            "the secret is None, which can't be masked: is the variable set from which it comes?"
        )
    if isinstance(secret, bytes | bytearray):
        secret = bytes(secret).decode(errors="surrogateescape")
    if not isinstance(secret, str):
        raise UsageError(f"a secret is a text (or bytes), not {type(secret).__name__}")
    if is_too_short(secret):
        raise UsageError(
            f"a secret of fewer than {SHORTEST_SECRET} characters can't be masked in a log: "
            "give the whole secret, or leave it out if it is empty"
        )
    return secret


def is_too_short(secret: str) -> bool:
    """True if it would be found by chance all over a log."""
    return len(secret) < 4096 and len(secret.strip()) < SHORTEST_SECRET
