"""Passwords, hashed by scrypt with the parameters that OWASP recommends."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from dataclasses import dataclass
from typing import Self

_N = 2**15
_R = 8
_P = 3
_LARGEST_P = 16
_SALT_BYTES = 16
_KEY_BYTES = 32
# Twice the memory that scrypt needs with these parameters: 128 * N * r bytes.
_MEMORY = 2 * 128 * _N * _R

LONGEST = 1024
"""In characters: nothing longer is a password."""


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """The stored hash of a password. Its text is `scrypt$N$r$p$salt$key`."""

    n: int
    r: int
    p: int
    salt: bytes
    key: bytes

    @classmethod
    def of(cls, password: str) -> Self:
        """Hash a password. Takes a tenth of a second, and 32 MiB."""
        salt = os.urandom(_SALT_BYTES)
        return cls(_N, _R, _P, salt, _derive(password, salt, _N, _R, _P, _KEY_BYTES))

    @classmethod
    def nobodys(cls) -> Self:
        """A hash that no password has, to spend as much time on as on a real one."""
        return cls(_N, _R, _P, bytes(_SALT_BYTES), bytes(_KEY_BYTES))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a hash. Raises ValueError if it is malformed, or would need too much memory."""
        kind, n, r, p, salt, key = text.split("$")
        hashed = cls(int(n), int(r), int(p), _from_base64(salt), _from_base64(key))
        if kind != "scrypt" or not hashed._can_be:
            raise ValueError("unknown kind of password hash")
        return hashed

    @property
    def _can_be(self) -> bool:
        """True if scrypt accepts it, in reasonable time. A short key would fit many passwords."""
        return (
            self.n > 1
            and self.n.bit_count() == 1
            and self.r > 0
            and 128 * self.n * self.r <= _MEMORY
            and 0 < self.p <= _LARGEST_P
            and len(self.salt) > 0
            and len(self.key) >= _KEY_BYTES
        )

    def __str__(self) -> str:
        salt, key = (base64.b64encode(data).decode() for data in (self.salt, self.key))
        return f"scrypt${self.n}${self.r}${self.p}${salt}${key}"

    def fits(self, password: str) -> bool:
        """True if the password fits. As slow as `of`: call it in a thread."""
        if len(password) > LONGEST:
            return False
        derived = _derive(password, self.salt, self.n, self.r, self.p, len(self.key))
        return hmac.compare_digest(derived, self.key)


def _derive(password: str, salt: bytes, n: int, r: int, p: int, size: int) -> bytes:
    data = password.encode(errors="surrogatepass")
    return hashlib.scrypt(data, salt=salt, n=n, r=r, p=p, maxmem=_MEMORY, dklen=size)


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
