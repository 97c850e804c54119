"""The jobs of the cache, as people see them and act on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from pycurrent.cache.acts import Acts
from pycurrent.cache.instance import Instance
from pycurrent.cache.states import Checking, Known, Making, Pausing, Unknown
from pycurrent.store import UseRecord
from pycurrent.term import Active, Activity, Output

if TYPE_CHECKING:
    from pycurrent.engine.driven_job import DrivenJob


class Handle(Struct, frozen=True):
    """One job of an operation and a key, as people see it: the job handle of the engine.

    May be kept: it acts on whatever is known of the key then.
    """

    id: str
    acts: Acts
    op: str
    digest: str

    @property
    def instance(self) -> Instance | None:
        """The instance of the key, as long as somebody needs it."""
        return self.acts.instances.get(self.op, self.digest)

    @property
    def key(self) -> str:
        instance = self.instance
        if instance is not None:
            return instance.key.text
        record = self.acts.store.job(self.id)
        return "" if record is None else record.key

    @property
    def description(self) -> str:
        """The work in its operation's words; its operation and key once nobody needs it."""
        instance = self.instance
        return f"{self.op} {self.key}" if instance is None else instance.description

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of the stages whose result it has made, or is making; of those that have used
        it, if there are none now. Looks at all stages.
        """
        living = tuple(map(str, self.acts.stages_of(self.id)))
        return living or tuple(dict.fromkeys([use.stage for use in self._uses()]))

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of these stages. Where several have different ones of a name, that of the
        first counts.
        """
        found: dict[str, str] = {}
        living = [stage.labels for stage in self.acts.stages_of(self.id)]
        for labels in living or [use.read_labels() for use in self._uses()]:
            found = {**labels, **found}
        return found

    def _uses(self) -> list[UseRecord]:
        """The recorded uses of the job, the newest first."""
        return self.acts.store.uses_of_job(self.id)

    @property
    def job(self) -> DrivenJob | None:
        """The job itself, until it has ended."""
        run = None if self.instance is None else self.instance.run
        return run.job if run is not None and run.job.id == self.id else None

    @property
    def outcome(self) -> Output[Any]:
        """The output of the key by itself, whatever is reported meanwhile. READY once nobody needs
        it.
        """
        match None if self.instance is None else self.instance.state:
            case Known(result):
                return result.outcome
            case Making(run):
                return Active(run.job.activity)
            case Checking():
                return Active(Activity.RUNNING)
            case Unknown() | Pausing() | None:
                return Active(Activity.READY)

    def log_text(self) -> str:
        """All of its log so far, with secrets masked; bytes that are not UTF-8 are U+FFFD.

        Also while it runs, and after the engine has ended. Raises FileNotFoundError if
        `pycurrent gc` has removed it.
        """
        self._check_thread("log_text")
        return self.acts.log(self.id).text()

    def rebuild(self, by: str | None = None, reason: str | None = None) -> str:
        """Run it again; return the id of the new job. While it runs this changes nothing.

        If it can't start now, because nobody needs it or because of a conflict, it runs once it
        can; then this returns the id of the last job.
        """
        self._check_thread("rebuild")
        run = self.acts.rebuild(self.op, self.digest, job_id=self.id, by=by, reason=reason)
        if run is not None:
            return run.job.id
        instance = self.instance
        return self.id if instance is None or instance.job_id is None else instance.job_id

    def cancel(self, reason: str, by: str | None = None) -> None:
        """Cancel it, if it runs. Its outcome is a failure, which stays until a rebuild."""
        self._check_thread("cancel")
        if self.job is not None:
            self.acts.cancel(self.job, by=by, reason=reason)

    def approve(self, by: str | None = None, reason: str | None = None) -> None:
        """Let it start although its level asks for confirmation. Later it does nothing."""
        self._check_thread("approve")
        if self.job is not None:
            self.acts.approve(self.job, by=by, reason=reason)

    def _check_thread(self, call: str) -> None:
        self.acts.thread.check(f"handle.{call}")
