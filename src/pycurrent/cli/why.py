"""`pycurrent why`: why a job was run, and what the changes of some time have started."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter
from msgspec import json

from pycurrent.cli.option import DEFAULT_STATE_DIR
from pycurrent.cli.options import DurationOption, StateDirOption
from pycurrent.errors import UsageError
from pycurrent.service import Records


def why(
    subject: Annotated[
        str | None,
        Parameter(
            help="A job: its id, the beginning or the end of it, or `last`; or the path of a stage."
        ),
    ] = None,
    /,
    *,
    last: Annotated[
        DurationOption | None,
        Parameter(help="List what the changes of the last 2h, 7d, 4w ... have started."),
    ] = None,
    change: Annotated[
        int | None, Parameter(help="The jobs that follow from the change with this number.")
    ] = None,
    as_json: Annotated[
        bool, Parameter(name="--json", negative="", help="Print an object in JSON.")
    ] = False,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> None:
    """Say why a job was run: its cause, what differs from the last one, and the changes behind it.

    It reads the records. `pycurrent client why` also says what a stage waits for at the moment.
    """
    if [subject, last, change].count(None) != 2:
        raise UsageError("why takes one of: a job or a stage, --last TIME, --change NUMBER")
    with Records.open(state_dir) as records:
        answer: object
        if last is not None:
            try:
                since = datetime.now(UTC) - last
            except OverflowError:
                since = datetime.min.replace(year=1000, tzinfo=UTC)
            answer = records.recent(since)
        elif change is not None:
            answer = records.followed(change)
        else:
            assert subject is not None
            answer = records.why(subject)
    text = json.format(json.encode(answer)).decode() if as_json else str(answer)
    sys.stdout.write(f"{text}\n")
