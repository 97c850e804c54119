"""Retiring the results that have gone from the pipeline.

An operation that has a method `retire` has each key that it sets recorded until that is retired
(the table `to_retire`). A key that no stage uses any more is a *candidate*. It has gone for good
once nothing is in doubt about the stages that have left it (see `doubts.py` in the room `term`).
Then a run of its instance retires it, whose target is `GONE`. The demand for that run gives way to
any other: a run that has not begun is given up when a stage needs the key again, and after one that
has begun the key is set again.

The keys that an earlier engine has left are candidates from the start on; the recorded uses tell
their stages. Nothing is retired before each input was read or has failed, and nothing once the
engine stops.

Candidates cost nothing while their doubts are the same: they are kept by the nodes that have no
value, and only these are looked at after each step.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from msgspec import Struct, field

from pycurrent.cache.acts import Instances
from pycurrent.cache.codec import UnreadableValue
from pycurrent.cache.demands import Demand, Retirement
from pycurrent.cache.instance import Instance
from pycurrent.cache.operation_type import GONE, AnyOperation, Key, OperationType, OperationTypes
from pycurrent.cache.retry import Retry
from pycurrent.cache.states import Checking, Known, Result
from pycurrent.engine.changes import Ids
from pycurrent.engine.open_engine import OpenEngine
from pycurrent.engine.problems import Effect, Problem
from pycurrent.incr import Absent, Node
from pycurrent.store import JobRecord, UseRecord, labels_text
from pycurrent.term import Doubts, Ok, Stage, StageRef, Term

if TYPE_CHECKING:
    from pycurrent.store import SetKey

_AT_ONCE = 100
"""How many candidates are looked at after one step."""
_TOPIC = "to-retire"

_log = logging.getLogger(__name__)


class _Candidate(Struct, eq=False):
    """A key that some stage has left."""

    id: SetKey
    key: Key | None = None
    """None if it is from an earlier engine."""
    stages: set[Term | str | None] = field(default_factory=set)
    """The stages that may come back: of those of an earlier engine the paths, None if unknown."""
    left_by: StageRef | None = None
    """The stage that has left it last."""
    changes: Ids = ()
    """The changes by which it has gone."""


class _LeftSet(Struct, eq=False):
    """A key that an earlier engine has left set."""

    job_id: str
    """The job that has set it."""
    came_back: frozenset[str] = frozenset()
    """The paths of stages that have used it since, and have left it: they are told of by that."""


class Retirements:
    """The keys of one engine that are to be retired."""

    def __init__(
        self,
        engine: OpenEngine,
        instances: Instances,
        op_types: OperationTypes,
        open_instance: Callable[[OperationType, Key, Retry], Instance],
    ) -> None:
        self._engine = engine
        self._instances = instances
        self._op_types = op_types
        self._open_instance = open_instance
        self._operations: dict[str, AnyOperation] = {}
        """The newest operation objects that stages have used, by their ids."""
        self._candidates: dict[SetKey, _Candidate] = {}
        self._due: dict[_Candidate, None] = {}
        """The candidates that are to be looked at."""
        self._in_doubt: dict[Node, tuple[Absent, dict[_Candidate, None]]] = {}
        """The candidates in doubt, by the node that has no value, with the reason for that."""
        self._waiting: dict[str, dict[_Candidate, None]] = {}
        """The candidates that have gone, and wait for an operation with this id."""
        self._unread: list[Node] = []
        """Inputs that were not read when somebody looked for such."""
        self._all_were_read = False
        self._retiring: dict[SetKey, tuple[Instance, Retirement]] = {}
        self._moved: dict[SetKey, None] = {}
        """The keys whose run has another state."""
        self._left_set = {
            key: _LeftSet(job) for key, job in engine.store.to_retire.all().items() if job
        }
        """The keys that an earlier engine has left set, until the stages that used them are read:
        that is once no stage of this engine uses the key.
        """
        self._due.update(dict.fromkeys(map(self._candidate, self._left_set)))

    def _candidate(self, key: SetKey) -> _Candidate:
        return self._candidates.setdefault(key, _Candidate(key))

    # For the cache

    def opened(self, instance: Instance) -> None:
        """An instance was made for a key. If it was set before its operation could retire, it is
        recorded now.
        """
        match instance.state:
            case Known(result) | Checking(result) if result.can_be_lost:
                key, to_retire = _key_of(instance), self._engine.store.to_retire
                if key not in self._left_set and to_retire.setter(key) is None:
                    to_retire.set(key, instance.job_id)

    def joined(self, instance: Instance, demand: Demand, stage: Stage) -> None:
        """A stage uses an instance. Within a step."""
        key = _key_of(instance)
        self._operations[instance.op_type.id] = demand.operation
        self._due.update(self._waiting.pop(instance.op_type.id, {}))
        self._retiring.pop(key, None)
        if key in self._candidates:
            self._candidates[key].stages.discard(stage.term)

    def left(self, instance: Instance, stage: Stage, labels: Mapping[str, str]) -> None:
        """A stage, with the labels that the operation gives it, uses an instance no longer. Within
        a step, and at the end of the engine.
        """
        if not self._engine.is_closed:
            id = _key_of(instance)
            candidate = self._candidate(id)
            candidate.key = instance.key
            candidate.left_by = stage.stage.with_labels(labels)
            if id in self._left_set:
                self._left_set[id].came_back |= {str(candidate.left_by)}
            candidate.stages.add(stage.term)
            self._due[candidate] = None

    def forgotten(self, instance: Instance) -> None:
        """Nobody needs an instance, and it has no run."""
        candidate = self._candidates.get(_key_of(instance))
        if candidate is not None:
            self._due[candidate] = None

    def used(self, retirement: Retirement) -> None:
        """A run may have begun that retires a key. If the stage that has left the key is not there
        any more, that is its last job.
        """
        key = retirement.setting.op, retirement.setting.key_digest
        run = self._retiring[key][0].run
        stage = retirement.stage
        if run is not None and stage is not None and self._engine.live.find(str(stage)) is None:
            labels = labels_text(stage.labels)
            self._engine.store.add_use(UseRecord(run.job.id, str(stage), labels, run.job.created))

    # After a step

    def look(self) -> None:
        """Retire what has gone for good."""
        if not (self._operations or self._due) or self._engine.pipeline_failed or self._is_early():
            return
        self._leave_retired()
        self._find_due()
        if not self._due:
            return
        doubts = Doubts(self._engine.live)
        for candidate in list(islice(self._due, _AT_ONCE)):
            del self._due[candidate]
            # One that was in doubt for several reasons may have been retired since.
            if self._candidates.get(candidate.id) is candidate:
                self._look_at(candidate, doubts)
        if self._due:
            self._engine.request_step()
        self._tell_of_waiting()

    def _leave_retired(self) -> None:
        moved, self._moved = self._moved, {}
        for key in moved:
            if key not in self._retiring:
                continue
            instance, retirement = self._retiring[key]
            match instance.state:
                case Known(Result(Ok(), GONE.digest)):
                    del self._retiring[key]
                    instance.leave(retirement)

    def _find_due(self) -> None:
        """Find the candidates about which the doubt has gone, or has become another."""
        for node, (absent, candidates) in list(self._in_doubt.items()):
            if node.users is None or node.absent is not absent:
                del self._in_doubt[node]
                self._due.update(candidates)

    def _is_early(self) -> bool:
        """True if some input of the pipeline has neither been read nor failed since the start."""
        if self._all_were_read:
            return False
        unread = list(filter(Doubts.is_unread, self._unread)) or Doubts(self._engine.live).unread()
        self._unread = unread
        self._all_were_read = not unread
        return bool(unread)

    def _doubt(self, candidate: _Candidate, node: Node) -> None:
        assert node.absent is not None
        self._in_doubt.setdefault(node, (node.absent, {}))[1][candidate] = None

    def _look_at(self, candidate: _Candidate, doubts: Doubts) -> None:
        """Retire a candidate, unless somebody needs it, or something is in doubt."""
        store, instance = self._engine.store, self._instances.get(*candidate.id)
        if instance is not None and instance.users and not candidate.stages:
            del self._candidates[candidate.id]
            return  # It is in use again: `left` comes before it can go.
        setter = store.to_retire.setter(candidate.id)
        left_set = self._left_set.pop(candidate.id, None)
        if left_set is not None and setter is not None:
            self._add_recorded(candidate, left_set, instance)
        for stage in list(candidate.stages):
            doubt = doubts.about(stage) if isinstance(stage, Term) else doubts.about_path(stage)
            if doubt is not None:
                self._doubt(candidate, doubt)
                return
            candidate.stages.discard(stage)
            node = doubts.decider(stage) if isinstance(stage, Term) else None
            if node is not None:
                changes = self._engine.changes
                candidate.changes = changes.leading_to(changes.roots, node)
        if instance is not None and not instance.users:
            return  # Its run goes on, and `forgotten` comes after that.
        setting = None if instance or setter is None else store.job_as_it_is(setter)
        if setting is not None:
            self._retire(candidate, setting)
        else:
            del self._candidates[candidate.id]

    def _add_recorded(
        self, candidate: _Candidate, left_set: _LeftSet, instance: Instance | None
    ) -> None:
        """Add the stages that used the key in earlier engines: they may come back."""
        uses = self._engine.store.committed_uses(left_set.job_id)
        candidate.stages.update([use.stage for use in uses] or [None])
        if uses and candidate.left_by is None:
            path = tuple(StageRef.names_in(uses[0].stage))
            candidate.left_by = StageRef(path, uses[0].read_labels())
        # A stage that has come back tells when it leaves.
        users = () if instance is None else instance.users
        paths = [user.path for user in users]
        here = [StageRef.text_of(path) for path in paths if path is not None]
        candidate.stages.difference_update(left_set.came_back, here)

    def _retire(self, candidate: _Candidate, setting: JobRecord) -> None:
        op, digest = candidate.id
        operation = self._operations.get(op)
        if operation is None:
            self._waiting.setdefault(op, {})[candidate] = None
            return
        del self._candidates[candidate.id]
        op_type = self._op_types.of(type(operation))
        try:
            key = candidate.key or op_type.recorded_key(setting.key, digest)
        except UnreadableValue as error:
            _log.warning("%s %s can't be retired: %s", op, setting.key, error)
            return
        instance = self._open_instance(op_type, key, operation.retry)
        moved = partial(self._has_moved, candidate.id)
        stage, changes = candidate.left_by, candidate.changes
        retirement = Retirement(operation, setting, stage, changes, moved, key.to_retire)
        self._retiring[candidate.id] = instance, retirement
        instance.join(retirement)

    def _has_moved(self, key: SetKey) -> None:
        self._moved[key] = None
        self._engine.request_step()

    def _tell_of_waiting(self) -> None:
        problems = self._engine.problems
        if not self._waiting:
            problems.clear(_TOPIC)
            return
        count = sum(map(len, self._waiting.values()))
        what = "1 result that has" if count == 1 else f"{count} results that have"
        ops = ", ".join(sorted(self._waiting))
        message = (
            f"{what} gone from the pipeline {'is' if count == 1 else 'are'} not retired yet: {ops}."
            " That waits until a stage uses the operation again"
        )
        problems.report(_TOPIC, Problem("some results are not retired yet", message, Effect.TOLD))


def _key_of(instance: Instance) -> SetKey:
    return instance.op_type.id, instance.key.digest
