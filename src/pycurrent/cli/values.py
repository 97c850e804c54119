"""Reads values on the command line, each from one text; a ValueError says what is wrong."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path


def folder_or_file(text: str) -> Path:
    """A path. An empty text comes from a variable that is not set: never the current directory."""
    if not text.strip():
        raise ValueError("it is empty: is the variable set from which it comes?")
    return Path(text)


def whole_number(text: str) -> int:
    """A number without a fraction: 10, -3, 1_000, 0x1f."""
    try:
        return int(text, 0 if text.lstrip("+-")[:2].lower() in {"0x", "0o", "0b"} else 10)
    except ValueError:
        raise ValueError(f"{text!r} is not a whole number.") from None


def seconds(text: str) -> timedelta:
    """A number of seconds, 0 or more: 90, 0.5."""
    try:
        time = timedelta(seconds=float(text))
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a number of seconds.") from None
    if time < timedelta(0):
        raise ValueError(f"{text} seconds are less than none.")
    return time


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DURATION = r"(?:\d+(?:\.\d+)?[smhdw])+"


def duration(text: str) -> timedelta:
    """A time in weeks, days, hours, minutes and seconds: 90d, 12h, 1d12h."""
    if not re.fullmatch(_DURATION, text):
        raise ValueError(f"{text!r} is not a time such as 90d, 12h or 1d12h.")
    parts = re.findall(r"([\d.]+)([smhdw])", text)
    try:
        return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))
    except OverflowError:
        raise ValueError(f"{text} is too long.") from None


def byte_count(text: str) -> int:
    """A number of bytes: 50G, 500M, 1.5 TB."""
    from pycurrent.store.byte_size import byte_size  # few commands have one

    size = byte_size(text)
    if size is None:
        raise ValueError(f"{text!r} is not a size such as 500M or 50G")
    return size


def time_to_come(text: str) -> datetime:
    """A time from now, or a date with or without a time of day, in UTC if no zone is named: 2h,
    2026-11-22, 2026-11-22T08:47.
    """
    try:
        if re.fullmatch(_DURATION, text):
            return datetime.now(UTC) + duration(text)
        time = datetime.fromisoformat(text)
    except OverflowError:
        raise ValueError(f"{text} is too long.") from None
    except ValueError:
        raise ValueError(
            f"{text!r} is not a time such as 2h (from now) or 2026-11-22T08:47."
        ) from None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def point_in_time(text: str) -> datetime:
    """A time ago, or a date with or without a time of day, in UTC if no zone is named: 2h,
    2026-11-22, 2026-11-22T08:47.
    """
    try:
        if re.fullmatch(_DURATION, text):
            return datetime.now(UTC) - duration(text)
        time = datetime.fromisoformat(text)
    except OverflowError:
        # Longer ago than there are dates.
        return datetime.min.replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f"{text!r} is not a time such as 2h (ago) or 2026-11-22T08:47.") from None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)
