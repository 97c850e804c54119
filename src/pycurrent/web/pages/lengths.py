"""For how long something holds that people set on a page."""

from __future__ import annotations

from datetime import datetime, timedelta

from pycurrent.engine import Clock
from pycurrent.errors import UsageError
from pycurrent.web.forms import FormFields

_FIELD = "length"
_LENGTHS = {
    "1h": ("for an hour", timedelta(hours=1)),
    "8h": ("for 8 hours", timedelta(hours=8)),
    "1d": ("for a day", timedelta(days=1)),
    "7d": ("for a week", timedelta(days=7)),
}


def lengths(forever: str) -> dict[str, str]:
    """The choices, by the text that a form sends: `forever` is the first, which has no end."""
    return {"": forever, **{key: text for key, (text, _) in _LENGTHS.items()}}


def chosen_end(form: FormFields, clock: Clock) -> datetime | None:
    """The end of what was chosen to begin now; None if it has none. Raises `UsageError`."""
    key = form.text(_FIELD)
    if not key:
        return None
    if key not in _LENGTHS:
        raise UsageError(f"{_FIELD} is one of {', '.join(_LENGTHS)}, or empty, not {key!r}")
    _, length = _LENGTHS[key]
    return clock.now() + length
