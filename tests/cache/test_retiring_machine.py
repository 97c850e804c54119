"""Whatever happens to a pipeline, what has gone is retired: once, not too early, and in the end.

The machine drives real engines. Some inputs decide which keys are set: by lists within lists, by
binds, by the key of a stage. They change, fail and heal; jobs wait as long as the machine says;
engines stop, or are killed. The model only knows which keys each stage may still hold.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable
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

from pycurrent.cache import Publisher, ResultCache
from pycurrent.engine import Job, Level
from pycurrent.term import (
    Active,
    Activity,
    Current,
    Failed,
    Ok,
    Output,
    Var,
    component,
    constant,
)
from pycurrent.term import all as all_of
from pycurrent.testing import Harness

from ..effort import examples

IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
REPOS = ("api", "web")
NOTHING, SET = constant("nothing"), constant("set")
BROKEN: tuple[Output[Any], ...] = (Failed("no route to host"), Active(Activity.READY))


class World:
    """What is set outside, and the jobs that are about to change that."""

    def __init__(self, held: Callable[[], set[str]]) -> None:
        self.status: set[str] = set()
        self.held = held
        self.is_slow = False
        self.acts_early = False
        self.gates: list[asyncio.Future[None]] = []
        self.in_doubt: set[str] = set()
        """Keys whose jobs were at work when their engine ended."""
        self.at_work: set[str] = set()

    async def change(self, key: str, act: Callable[[], None]) -> None:
        """Do something to a key, which takes as long as the machine says."""
        assert key not in self.at_work, "two at once"
        self.at_work.add(key)
        acts_early = self.acts_early
        try:
            if acts_early:
                act()
            if self.is_slow:
                gate = asyncio.get_running_loop().create_future()
                self.gates.append(gate)
                await gate
            if not acts_early:
                act()
        except asyncio.CancelledError:
            self.in_doubt.add(key)
            raise
        finally:
            self.at_work.remove(key)

    def set(self, key: str) -> None:
        self.in_doubt.discard(key)
        self.status.add(key)

    def retire(self, key: str) -> None:
        assert key not in self.held(), f"{key} was retired too early"
        assert key in self.status or key in self.in_doubt, f"{key} was retired twice"
        self.in_doubt.discard(key)
        self.status.discard(key)

    def open_gates(self) -> None:
        gates, self.gates = self.gates, []
        for gate in gates:
            if not gate.done():
                gate.set_result(None)


class Status(Publisher[str, str, None]):
    id = "status"

    def __init__(self, world: World) -> None:
        self.world = world

    async def publish(self, job: Job, key: str, value: str) -> None:
        await job.start(level=Level.AVERAGE)
        await self.world.change(key, lambda: self.world.set(key))

    async def retire(self, job: Job, key: str, outcome: None) -> None:
        await job.start(level=Level.AVERAGE)
        await self.world.change(key, lambda: self.world.retire(key))


class Cancelled(Status):
    id = "status-auto"
    auto_cancel = True


def subsets(*names: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(names), unique=True)


def outputs(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Output[Any]]:
    """As a rule a value."""
    return st.one_of(values.map(Ok), values.map(Ok), st.sampled_from(BROKEN))


CHANGES: dict[str, st.SearchStrategy[Output[Any]]] = {
    "repos": outputs(subsets(*REPOS)),
    **{repo: outputs(subsets("a", "b", "shared")) for repo in REPOS},
    "head": outputs(st.sampled_from(["h1", "h2"])),
    "mode": outputs(st.sampled_from(["", "m1", "m2"])),
    "wanted": outputs(st.booleans()),
    "tested": outputs(st.sampled_from(["passed", "skipped"])),
}


class Retiring(RuleBasedStateMachine):
    """A pipeline whose inputs change, and engines that come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="pycurrent-test-", dir=IN_MEMORY))
        self.engines = 0
        self.is_strict = False
        """False after a start, while keys may be held of which only the path is known."""
        self.holds: dict[str, set[str]] = {}
        """The keys that each stage, or list of stages, may still hold."""

    @initialize(
        kind=st.sampled_from([Status, Cancelled]),
        how=st.fixed_dictionaries(
            {repo: st.sampled_from(["", "catch", "latch"]) for repo in REPOS}
        ),
        first=st.fixed_dictionaries(CHANGES),
    )
    def begin(self, kind: type[Status], how: dict[str, str], first: dict[str, Any]) -> None:
        self.world = World(self.held)
        self.op = kind(self.world)
        self.how = how
        self.vars = {name: Var(name, output) for name, output in first.items()}
        self.outputs = first
        self.settle_model()
        self.harness = self.open(self.folder / "0")

    # What can happen

    @rule(
        changes=st.sampled_from(sorted(CHANGES)).flatmap(
            lambda name: st.fixed_dictionaries({name: CHANGES[name]})
        )
    )
    def change_one(self, changes: dict[str, Output[Any]]) -> None:
        self.change(changes)

    @rule(changes=st.fixed_dictionaries({}, optional=CHANGES))
    def change_many(self, changes: dict[str, Output[Any]]) -> None:
        """In one step: what one stage gives up another may take over."""
        self.change(changes)

    @rule()
    def heal(self) -> None:
        """All that is broken comes back with nothing."""
        empty: dict[str, Any] = {name: [] for name in ("repos", *REPOS)} | {
            "head": "h1",
            "mode": "",
            "wanted": False,
            "tested": "passed",
        }
        broken = [name for name, output in self.outputs.items() if not isinstance(output, Ok)]
        self.change({name: Ok(empty[name]) for name in broken})

    @rule(is_slow=st.booleans(), acts_early=st.booleans())
    def work_otherwise(self, is_slow: bool, acts_early: bool) -> None:
        """From now on jobs wait, or do not; and do what they do before or after that."""
        self.world.is_slow, self.world.acts_early = is_slow, acts_early

    @rule()
    def let_jobs_end(self) -> None:
        self.run(self.world.open_gates)

    @rule(is_killed=st.booleans())
    def restart(self, is_killed: bool) -> None:
        """Killed, the engine leaves the state directory as it is at this moment."""
        old = self.harness.engine.opened.state.path
        new = self.folder / str(self.engines)
        if is_killed:
            # What is temporary may just be removed.
            shutil.copytree(old, new, ignore=shutil.ignore_patterns("tmp"))
        before = set(self.world.status)
        self.close()
        assert self.world.status == before
        if not is_killed:
            old.rename(new)
        self.is_strict = False
        self.harness = self.open(new)

    # What always holds

    @invariant()
    def what_may_be_held_is_set_and_nothing_else_in_the_end(self) -> None:
        if self.engines == 0 or self.world.at_work:
            return
        assert self.held() <= self.world.status | self.unset()
        gone = self.world.status - self.held() - self.world.in_doubt
        if self.are_all_known:
            self.is_strict = True
            assert not gone
        elif self.is_strict:
            # A stage that was built elsewhere than where it is used waits for more than it has to.
            assert gone <= {"o"}, gone

    @property
    def are_all_known(self) -> bool:
        return all(isinstance(output, Ok) for output in self.outputs.values())

    # The model

    def held(self) -> set[str]:
        return set().union(*self.holds.values())

    def unset(self) -> set[str]:
        """Keys that may be held and are not set, as what wants them is not known."""
        return set() if self.are_all_known else self.held()

    def settle_model(self) -> None:
        """Each stage holds what it used, until all that decides about it is known."""
        known = {name: out.value for name, out in self.outputs.items() if isinstance(out, Ok)}
        if "repos" in known:
            for repo in REPOS:
                if repo not in known["repos"]:
                    self.holds[repo] = set()
                elif repo in known:
                    self.holds[repo] = {f"{key}" for key in known[repo]}
        if "head" in known and "tested" in known:
            self.holds["head"] = {known["head"]}
        elif "head" in known:
            self.holds.setdefault("head", set()).add(known["head"])
        if "mode" in known:
            self.holds["mode"] = {known["mode"]} - {""}
        if "wanted" in known:
            self.holds["wanted"] = {"o"} if known["wanted"] else set()
        if "tested" in known:
            self.holds["tested"] = {"deploy"} if known["tested"] == "passed" else set()

    def change(self, changes: dict[str, Output[Any]]) -> None:
        def act() -> None:
            for name, output in changes.items():
                self.vars[name].set(output)

        self.outputs = {**self.outputs, **changes}
        self.settle_model()
        self.run(act)

    # The engines

    def pipeline(self) -> Current[Any]:
        get = {name: var.get() for name, var in self.vars.items()}
        elsewhere = self.status("elsewhere", constant("o"))
        tested = get["tested"].state()
        return all_of(
            [
                get["repos"].list_iter(self.of_repo).state(),
                self.status(
                    "head", get["head"], tested.map(lambda out: type(out).__name__)
                ).state(),
                get["mode"]
                .bind(lambda key: self.status("mode", constant(key)) if key else NOTHING)
                .state(),
                get["wanted"].bind(lambda yes: elsewhere if yes else NOTHING).state(),
                tested.bind(self.deploy).state(),
            ]
        )

    def deploy(self, tested: Output[str]) -> Current[Any]:
        return self.status("d", constant("deploy")) if tested == Ok("passed") else NOTHING

    def of_repo(self, repo: Current[str]) -> Current[Any]:
        return repo.bind(self.of_commits)

    def of_commits(self, repo: str) -> Current[Any]:
        commits: Current[Any] = self.vars[repo].get()
        match self.how[repo]:
            case "catch":
                commits = commits.catch().map(lambda out: out.value if isinstance(out, Ok) else [])
            case "latch":
                commits = commits.latch()
        return commits.list_iter(lambda key: self.status("status", key))

    def status(self, name: str, key: Current[str], value: Current[str] = SET) -> Current[Any]:
        return component(f"{name} {{key}}", self.op.set, key, value)

    def open(self, folder: Path) -> Harness:
        self.engines += 1
        harness = Harness(self.pipeline, state_dir=folder)
        self.runner.run(harness.__aenter__())
        self.harness = harness
        self.run(lambda: None)
        return harness

    def run(self, action: Callable[[], object]) -> None:
        """Do something on the loop, and let everything follow that follows from it."""

        async def on_the_loop() -> None:
            action()
            await self.harness.settle()
            self.harness.engine.raise_if_crashed()
            for instance in self.harness.engine.service(ResultCache).instances:
                instance.check()

        self.runner.run(on_the_loop())
        for build in self.harness.history():
            assert build.ok is not False, build

    def close(self) -> None:
        self.runner.run(self.harness.__aexit__(None, None, None))
        self.world.gates.clear()

    def teardown(self) -> None:
        if self.engines:
            self.close()
        self.runner.close()
        shutil.rmtree(self.folder)


@pytest.mark.hypothesis
@pytest.mark.timeout(600)  # it runs hundreds of engines
def test_what_has_gone_is_retired_whatever_happens() -> None:
    """Once, not while anything is in doubt about it, and in the end."""
    run_state_machine_as_test(
        Retiring,
        settings=settings(
            max_examples=examples(50),
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
