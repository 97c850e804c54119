"""`pycurrent explain`: all that explains a job, in one call."""

from __future__ import annotations

import json
import sys
from typing import Annotated

from cyclopts import Parameter

from pycurrent.cli.option import DEFAULT_STATE_DIR
from pycurrent.cli.options import AsJsonOption, StateDirOption
from pycurrent.cli.output import for_terminal
from pycurrent.errors import UsageError
from pycurrent.service import Records


def explain(
    job: Annotated[
        str,
        Parameter(
            help="The job's id, the beginning or the end of it, or `last` for the newest job."
        ),
    ],
    /,
    *,
    as_json: AsJsonOption = False,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> None:
    """Explain a job: why it was run, and how to do the same by hand. If it has failed, also the
    lines of its log that tell why, since when its stages fail, and what fails alike.

    It reads the records, whether or not an engine runs.
    """
    with Records.open(state_dir) as records:
        job_id = records.find_job(job)
        found = records.explain(job_id)
    if found is None:
        raise UsageError(f"there is no record of job {job_id}, only its log")
    text = json.dumps(found.as_builtins(), indent=2) if as_json else str(found)
    if sys.stdout.isatty():
        text = for_terminal(text.encode()).decode()
    sys.stdout.write(f"{text}\n")
