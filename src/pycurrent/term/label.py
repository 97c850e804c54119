"""The labels of components."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import repeat
from typing import Any

from msgspec import Struct

from pycurrent.errors import UsageError
from pycurrent.term.given import called
from pycurrent.term.output import describe_exception

UNKNOWN = "…"
"""Stands for a value that is not known yet."""


class UnknownValue:
    """A value that is not known yet, shown as `UNKNOWN`, as is all that can be got from it."""

    def __format__(self, spec: str) -> str:
        return UNKNOWN

    def __str__(self) -> str:
        return UNKNOWN

    __repr__ = __str__

    def __getattr__(self, name: str) -> UnknownValue:
        return self

    def __getitem__(self, index: object) -> UnknownValue:
        return self


def check_label(text: str, names: Collection[str], fn: Callable[..., Any]) -> None:
    """Raise `UsageError` for a label of a function with other parameters than these."""
    try:
        fields = [field for _, field, _, _ in string.Formatter().parse(text) if field is not None]
    except ValueError as error:
        raise UsageError(f"the label {text!r} of {called(fn)} is not a format: {error}") from None
    for field in fields:
        name = re.split(r"[.[]", field, maxsplit=1)[0]
        if name not in names:
            known = ", ".join(f"{{{known}}}" for known in names) or "none, as it has no parameters"
            raise UsageError(
                f"the label {text!r} of {called(fn)} shows {{{name}}}; it can show {known}"
            )


class Label(Struct, frozen=True):
    """A text, or a format with the parameters of the component's function in it.

    A parameter is given a plain value, or (`slots`) that of an input, by its place. No dictionary
    has them: that would be a tenth of the memory of a stage.
    """

    text: str
    names: tuple[str, ...] | None = None
    """The names of the parameters; None: the text is taken as it is."""
    given: tuple[Any, ...] = ()
    """The argument for each of them: a value or a current."""
    slots: tuple[int | None, ...] = ()
    """The place of the input that each of them was given, None for a plain value; empty if none was
    given an input.
    """

    @property
    def places(self) -> list[int]:
        """The places of the inputs whose values it shows."""
        return [slot for slot in self.slots if slot is not None]

    def constants(self) -> Iterator[tuple[str, Any]]:
        """The parameters that were given plain values, with these."""
        slots = self.slots or repeat(None)
        for name, value, slot in zip(self.names or (), self.given, slots, strict=False):
            if slot is None:
                yield name, value

    def show(self, values: Sequence[Any]) -> str:
        """The label with the values of the inputs in it, `UnknownValue()` for those not known."""
        if self.names is None:
            return self.text
        parameters = dict(zip(self.names, self.given, strict=True))
        for name, slot in zip(self.names, self.slots, strict=False):
            if slot is not None:
                parameters[name] = values[slot]
        try:
            return self.text.format_map(parameters)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            # A label is only shown, so nothing fails because of it.
            return f"{self.text} ({describe_exception(error)})"


class NamedLabel(Label, frozen=True, kw_only=True):
    """The label of a component that its author has given a name, to tell it from its twins."""

    name: str
