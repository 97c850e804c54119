"""Keeping account of an engine's stages: their number in each state, and the changed ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, TypeVar

from msgspec.structs import replace

from pycurrent.incr import Absent, Node
from pycurrent.term.example import Examples, ExampleStages
from pycurrent.term.held_ids import HeldIds
from pycurrent.term.labels import label_block
from pycurrent.term.output import Failed, Muted, MuteMark
from pycurrent.term.paths import Paths
from pycurrent.term.primitive import NO_LABELS, Metadata, Runtime, Services, StageRef, Subscription
from pycurrent.term.shape import Term
from pycurrent.term.state import State, Stats, Status, failure_of
from pycurrent.term.trust import TRUSTED, Trust

T = TypeVar("T")


class Mutings(Protocol):
    """The mutes of an engine."""

    def of(self, stage: Stage, metadata: Metadata | None) -> MuteMark | None:
        """The mute of a failure that arose in a stage, with this metadata; None if it has none."""


class Stage(Node):
    """The living node of a component or of a named bind: the runtime of what it subscribes to.

    Read it between two steps, in the engine's thread. A released node stays as it was last.
    """

    __slots__ = ()
    account: Account
    state: State
    metadata: Metadata | None
    """Facts about its output; None for a bind."""
    subscription: Subscription[Any] | None
    """Its use of a primitive; None for a bind, and while an input has no value."""

    @property
    def term(self) -> Term:
        """The term of this node."""
        assert isinstance(self.owner, Term)
        return self.owner

    @property
    def label(self) -> str:
        """The text of its box, with the values that are known."""
        raise NotImplementedError

    @property
    def is_alive(self) -> bool:
        """False once it is released because nobody needs it any more."""
        return self.users is not None

    @property
    def status(self) -> Status:
        """The state of its box."""
        failure = failure_of(self.absent) if self.state.is_failure else None
        metadata = self.metadata
        if metadata is None:
            return Status(self.state, failure, note=self.note)
        update, job_id, hold = metadata.update, metadata.job_id, metadata.hold
        return Status(self.state, failure, update, job_id, self.note, hold)

    @property
    def note(self) -> str | None:
        """A note for people: why it waits, for example, or who has muted its failure."""
        note = None if self.metadata is None else self.metadata.note
        if self.state is not State.MUTED or not isinstance(self.absent, Muted):
            return note
        words = self.absent.mute.words
        return words if note is None else f"{words}; {note}"

    def mark(self, before: Absent | None, metadata: Metadata | None) -> bool:
        """Mark its own failure if people have muted it; True if its outcome is not that before."""
        assert isinstance(self.absent, Failed)
        marked = self.marked(self.absent, metadata)
        if marked == before:
            self.absent = before
            return False
        self.absent = marked
        if self.state is State.MUTED:
            # Another mute is another note, though the state may be the same.
            self.account.recount(self, self.state, self.state)
        return True

    def marked(self, failure: Failed, metadata: Metadata | None) -> Failed:
        """A failure of its own, marked if people have muted it, and only then."""
        mutes = self.account.mutes
        mark = None if mutes is None else mutes.of(self, metadata)
        failed = failure.failed if isinstance(failure, Muted) else failure
        return failed if mark is None else Muted(failed, mark)

    # For its primitive: see `Runtime`

    def service(self, kind: Callable[[Any], T]) -> T:
        return self.account.services.service(kind)

    @property
    def stage(self) -> StageRef:
        return self.account.ref(self.term)

    @property
    def path(self) -> tuple[str, ...]:
        return self.account.paths.path_of(self.term)

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of the code that it is built in, with their present values."""
        return self.account.labels_around(self.term)

    @property
    def trust(self) -> Trust | None:
        """The trust of its work; None if that is not known yet."""
        return TRUSTED

    @property
    def held(self) -> Held:
        return self.account.held


class Held:
    """The outputs that sources had before they were changed in the middle of a step: until its end
    their components read these, as no function may see inputs of different steps.
    """

    def __init__(self) -> None:
        self._outputs: dict[object, Any] = {}
        self._is_on = False

    def begin(self) -> None:
        """A step has paused. Twice is fine."""
        self._is_on = True

    def end(self) -> None:
        """No step is unfinished. Twice is fine."""
        self._is_on = False
        if self._outputs:
            self._outputs = {}

    def changes(self, source: object, output: Any) -> None:
        """A source is about to give another output than this one. From any thread."""
        if self._is_on:
            self._outputs.setdefault(source, output)

    def read(self, source: object, output: Any) -> Any:
        """The output of a source in this step, which now has this one."""
        return self._outputs.get(source, output) if self._outputs else output

    def read_by(self, changed: Callable[[], None], source: object, output: Any) -> Any:
        """The same for a component that begins to follow the source in this step: nobody else would
        tell it, as `changed` does, that the output is another one after it.
        """
        held = self.read(source, output)
        if held is not output:
            changed()
        return held


def held_of(runtime: Runtime) -> Held:
    """The outputs that are held where this subscribes: none where nothing takes steps."""
    return runtime.held if isinstance(runtime, Stage) else Held()


class Account:
    """Counts the stages of one engine, and connects their nodes to the engine.

    Counting takes O(1) for each change. `alive` are the terms that have a node. `requested` is
    called, from any thread, when something asks for a step.
    """

    def __init__(
        self,
        services: Services,
        requested: Callable[[Node], None],
        alive: Mapping[Term, Node],
        stages: Callable[[], Iterator[Stage]],
    ) -> None:
        self.services = services
        self.wake = requested
        """Have a node computed in the next step, because its source outside has changed."""
        self.new_inputs: list[Stage] = []
        """The stages that have begun to follow an input, since somebody emptied this."""
        self.follows_failures: dict[Node, None] = {}
        """The nodes to be computed in the step after one in which a stage fails, or does so no
        longer. They are entered again when they are computed.
        """
        self.links = 0
        """Counts: it changes whenever terms get or lose nodes, and nodes get other inputs."""
        self.held = Held()
        self.mutes: Mutings | None = None
        """The mutes, if there are any."""
        self.examples = Examples()
        self.box_ids = HeldIds()
        self.paths = Paths(lambda: (stage.term for stage in stages()), alive, leaves=self._leaves)
        self._alive = alive
        self._counts = [0] * len(State)
        self._changed: dict[Stage, None] = {}
        self._released: list[Stage] = []
        # The lists and options without items, and what they show instead; how many of them show
        # each term; and by the living terms into which an example leads, which those are.
        self._shown: dict[Term, ExampleStages] = {}
        self._showing: Counter[Term] = Counter()
        self._borders: dict[Term, dict[Term, None]] = {}
        # The parents whose border has lost a term since the stages were last counted.
        self._outdated: dict[Term, None] = {}

    @property
    def stats(self) -> Stats:
        while self._outdated:
            parent, _ = self._outdated.popitem()
            self.hide_example(parent)
            self.show_example(parent)
        return Stats(*self._counts)

    def _leaves(self, term: Term) -> bool:
        """True if something that it was built in was undone."""
        node = self._alive.get(term)
        while node is not None and node.home is not None:
            if node.home.owner is None:
                return True
            node = node.home.owner
        return False

    def ref(self, term: Term) -> StageRef:
        """The reference of a living stage, with the labels of the code that it is built in."""
        ref = self.paths.of(term).with_labels(self.labels_around(term))
        block = label_block(term.context)
        return ref if block is None or block.guard is None else self._with_trust(ref, block.guard)

    def _with_trust(self, ref: StageRef, guard: Term) -> StageRef:
        node = self._alive.get(guard)
        is_known = node is not None and node.absent is None
        return replace(ref, trust=node.value if node is not None and is_known else None)

    def labels_around(self, term: Term) -> Mapping[str, str]:
        """The labels of the code that a stage is built in, as far as they are known."""
        block = label_block(term.context)
        if block is None:
            return NO_LABELS
        node = None if block.term is None else self._alive.get(block.term)
        return block.fixed if node is None or node.absent is not None else node.value

    def take_changed(self) -> list[Stage]:
        """The stages whose state or metadata has changed since the last call; the released
        ones are not among them.
        """
        changed = list(self._changed)
        self._changed.clear()
        return changed

    def take_released(self) -> list[Stage]:
        """The stages that were released since the last call."""
        released, self._released = self._released, []
        return released

    # Stages

    def count(self, stage: Stage, term: Term) -> None:
        """Add a new stage. It is blocked at first."""
        if not self._showing.get(term):
            self._counts[State.BLOCKED] += 1
        self._changed[stage] = None
        self.paths.add(term)

    def recount(self, stage: Stage, old: State, new: State) -> None:
        self._counts[old] -= 1
        self._counts[new] += 1
        self._changed[stage] = None
        if self.follows_failures and (old.is_failure or new.is_failure):
            self._failures_change()

    def _failures_change(self) -> None:
        following, self.follows_failures = self.follows_failures, {}
        for node in following:
            self.wake(node)

    def uncount(self, stage: Stage) -> None:
        """Take a released stage out."""
        self._counts[stage.state] -= 1
        if self._changed:
            self._changed.pop(stage, None)
        if self.follows_failures and stage.state.is_failure:
            self._failures_change()
        self._released.append(stage)
        term = stage.term
        self.paths.remove(term)
        if self._showing.get(term):
            self._counts[State.BLOCKED] += 1

    def died(self, term: Term) -> None:
        """Note that a term has lost its node."""
        self.links += 1
        if self._borders:
            self._outdated.update(self._borders.get(term, {}))
        if self.box_ids:
            self.box_ids.forget(term)

    # Lists and options without items

    def show_example(self, parent: Term) -> None:
        """Count the stages that would be made for an item. Twice is fine."""
        if parent in self._shown:
            return
        shown = self._shown[parent] = self.examples.stages_of(parent, self._alive)
        for term in shown.stages:
            self._showing[term] += 1
            if self._showing[term] == 1 and term not in self._alive:
                self._counts[State.BLOCKED] += 1
        for term in shown.border:
            self._borders.setdefault(term, {})[parent] = None

    def hide_example(self, parent: Term) -> None:
        """Count them no longer. Twice is fine."""
        shown = self._shown.pop(parent, None)
        if shown is None:
            return
        for term in shown.stages:
            self._showing[term] -= 1
            if not self._showing[term]:
                del self._showing[term]
                if term not in self._alive:
                    self._counts[State.BLOCKED] -= 1
        for term in shown.border:
            del self._borders[term][parent]
            if not self._borders[term]:
                del self._borders[term]
        self._outdated.pop(parent, None)
