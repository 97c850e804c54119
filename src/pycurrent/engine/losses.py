"""Files that were saved and are lost: who finds that out, and who makes them again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pycurrent.engine.job_work import WorkingJob

Heal = Callable[["WorkingJob", str, str], str | None]
"""Called with the job that needs something, its digest, and what is lost of it. Gives the id of the
job that had saved it, if that is made again now; then the job is run again behind it.
"""


class Losses:
    """The way to heal the losses of one engine, which the cache knows."""

    def __init__(self) -> None:
        self._heal: Heal | None = None

    def heal_by(self, heal: Heal) -> None:
        """Have losses healed by this function. Between steps."""
        self._heal = heal

    def heal(self, job: WorkingJob, digest: str, what: str) -> str | None:
        """Have what is lost made again. None: nobody can. Between steps."""
        return None if self._heal is None else self._heal(job, digest, what)
