"""The keys that let browsers and programs in: random texts, of which only digests are kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets

TOKEN_PREFIX = "pyc_"  # noqa: S105 - it is public
"""The beginning of a program's token, by which scanners for leaked secrets find it."""


def new_key() -> str:
    """Make 256 random bits, fit for a cookie, a header and a command line."""
    return secrets.token_urlsafe(32)


def new_token() -> str:
    return TOKEN_PREFIX + new_key()


def digest_of(key: str) -> str:
    """The digest that is stored. A fast one is enough: 256 random bits can't be guessed."""
    return hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()


def form_token(key: str) -> str:
    """The text that a page has to send back to show that it is ours.

    It is made from the cookie, which neither other sites nor our own scripts can read. So it is
    not stored anywhere, and ends with the cookie. It differs each time, so that the compressed size
    of a page tells nothing about it (BREACH).
    """
    mask = secrets.token_bytes(hashlib.sha256().digest_size)
    return mask.hex() + _exclusive_or(_proof(key), mask).hex()


def is_form_token(given: str, key: str) -> bool:
    """True if it fits. Takes equally long for all texts."""
    proof = _proof(key)
    try:
        both = bytes.fromhex(given)
    except ValueError:
        return False
    mask, masked = both[: len(proof)], both[len(proof) :]
    if len(mask) != len(proof) or len(masked) != len(proof):
        return False
    return hmac.compare_digest(_exclusive_or(masked, mask), proof)


def _proof(key: str) -> bytes:
    return hmac.new(key.encode(), b"form", hashlib.sha256).digest()


def _exclusive_or(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
