"""The context of each command: the engine, and the output for results."""

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
from pycurrent.cli.output import complain, write_list


class Format(Enum):
    """The format of results."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True)
class Session:
    """One call of the client."""

    remote: Remote
    nearby: Nearby
    form: Format

    def say(self, answer: object, lines: Iterable[str]) -> None:
        """Write an answer of the API: as JSON, or as these lines."""
        if self.form is Format.JSON:
            lines = [json.dumps(answer, indent=2, ensure_ascii=False)]
        sys.stdout.write("".join([f"{line}\n" for line in lines]))

    def list(self, answer: object, lines: Iterable[str], nothing: str) -> None:
        """Write a list; if it is empty, `nothing` tells a person so."""
        if self.form is Format.TEXT:
            write_list(lines, nothing)
        else:
            self.say(answer, ())

    def hint(self, text: str) -> None:
        """Tell a person something else."""
        if self.form is Format.TEXT:
            complain(text)


Given: TypeAlias = Annotated[Session, Parameter(parse=False)]
"""The parameter that commands get besides their options."""
