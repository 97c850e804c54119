"""What people set and fire: whatever happens after that, it holds, and is done, to its end.

The machine kills engines at any moment: between an act and what follows from it, after a few turns
of the loop. What a call has promised by returning is on disk then; all else is made again. How far
an engine comes in a few turns depends on the time that its steps take, so a rule without anything
to do does nothing, instead of being left out.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from pycurrent.cache import Fired, Input, Trigger
from pycurrent.store import Database, StateDir
from pycurrent.store.gc import collect_garbage
from pycurrent.term import Current, Failed, Ok, Output, Primitive, component, pair, seq
from pycurrent.testing import Harness
from pycurrent.testing.clock import START

from ..effort import examples
from .workshop import RUNNING, SECOND, Make, Workshop, check

IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None


@dataclass(frozen=True)
class Params:
    """Where to."""

    place: str


BRANCH = Input("branch", "main")
DEPLOY = Trigger("deploy", Params)

BRANCHES = ("main", "next", "old")
steps = st.sampled_from([1, 2, 0])
"""How far the next branch is from the present one."""
places = st.sampled_from(["here", "there"])
people = st.sampled_from(["ann", "ben"])
acts = st.lists(
    st.one_of(
        st.tuples(st.just("set"), steps, people),
        st.tuples(st.just("fire"), places, people),
        st.tuples(st.just("end"), st.integers(0, 3), st.booleans()),
    ),
    min_size=1,
    max_size=3,
)
turns = st.sampled_from([0, 0, 1, 2, 4, 8])


@dataclass
class Model:
    """What should be so, as soon as everything has come to rest."""

    branch: str = "main"
    set_by: str | None = None
    fired: int = 0
    pending: dict[int, str] = field(default_factory=dict)
    """The firings whose work is not done, with the keys of that."""
    known: dict[str, Output[str]] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    audit: list[tuple[str, str, str, str | None]] = field(default_factory=list)

    @property
    def build(self) -> str:
        """The key that the pipeline builds."""
        return f"build {self.branch}"

    @property
    def wanted(self) -> set[str]:
        return {self.build, *self.pending.values()}

    def set_branch(self, branch: str, by: str) -> None:
        self.branch, self.set_by = branch, by
        self.audit.append((by, "set input", "branch", f'"{branch}"'))

    def fire(self, place: str, by: str) -> None:
        self.fired += 1
        self.pending[self.fired] = f"deploy {self.fired} {place}"
        self.audit.append((by, "fire", "deploy", f'{{"place":"{place}"}}'))

    def end(self, key: str, outcome: Output[str]) -> None:
        self.running.remove(key)
        self.known[key] = outcome

    def rebuild(self) -> None:
        if self.build not in self.running:
            del self.known[self.build]
            self.settle()

    def settle(self) -> None:
        """What is known is done, and the rest runs."""
        self.pending = {id: key for id, key in self.pending.items() if key not in self.known}
        self.running |= self.wanted - self.known.keys()

    def output(self, key: str) -> Output[str]:
        return RUNNING if key in self.running else self.known[key]


class People(RuleBasedStateMachine):
    """An input, a trigger, and engines that come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="pycurrent-test-", dir=IN_MEMORY))
        self.shop = Workshop()
        self.model = Model()
        self.engines = 0
        self.results = 0
        self.now = START

    @initialize()
    def begin(self) -> None:
        self.harness = self.open(self.folder / "0")
        self.model.settle()

    # What can happen

    def set_branch(self, step: int, by: str) -> None:
        branch = BRANCHES[(BRANCHES.index(self.model.branch) + step) % len(BRANCHES)]
        self.harness.engine.set_input("branch", branch, by=by)
        self.model.set_branch(branch, by)

    def fire(self, place: str, by: str) -> None:
        assert self.harness.engine.fire("deploy", Params(place), by=by) == self.model.fired + 1
        self.model.fire(place, by)

    def end_run(self, number: int, *, ok: bool) -> None:
        """One of the runs ends, if there are any."""
        if not self.model.running:
            return
        key = sorted(self.model.running)[number % len(self.model.running)]
        self.results += 1
        work = self.shop.of(key)
        outcome: Output[str]
        if ok:
            outcome = Ok(f"result {self.results}")
            work.succeed(outcome.value)
        else:
            outcome = Failed(f"failure {self.results}")
            work.fail(outcome.message)
        self.model.end(key, outcome)

    @rule(step=steps, by=people)
    def set_the_input(self, step: int, by: str) -> None:
        self.run(partial(self.set_branch, step, by))

    @rule(place=places, by=people)
    def fire_the_trigger(self, place: str, by: str) -> None:
        self.run(partial(self.fire, place, by))

    @rule(step=steps, place=places, by=people)
    def do_both(self, step: int, place: str, by: str) -> None:
        """In one step."""

        def act() -> None:
            self.set_branch(step, by)
            self.fire(place, by)

        self.run(act)

    @rule(number=st.integers(0, 3), ok=st.booleans())
    def let_a_run_end(self, number: int, ok: bool) -> None:
        self.run(partial(self.end_run, number, ok=ok))

    @rule()
    def rebuild(self) -> None:
        """Does nothing while it is being built."""
        self.run(self.harness.find(f"make {self.model.build}").rebuild)
        self.model.rebuild()

    @rule(seconds=st.integers(1, 100))
    def let_time_pass(self, seconds: int) -> None:
        self.now += seconds * SECOND
        self.run(lambda: self.harness.clock.move(seconds * SECOND))

    @rule()
    def collect_garbage(self) -> None:
        """All that is not needed, beside the engine."""
        self.run(lambda: None)
        state = StateDir.read(self.harness.engine.opened.state.path)
        collect_garbage(state, older_than=timedelta(0), now=self.now + SECOND)

    @rule(acts=acts, turns=turns)
    def kill(self, acts: list[tuple[Any, ...]], turns: int) -> None:
        """Before everything has come to rest. The engine leaves its directory as it is."""
        self.restart(acts, turns, killed=True)

    @rule(acts=acts, turns=turns)
    def stop(self, acts: list[tuple[Any, ...]], turns: int) -> None:
        """The same, and the engine ends what it does."""
        self.restart(acts, turns, killed=False)

    def restart(self, acts: list[tuple[Any, ...]], turns: int, *, killed: bool) -> None:
        known = set(self.model.known)
        old = self.harness.engine.opened.state.path
        new = self.folder / str(self.engines)

        async def on_the_loop() -> None:
            for act in acts:
                self.act(act)
            for _ in range(turns):
                await asyncio.sleep(0)
            if killed:
                # The index of the database's log is made anew. Temporary files may just go.
                shutil.copytree(old, new, ignore=shutil.ignore_patterns("tmp", "*-shm"))

        self.runner.run(on_the_loop())
        self.close()
        if not killed:
            old.rename(new)
        self.model.running.clear()
        self.harness = self.open(new)
        for key in self.model.known.keys() - known:
            self.find_end(key)
        self.model.settle()

    def act(self, act: tuple[Any, ...]) -> None:
        match act:
            case "set", step, by:
                self.set_branch(step, by)
            case "fire", place, by:
                self.fire(place, by)
            case "end", number, ok:
                self.end_run(number, ok=ok)

    def find_end(self, key: str) -> None:
        """The end of a run is known after a restart if it was recorded, and else it runs again."""
        outcome = self.model.known.pop(key)
        if text_of(outcome) in [job.outcome for job in self.store.history(limit=1000)]:
            self.model.known[key] = outcome

    # What always holds

    @invariant()
    def it_is_as_the_model_says(self) -> None:
        if not self.engines:
            return
        model = self.model
        check(self.harness)
        firings = tuple(model.pending)
        assert self.harness.output == Ok(
            (
                (model.fired or None, firings),
                [Ok(model.output(model.build)), Ok([RUNNING] * len(firings))],
            )
        )
        assert {work.key for work in self.shop.at_work} == model.running
        recorded = [record.id for record in self.store.firings() if record.done is None]
        assert recorded == list(model.pending)
        audit = [(row.who, row.what, row.subject, row.after) for row in self.store.audit(limit=999)]
        assert audit[::-1] == model.audit
        assert self.store.check_audit().broken_at is None

    @invariant()
    def it_is_explained(self) -> None:
        """Each job that is used tells its stages and the changes that it follows from."""
        if not self.engines:
            return
        for handle in self.harness.jobs.values():
            uses = {use.stage for use in self.store.uses_of_job(handle.id)}
            assert set(map(str, handle.paths)) <= uses
            assert self.store.changes_of_job(handle.id)

    @invariant()
    def results_are_recorded(self) -> None:
        """The last one of each key, also after garbage was collected."""
        if not self.engines:
            return
        last: dict[str, str | None] = {}
        for job in self.store.history(limit=1000):
            if job.outcome is not None:
                last.setdefault(job.key, job.outcome)
        for key, outcome in self.model.known.items():
            assert last[key] == text_of(outcome)

    # The engines

    @property
    def store(self) -> Database:
        return self.harness.engine.opened.store

    def pipeline(self) -> Current[Any]:
        make = Make(self.shop)

        def build(branch: str) -> Primitive[str]:
            return make.get(f"build {branch}")

        def deploy(fired: Fired[Params]) -> Primitive[str]:
            return make.get(f"deploy {fired.id} {fired.params.place}")

        pending = DEPLOY.pending()
        newest = DEPLOY.get().map(lambda fired: None if fired is None else fired.id)
        ids = pending.map(lambda firings: tuple(fired.id for fired in firings))
        built = component("build", build, BRANCH.get()).state()
        deployed = pending.list_map(lambda fired: component("deploy", deploy, fired).state())
        return pair(pair(newest, ids), seq([built.state(), deployed.state()]))

    def open(self, folder: Path) -> Harness:
        self.engines += 1
        harness = Harness(self.pipeline, state_dir=folder, start=self.now)

        async def begin() -> None:
            await harness.__aenter__()
            await harness.settle()

        self.runner.run(begin())
        return harness

    def run(self, act: Callable[[], object]) -> None:
        """Do something on the loop, and let everything follow that follows from it."""

        async def on_the_loop() -> None:
            act()
            await self.harness.settle()
            self.harness.engine.raise_if_crashed()

        self.runner.run(on_the_loop())
        self.model.settle()

    def close(self) -> None:
        async def close() -> None:
            self.shop.close()
            await self.harness.__aexit__(None, None, None)
            assert asyncio.all_tasks() == {asyncio.current_task()}

        self.runner.run(close())

    def teardown(self) -> None:
        if self.engines:
            self.close()
        self.runner.close()
        shutil.rmtree(self.folder)


def text_of(outcome: Output[str]) -> str:
    """An outcome as it is recorded."""
    match outcome:
        case Ok(text):
            return f'"{text}"'
        case Failed(text):
            return text
    raise AssertionError(outcome)


@pytest.mark.hypothesis
@pytest.mark.timeout(600)  # it runs hundreds of engines
def test_what_people_ask_for_is_done_whatever_happens() -> None:
    """Any sequence of what people, runs, time, garbage collection, restarts and kills can do."""
    run_state_machine_as_test(
        People,
        settings=settings(
            max_examples=examples(30),
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
