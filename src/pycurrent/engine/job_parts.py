"""The parts that a job gets once its work begins: thousands may wait that have none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from pycurrent.engine.commands import Commands
    from pycurrent.engine.forgotten import Calls
    from pycurrent.engine.hooks import Hooks
    from pycurrent.engine.place import Place
    from pycurrent.engine.resources import Resources
    from pycurrent.engine.stopped import TimeLimit


class JobParts(Struct):
    """The parts of one job. Each is made when it is first needed."""

    hooks: Hooks | None = None
    calls: Calls | None = None
    commands: Commands | None = None
    resources: Resources | None = None
    time_limit: TimeLimit | None = None
    place: Place | None = None


NO_PARTS = JobParts()
"""The parts of all jobs that have none yet. Never changed."""
