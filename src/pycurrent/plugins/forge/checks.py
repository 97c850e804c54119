"""Checks of what an author gives a forge, and texts cut to what a forge takes."""

from __future__ import annotations

from urllib.parse import urlsplit

from pycurrent.engine import Secret
from pycurrent.errors import UsageError


def checked_site(url: str, name: str, example: str) -> str:
    """The address of a forge without a slash at its end. Raises UsageError for another text."""
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment:
        raise UsageError(f"{url!r} is not the address of a {name}: expected {example}")
    return url.rstrip("/")


def check_token(token: Secret | str, site: str) -> None:
    """Raise UsageError for an empty token."""
    if not token:
        raise UsageError(f"the token for {site} is empty: is the secret set?")


def one_line(text: str, most: int) -> str:
    """A text on one line, cut to so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def webhook_text(secret: Secret | str | None) -> str:
    """The secret of webhooks, as it is now; empty if there is none. Raises `SecretMissing`."""
    return secret.read() if isinstance(secret, Secret) else (secret or "")
