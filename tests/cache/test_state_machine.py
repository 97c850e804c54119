"""The states of an instance: whatever happens, in whatever order, it does what the model says.

The machine drives real engines, real jobs and a real database; only the clock is a test's, and
the runs end when the machine says so.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable
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
    precondition,
    rule,
    run_state_machine_as_test,
)

from pycurrent.cache import AnyOperation, Builder, ResultCache, Retry, Schedule, cause_of
from pycurrent.cache.cause import retry_of
from pycurrent.cache.states import Making
from pycurrent.engine import Config, JobHandle, Level, Pausable
from pycurrent.term import (
    Current,
    Failed,
    FailureKind,
    Ok,
    Primitive,
    Var,
    component,
    constant,
    pair,
)
from pycurrent.testing import Harness
from pycurrent.testing.clock import START
from pycurrent.testing.idle import drain

from ..effort import examples
from .model import Model, Wish
from .workshop import KINDS, PUBLISHERS, TELLING, Workshop, want

KEY = "k"
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None

SHORT, LONG = timedelta(seconds=3), timedelta(seconds=5)


def level(guarded: bool) -> Level | None:
    """From which on runs have to be confirmed."""
    return Level.AVERAGE if guarded else None


wishes = st.sampled_from(
    [Wish("a", None), Wish("a", SHORT), Wish("a", LONG), Wish("b", None), Wish("b", SHORT), None]
)


class Instances(RuleBasedStateMachine):
    """One operation with one key, two users, and engines that come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="pycurrent-test-", dir=IN_MEMORY))
        self.engines = 0
        self.results = 0
        self.old_handles: list[JobHandle] = []

    @initialize(
        kind=st.sampled_from([*KINDS, *PUBLISHERS, *TELLING]),
        first=wishes,
        second=wishes,
        attempts=st.fixed_dictionaries(
            {
                FailureKind.INFRA: st.integers(1, 3),
                FailureKind.TIMEOUT: st.integers(1, 3),
                FailureKind.REAL: st.integers(1, 2),
            }
        ),
    )
    def begin(
        self,
        kind: type[AnyOperation],
        first: Wish | None,
        second: Wish | None,
        attempts: dict[FailureKind, int],
    ) -> None:
        self.shop = Workshop()
        self.kind = kind
        self.op: AnyOperation = kind(self.shop)  # type: ignore[call-arg]
        self.vars = [Var("first", first), Var("second", second)]
        more = {kind.value: number - 1 for kind, number in attempts.items()}
        self.retry = Retry(**more, backoff=Model.backoff)
        self.model = Model(
            has_value=not issubclass(kind, Builder),
            auto_cancel=kind.auto_cancel,
            latched=kind.latched,
            can_tell=kind in TELLING,
            lookup=kind.lookup,
            now=START,
            wishes=[first, second],
            attempts=attempts,
        )
        self.harness = self.open(self.folder / "0")
        self.model.settle()

    @property
    def is_at_work(self) -> bool:
        return self.model.run is not None and self.model.run.begun

    # What can happen

    @rule(guarded=st.booleans())
    def ask_for_confirmation(self, guarded: bool) -> None:
        """From here on, or no more."""
        self.run(partial(setattr, self.harness.engine.config, "confirm", level(guarded)))
        self.model.guard(guarded)

    @precondition(lambda self: self.model.run is not None and not self.model.run.begun)
    @rule()
    def approve(self) -> None:
        """A person lets it begin."""
        for handle in list(self.harness.jobs.values()):
            self.run(handle.approve)
        self.model.approve()

    @rule(paused=st.booleans())
    def pause_all(self, paused: bool) -> None:
        """What has not begun waits, from here on, or no more."""
        self.pause(paused, level=Level.AVERAGE)
        self.model.pause_all(paused)

    @rule(user=st.integers(0, 1), paused=st.booleans())
    def pause_a_user(self, user: int, paused: bool) -> None:
        """What only that one wants waits."""
        path = str(user + 1)
        if paused and self.harness.engine.opened.live.find(path) is None:
            return
        self.pause(paused, path=path)
        self.model.pause(user, paused)

    def pause(self, paused: bool, **what: Any) -> None:
        engine = self.harness.engine
        if paused:
            self.run(partial(engine.pause, **what))
        elif Pausable.of(**what) in [pause.what for pause in engine.pauses]:
            self.run(partial(engine.resume, **what))

    @precondition(lambda self: self.old_handles)
    @rule()
    def approve_what_is_over(self) -> None:
        """That does not count for what came after it."""
        now = set(self.harness.jobs)
        for handle in [old for old in self.old_handles if old.id not in now]:
            self.run(handle.approve)

    @rule(wish=wishes, user=st.integers(0, 1))
    def change_a_wish(self, wish: Wish | None, user: int) -> None:
        self.wish({user: wish})

    @rule(wish=wishes, other=wishes)
    def change_both_wishes(self, wish: Wish | None, other: Wish | None) -> None:
        """In one step: what one user gives up another may take over."""
        self.wish({0: wish, 1: other})

    def wish(self, new: dict[int, Wish | None]) -> None:
        def change() -> None:
            for user, wish in new.items():
                self.vars[user].set(Ok(wish))

        self.run(change)
        for user, wish in new.items():
            self.model.wishes[user] = wish
        self.model.settle()

    @precondition(lambda self: self.is_at_work)
    @rule()
    def succeed(self) -> None:
        self.results += 1
        self.shop.lost = False
        self.run(partial(self.shop.work.succeed, f"result {self.results}"))
        self.model.end(Ok(f"result {self.results}"))

    @precondition(lambda self: self.is_at_work)
    @rule(kind=st.sampled_from([FailureKind.REAL, FailureKind.INFRA, FailureKind.TIMEOUT]))
    def fail(self, kind: FailureKind) -> None:
        """It is tried again, unless this was the last attempt for this kind."""
        self.results += 1
        failure = Failed(f"failure {self.results}", kind=kind)
        self.run(partial(self.shop.work.fail, failure.message, failure.kind))
        self.model.end(failure)

    @precondition(lambda self: self.harness.jobs)
    @rule()
    def cancel(self) -> None:
        for handle in list(self.harness.jobs.values()):
            self.run(partial(handle.cancel, "enough"))
        if self.model.run is not None:
            self.model.cancel()

    @precondition(lambda self: self.harness.jobs)
    @rule()
    def rebuild(self) -> None:
        for handle in list(self.harness.jobs.values()):
            self.run(handle.rebuild)
        self.model.rebuild()

    @rule(knows=st.sampled_from([True, True, False]))
    def lose(self, knows: bool) -> None:
        """What was made last is gone, which the operation may be unable to tell."""
        self.shop.lost = self.model.lost = True
        self.shop.knows = self.model.knows = knows

    @rule()
    def verify(self) -> None:
        """Somebody wants to know whether it is still there."""
        for instance in self.harness.engine.service(ResultCache).instances:
            self.run(instance.verify)
        self.model.verify()

    @rule(stubborn=st.booleans())
    def ignore_cancellations(self, stubborn: bool) -> None:
        """Whether runs go on for a while after they were cancelled."""
        self.shop.stubborn = self.model.stubborn = stubborn

    @rule(seconds=st.sampled_from([1, 2, 4, 30]))
    def let_time_pass(self, seconds: int) -> None:
        self.run(lambda: self.harness.clock.move(timedelta(seconds=seconds)))
        self.model.now += timedelta(seconds=seconds)
        self.model.settle()

    @rule(killed=st.booleans(), version=st.sampled_from([None, None, 1, 2]))
    def restart(self, killed: bool, version: int | None) -> None:
        """Killed, the engine leaves the state directory as it is at this moment. The author may
        have given the operation another version.
        """
        old = self.harness.engine.opened.state.path
        new = self.folder / str(self.engines)
        if killed:
            # What is temporary may just be removed.
            shutil.copytree(old, new, ignore=shutil.ignore_patterns("tmp"))
        self.close()
        if not killed:
            old.rename(new)
        self.shop.stubborn = self.model.stubborn
        self.old_handles.clear()
        kind = type(self.kind.__name__, (self.kind,), {"version": version})
        self.op = kind(self.shop)
        self.harness = self.open(new)
        self.model.restart(killed=killed, version=version)

    # What always holds

    @invariant()
    def it_does_what_the_model_says(self) -> None:
        if self.engines == 0:
            return
        self.check_instances()
        assert self.harness.output == Ok(tuple(map(self.expected, self.model.wishes)))
        assert len(self.shop.begun) == self.model.started
        assert [work.value for work in self.shop.at_work] == (
            [self.model.run.target] if self.model.run is not None and self.is_at_work else []
        )
        if self.model.run is not None and self.is_at_work:
            assert self.shop.work.job.urgency is self.model.run.urgency
        self.check_history()

    def check_instances(self) -> None:
        cache = self.harness.engine.service(ResultCache)
        for instance in cache.instances:
            instance.check()
        making = [i for i in cache.instances if isinstance(i.state, Making)]
        assert len(making) == len(list(cache.runs))
        assert bool(cache.instances) == bool(self.model.wanted or self.model.run)
        due = self.model.due
        assert len(cache.pauses) == (due is not None and due.at > self.model.now)

    def expected(self, wish: Wish | None) -> Any:
        if wish is None:
            return Ok("off")
        if self.model.conflict:
            one, other = self.model.conflict
            return Failed(
                f'{self.op.id} {KEY} is set to two values at once: "{one}" and "{other}"; give each'
                " a key of its own"
            )
        return self.model.output(wish)

    def check_history(self) -> None:
        history = [(b.build, b.value, b.ok, b.outcome) for b in self.harness.history()]
        expected: list[tuple[Any, ...]] = []
        for record in self.model.records:
            value = None if record.target is None else f'"{record.target}"'
            match record.outcome:
                case Ok(text):
                    expected.append((record.build, value, True, text))
                case Failed(text):
                    expected.append((record.build, value, False, text))
                case _:
                    expected.append((record.build, value, None, None))
        assert history == expected
        store = self.harness.engine.service(ResultCache).store
        retries = [retry_of(cause_of(record)) for record in reversed(store.history())]
        attempts = [1 if retry is None else retry.attempt for retry in retries]
        assert attempts == [record.attempt for record in self.model.records]
        results = [build for build, _, ok, _ in history if ok is not None]
        assert results == list(range(len(results)))

    # The engines

    def pipeline(self) -> Current[Any]:
        """One user is built anew with each wish, the other gets it as its input."""
        first, second = self.vars

        def primitive(wish: Wish | None) -> Primitive[Any]:
            if wish is None:
                return Primitive.constant("off")
            schedule = None if wish.valid_for is None else Schedule(wish.valid_for)
            return want(self.op, KEY, wish.value, schedule, self.retry)

        def build(wish: Wish | None) -> Current[Any]:
            return constant("off") if wish is None else component("1", lambda: primitive(wish))

        return pair(
            first.get().bind(build).state(), component("2", primitive, second.get()).state()
        )

    def open(self, folder: Path) -> Harness:
        self.engines += 1
        config = Config(confirm=level(self.model.guarded))
        harness = Harness(self.pipeline, state_dir=folder, start=self.model.now, config=config)
        self.runner.run(harness.__aenter__())
        self.runner.run(drain())
        return harness

    def run(self, action: Callable[[], object]) -> None:
        """Do something on the loop, and let everything follow that follows from it."""

        async def on_the_loop() -> None:
            self.old_handles += self.harness.jobs.values()
            action()
            await self.harness.settle()
            self.harness.engine.raise_if_crashed()

        self.runner.run(on_the_loop())

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


@pytest.mark.hypothesis
@pytest.mark.timeout(600)  # it runs hundreds of engines
def test_an_instance_does_what_the_model_says() -> None:
    """Any sequence of what users, runs, time, people and restarts can do."""
    run_state_machine_as_test(
        Instances,
        settings=settings(
            max_examples=examples(75),
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
