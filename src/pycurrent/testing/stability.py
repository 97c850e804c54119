"""Rules for stored and shown values, which are checked without running anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pycurrent.cache import AnyOperation, Codec, OperationType
from pycurrent.errors import PycurrentError, UsageError
from pycurrent.testing.rules import STORABLE, Case, broken, codec_of


def check_types(work: AnyOperation) -> OperationType:
    """Check that the operation has an id, and types that can be stored."""
    try:
        return OperationType(type(work))
    except UsageError as error:
        broken(work, "it has an id, and types that can be stored", str(error), STORABLE)


def check_texts(work: AnyOperation, cases: Sequence[Case]) -> None:
    """Check that keys and values can be stored, and that different keys differ."""
    key_type, value_type, _ = work.types()
    keys = codec_of(work, key_type, "key")
    texts: dict[str, Any] = {}
    for case in cases:
        text = check_round_trip(work, keys, case.key, "key")
        if texts.setdefault(text, case.key) != case.key:
            broken(
                work,
                "different keys have different texts",
                f"{texts[text]!r} and {case.key!r} are both stored as {text}",
                "Store everything that distinguishes two keys.",
            )
        if value_type is not None:
            values = codec_of(work, value_type, "value")
            check_round_trip(work, values, case.value, "value")


def check_round_trip(work: AnyOperation, codec: Codec[Any], value: Any, what: str) -> str:
    """Check that a value can be stored, and reads back equal; return its text."""
    try:
        text, again = codec.encode(value), codec.encode(value)
    except Exception as error:
        broken(work, f"its {what} can be stored", _said(error), STORABLE)
    if text != again:
        broken(
            work,
            f"its {what} has the same text each time",
            f"it was {text} and then {again}",
            "`to_json` must depend on nothing but the fields.",
        )
    try:
        back = codec.decode(text)
    except Exception as error:
        mend = "`from_json` must take what `to_json` gives."
        broken(work, f"its {what} can be read back", _said(error), mend)
    if back != value:
        broken(
            work,
            f"its {what} is equal after having been stored",
            f"{value!r} is {back!r} afterwards",
            "Compare by what is stored (a frozen dataclass does), and store what is compared.",
        )
    return text


def check_title(work: AnyOperation, case: Case) -> None:
    """Check that the description is one line, and stays the same."""
    rule = "the description is a line"
    mend = "`describe` is what people see in a list of jobs: a short line for each key."
    try:
        title, again = (work.title(case.key, case.value) for _ in range(2))
    except Exception as error:
        broken(work, rule, f"`describe` raises {_said(error)}", mend)
    if not isinstance(title, str) or not title.strip():
        broken(work, rule, f"for {case.key!r} it is {title!r}", mend)
    if title.splitlines() != [title]:
        broken(work, rule, f"it has line breaks: {title!r}", mend)
    if title != again:
        broken(work, rule, f"it is {title!r}, and the next time {again!r}", mend)


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, PycurrentError) else f"{type(error).__name__}: {error}"
