"""Forms as our pages send them: `application/x-www-form-urlencoded`."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs

from fastapi import Request
from starlette.exceptions import HTTPException

from pycurrent.web.state_key import StateKey

_MOST_FIELDS = 10_000
"""More than what a page offers for selection."""


@dataclass(frozen=True, slots=True)
class FormFields:
    """The fields, each with all its values."""

    fields: dict[str, list[str]]

    def get(self, name: str) -> str | None:
        """The first value of a field; None if it is not there."""
        values = self.fields.get(name)
        return values[0] if values else None

    def text(self, name: str) -> str:
        """The first value, empty if it is not there."""
        return self.get(name) or ""

    def all(self, name: str) -> list[str]:
        """The values of a field: of boxes that are ticked."""
        return self.fields.get(name, [])


_FORM = StateKey[FormFields]("form")


async def read_form(request: Request) -> FormFields:
    """The form in the body of a request. Asking twice is fine. Raises an HTTP error if it is
    none, or has too many fields.
    """
    known = _FORM.find(request.state)
    return known or _FORM.put(request.state, _parse(await request.body()))


def _parse(body: bytes) -> FormFields:
    try:
        fields = parse_qs(
            body.decode("utf-8"),
            keep_blank_values=True,
            errors="replace",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError as error:
        raise HTTPException(400, "the form can't be read") from error
    return FormFields(fields)
