"""Words and texts for pages."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import quote, urlsplit

from pycurrent.engine import Level
from pycurrent.view import ForConfirmation, ForResume, InQueue, Wait
from pycurrent.view.formatting import duration

_CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # sequences that set colours and move the cursor (ECMA-48)
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # titles and links
    r"|\x1b[ -/]*[0-~]?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)
"""Control sequences and characters, except tabs and ends of lines."""


def duration_or_dash(time: timedelta | None) -> str:
    """A dash for None."""
    return "\N{EN DASH}" if time is None else duration(time)


def waits(wait: Wait) -> str:
    """The thing that a job waits for, in words."""
    match wait:
        case ForConfirmation(level):
            return f"confirmation (its level is {level})"
        case ForResume():
            return f"{wait.what} to be resumed ({wait.words})"
        case InQueue(pool, None):
            return f"pool {pool}"
        case InQueue(pool, place):
            return f"pool {pool}, place {place} in the queue"


def confirm_text(level: Level | None) -> str:
    """From which level on jobs wait."""
    match level:
        case None:
            return "nothing"
        case Level.HARMLESS:
            return "everything"
        case Level.DANGEROUS:
            return "dangerous"
        case _:
            return f"{level} and above"


def is_web(address: str | None) -> bool:
    """True for an address that a link may lead to: of the web, not of a script."""
    return address is not None and address.startswith(("https://", "http://"))


def tried(attempts: int) -> str:
    """How often work was tried that has failed, in words."""
    return "not tried again" if attempts == 1 else f"tried {attempts} times"


def plain(text: str) -> str:
    """A text without what a terminal would obey."""
    return _CONTROL.sub("", text)


def places_of(path: str) -> list[tuple[str, str]]:
    """The names in the path of a stage, as it writes them, each with the path to it."""
    names = path.split("/")
    return [(name, "/".join(names[:end])) for end, name in enumerate(names, 1)]


def path(text: str) -> str:
    """As a part of an address, with its slashes."""
    return quote(text, safe="/")


def own_path(text: str | None, *, otherwise: str = "/") -> str:
    """An address that a form has brought, if it is a path of this site: nobody is sent elsewhere
    by a link that somebody else has made.
    """
    if not text or not text.startswith("/") or not text.isprintable() or "\\" in text:
        return otherwise
    try:
        parts = urlsplit(text)
    except ValueError:
        return otherwise
    return otherwise if parts.scheme or parts.netloc or text.startswith("//") else text
