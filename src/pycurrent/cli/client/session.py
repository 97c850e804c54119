"""What each command is given: the engine that it is about, and how to tell what it has found."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, TypeAlias

from cyclopts import Parameter

from pycurrent.cli.client.nearby import Nearby
from pycurrent.cli.client.remote import Remote
from pycurrent.cli.output import complain


class Format(Enum):
    """How results are written."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True)
class Session:
    """One call of the client."""

    remote: Remote
    nearby: Nearby
    form: Format

    def say(self, answer: object, lines: Iterable[str]) -> None:
        """Write an answer of the API: as it is, or as these lines."""
        if self.form is Format.JSON:
            lines = [json.dumps(answer, indent=2, ensure_ascii=False)]
        sys.stdout.write("".join([f"{line}\n" for line in lines]))

    def hint(self, text: str) -> None:
        """Tell a person something besides."""
        if self.form is Format.TEXT:
            complain(text)


Given: TypeAlias = Annotated[Session, Parameter(parse=False)]
"""The parameter of a command that is no option."""
