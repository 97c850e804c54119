"""`pycurrent backup`: copies the history to a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pycurrent.cli.option import DEFAULT_STATE_DIR
from pycurrent.cli.options import StateDirOption
from pycurrent.cli.text import size
from pycurrent.store import StateDir
from pycurrent.store.backup import back_up


def backup(
    file: Annotated[Path, Parameter(help="The file to make. There must not be one yet.")],
    /,
    *,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> int:
    """Copy the database with the history to a file, whether or not an engine runs.

    The copy has all records so far. The logs of the jobs are separate files, which any program can
    copy.
    """
    made = back_up(StateDir.read(state_dir).database, file)
    sys.stdout.write(f"backed up to {file} ({size(made)})\n")
    return 0
