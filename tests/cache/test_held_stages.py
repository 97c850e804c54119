"""Pins, pauses and mutes follow their stages when twins of these come and go."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pycurrent as current
from pycurrent.cache.operation import Builder
from pycurrent.errors import UsageError
from pycurrent.explain.reasons import Pinned, WaitsForResume
from pycurrent.testing import Harness, HarnessFactory

from ..effort import examples

HOUR = timedelta(hours=1)


class Heads:
    """The heads of branches, each of which is a stage `head`."""

    def __init__(self) -> None:
        self.newest: dict[str, str] = {}
        self.refresh: dict[str, Callable[[], None]] = {}
        self.monitors: dict[str, current.Monitor[str]] = {}

    def restart(self) -> None:
        self.monitors = {}

    def monitor(self, repo: str) -> current.Monitor[str]:
        async def read() -> str:
            return self.newest.setdefault(repo, f"{repo}1")

        @asynccontextmanager
        async def watch(refresh: Callable[[], None]) -> AsyncIterator[None]:
            self.refresh[repo] = refresh
            yield

        if repo not in self.monitors:
            described = f"head of {repo}"
            self.monitors[repo] = current.Monitor(read=read, watch=watch, describe=described)
        return self.monitors[repo]

    def of(self, repo: str | None, *, depth: int | None = None) -> current.Current[str]:
        @current.component("head")
        def head(repo: str | None, depth: int | None) -> current.Primitive[str]:
            return self.monitor(repo or "bare").get()

        return head(repo, depth)

    def move(self, repo: str, commit: str) -> None:
        self.newest[repo] = commit
        if repo in self.refresh:
            self.refresh[repo]()

    def pipeline(self, *repos: str | None) -> Callable[[], current.Current[Any]]:
        """The code of a pipeline with a stage for each of these."""
        self.restart()
        return lambda: current.seq([self.of(repo) for repo in repos])

    def listed(self, repos: current.Var[list[str]]) -> current.Current[Any]:
        """A pipeline with a stage for each of the repos; "bare" gives one without any constant."""
        return repos.get().bind(
            lambda names: current.seq([self.of(None if n == "bare" else n) for n in names])
        )


def paths(h: Harness) -> list[str]:
    live = h.engine.opened.live
    return [str(live.ref(stage)) for stage in live.stages()]


def problems(h: Harness) -> list[str]:
    return [problem.message for problem in h.engine.opened.problems]


@pytest.mark.parametrize("repos", [("web", "api"), ("api", "web"), (None, "web"), ("web", None)])
async def test_a_pin_follows_its_stage_when_a_twin_appears(
    harness: HarnessFactory, repos: Sequence[str | None]
) -> None:
    """From the first step of the next engine on; the twin goes on. It is known by the new path."""
    heads = Heads()
    async with harness(heads.pipeline("web")) as h:
        await h.settle()
        h.engine.pin("head", by="ann", reason="a check")
        heads.move("web", "web2")
    async with harness(heads.pipeline(*repos)) as h:
        web = repos.index("web")
        (pin,) = h.engine.pins
        assert (pin.path, pin.value, pin.output) == ("head (repo=web)", "web1", current.Ok("web1"))
        assert isinstance(h.engine.why("head (repo=web)").reasons[0], Pinned)
        await h.settle()
        other = "api" if "api" in repos else "bare"
        assert h.output == current.Ok([("web1" if n == web else f"{other}1") for n in range(2)])
        heads.move(other, "new")
        await h.settle()
        assert h.output == current.Ok([("web1" if n == web else "new") for n in range(2)])
        assert problems(h) == []
        h.engine.unpin("head (repo=web)", by="bob")
        await h.settle()
        assert h.output == current.Ok([("web2" if n == web else "new") for n in range(2)])
        assert h.engine.pins == ()


async def test_a_pin_follows_its_stage_when_the_twin_has_gone(harness: HarnessFactory) -> None:
    """Its path is the short one again. Of one that has gone the twin is not held instead."""
    heads = Heads()
    async with harness(heads.pipeline("web", "api")) as h:
        await h.settle()
        h.engine.pin("head (repo=web)", by="ann")
    heads.move("web", "web2")
    async with harness(heads.pipeline("web")) as h:
        assert paths(h) == ["head"]
        assert [pin.path for pin in h.engine.pins] == ["head"]
        await h.settle()
        assert h.output == current.Ok(["web1"])
        assert problems(h) == []
    async with harness(heads.pipeline("api")) as h:
        await h.settle()
        assert h.output == current.Ok(["api1"])
        (pin,) = h.engine.pins
        assert (pin.path, pin.output, pin.alike) == ("head (repo=web)", None, ("head",))
        (problem,) = problems(h)
        assert problem == (
            "the pin of head (repo=web) (set by ann) holds nothing, as the pipeline has no such"
            " stage any more, but head, which looks like it: set it for the stage that it is meant"
            " for, or end it"
        )
        h.engine.unpin("head (repo=web)", by="ann")
        assert problems(h) == []


async def test_a_pin_follows_its_stage_while_twins_come_and_go(harness: HarnessFactory) -> None:
    """In one engine; it can be set anew and ended by either path."""
    heads = Heads()
    repos = current.Var("repos", ["web"])

    async with harness(partial(heads.listed, repos)) as h:
        await h.settle()
        h.engine.pin("head", by="ann")
        heads.move("web", "web2")
        repos.set(["api", "web"])
        await h.settle()
        assert h.output == current.Ok(["api1", "web1"])
        assert [pin.path for pin in h.engine.pins] == ["head (repo=web)"]
        h.engine.pin("head (repo=web)", "web2", by="bob")
        await h.settle()
        assert h.output == current.Ok(["api1", "web2"])
        assert [pin.by for pin in h.engine.pins] == ["bob"]
        repos.set(["web"])
        await h.settle()
        assert [pin.path for pin in h.engine.pins] == paths_of(h)
        repos.set([])
        await h.settle()
        assert [pin.output for pin in h.engine.pins] == [None]
        heads.move("web", "web3")
        repos.set(["web"])
        await h.settle()
        assert h.output == current.Ok(["web2"])
        h.engine.unpin("head", by="bob")
        await h.settle()
        assert h.output == current.Ok(["web3"])
        assert problems(h) == []


async def test_a_stage_whose_own_arguments_have_changed_is_known_by_its_path(
    harness: HarnessFactory,
) -> None:
    """From then on also when a twin appears. If both come at once, somebody has to decide."""
    heads = Heads()

    def deep(*repos: str, depth: int) -> Callable[[], current.Current[Any]]:
        heads.restart()
        return lambda: current.seq([heads.of(repo, depth=depth) for repo in repos])

    async with harness(deep("web", depth=1)) as h:
        await h.settle()
        h.engine.pin("head", by="ann", reason="it breaks")
    heads.move("web", "web2")
    for repos, depth in ((("web",), 2), (("web", "api"), 2), (("web",), 2)):
        async with harness(deep(*repos, depth=depth)) as h:
            await h.settle()
            assert h.output == current.Ok(["web1", "api1"][: len(repos)])
            assert problems(h) == []
    async with harness(deep("web", "api", depth=3)) as h:
        await h.settle()
        assert h.output == current.Ok(["web2", "api1"])
        (problem,) = problems(h)
        assert "the pin of head (set by ann: it breaks) holds nothing" in problem
        assert (
            "but head (repo=web, depth=3), head (repo=api, depth=3), which look like it" in problem
        )
        h.engine.pin("head (repo=web, depth=3)", "web1", by="ann")
        h.engine.unpin("head", by="ann")
        await h.settle()
        assert h.output == current.Ok(["web1", "api1"])
        assert problems(h) == []


async def test_a_pin_of_a_stage_that_has_gone_for_good_is_told(harness: HarnessFactory) -> None:
    """Not while a list that may bring it back is not known."""
    heads = Heads()
    repos: current.Var[list[str]] = current.Var("repos", ["web"])

    def pipeline() -> current.Current[Any]:
        return repos.get().list_map(lambda repo: repo.bind(heads.of))

    async with harness(pipeline) as h:
        await h.settle()
        h.engine.pin("web/head", by="ann")
        await h.settle()
        repos.set(current.Active(current.Activity.RUNNING))
        await h.settle()
        await h.advance(HOUR)
        assert problems(h) == []
        repos.set(["api"])
        await h.settle()
        await h.advance(timedelta(seconds=20))
        (problem,) = problems(h)
        assert problem.startswith("the pin of web/head (set by ann) holds nothing")
        repos.set(["api", "web"])
        await h.settle()
        assert problems(h) == []
        assert [pin.output for pin in h.engine.pins] == [current.Ok("web1")]


async def test_equal_twins_are_both_held_until_one_has_a_name(harness: HarnessFactory) -> None:
    """Nobody knows which of them is the stage that was pinned, and it is not let go."""
    heads = Heads()
    async with harness(heads.pipeline("web")) as h:
        await h.settle()
        h.engine.pin("head", by="ann")
    heads.move("web", "web2")
    async with harness(heads.pipeline("web", "web")) as h:
        await h.settle()
        assert h.output == current.Ok(["web1", "web1"])
        (problem,) = problems(h)
        assert problem == (
            "the pin of head (set by ann) holds 2 stages, as only the order of building tells them"
            " apart: give them a name="
        )
        h.engine.unpin("head", by="ann")
        await h.settle()
        assert h.output == current.Ok(["web2", "web2"])


async def test_a_path_that_was_another_stages_when_that_was_pinned_is_not_mixed_up(
    harness: HarnessFactory,
) -> None:
    """The stage that has it now is not pinned, and can't be until the other one is not."""
    heads = Heads()
    async with harness(heads.pipeline("web")) as h:
        await h.settle()
        h.engine.pin("head", by="ann")
    async with harness(heads.pipeline("web", None)) as h:
        await h.settle()
        assert paths(h) == ["head (repo=web)", "head"]
        with pytest.raises(UsageError, match=r"was the path of head \(repo=web\) when that was"):
            h.engine.pin("head", by="ann")
        h.engine.unpin("head (repo=web)", by="ann")
        h.engine.pin("head", by="ann")
        await h.settle()
        assert [(pin.path, pin.value) for pin in h.engine.pins] == [("head", "bare1")]


@given(
    st.lists(
        st.one_of(
            st.tuples(
                st.sampled_from(["code", "list"]),
                st.lists(st.sampled_from(["web", "api", "bare"]), max_size=3, unique=True),
            ),
            st.tuples(st.sampled_from(["pin", "unpin"]), st.sampled_from(["web", "api", "bare"])),
        ),
        max_size=12,
    )
)
@settings(max_examples=examples(40), deadline=None)
def test_exactly_the_stages_that_are_pinned_are_held(acts: list[tuple[str, Any]]) -> None:
    """Whatever twins come and go, in the pipeline's code or while it runs."""

    async def run(state_dir: Path) -> None:
        heads, pins = Heads(), list[ModelPin]()
        rest, code = list(acts), ["web"]
        while True:
            heads.restart()
            repos = current.Var("repos", code)
            async with Harness(partial(heads.listed, repos), state_dir=state_dir) as h:
                await h.settle()
                check(h, heads, pins, code)
                while rest and rest[0][0] != "code":
                    act, what = rest.pop(0)
                    code = do(h, heads, pins, code, repos, act, what)
                    await h.settle()
                    check(h, heads, pins, code)
                if not rest:
                    return
                _, code = rest.pop(0)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder) / "state"))


@dataclass
class ModelPin:
    """A pin is of the stage of a repo, and if there is none, of the one that has its path."""

    path: str
    repo: str
    value: str

    def follow(self, code: list[str], paths: list[str], others: list[ModelPin]) -> bool:
        """True if it holds a stage."""
        if self.repo not in code and self.path in paths:
            repo = code[paths.index(self.path)]
            if all(other.repo != repo for other in others):
                self.repo = repo
        return self.repo in code


def do(
    h: Harness,
    heads: Heads,
    pins: list[ModelPin],
    code: list[str],
    repos: current.Var[list[str]],
    act: str,
    what: Any,
) -> list[str]:
    if act == "list":
        repos.set(what)
        return list(what)
    if what in code:
        path = paths_of(h)[code.index(what)]
        found = [pin for pin in pins if pin.repo == what]
        if act == "pin" and not found:
            with suppress(UsageError):  # It was another one's path, see above.
                h.engine.pin(path, by="ann")
                pins.append(ModelPin(path, what, heads.newest[what]))
                heads.move(what, f"{heads.newest[what]}+")
        elif act == "unpin" and found:
            h.engine.unpin(path, by="ann")
            pins.remove(found[0])
    return code


def paths_of(h: Harness) -> list[str]:
    """The paths of the heads, in the order of the code."""
    return [path for path in paths(h) if path.startswith("head")]


def check(h: Harness, heads: Heads, pins: list[ModelPin], code: list[str]) -> None:
    paths = paths_of(h)
    holding = [pin for pin in pins if pin.follow(code, paths, [p for p in pins if p is not pin])]
    held = {pin.repo: pin.value for pin in holding}
    assert h.output == current.Ok([held.get(name, heads.newest.get(name)) for name in code])
    found = {pin.path: pin.value for pin in h.engine.pins if pin.output is not None}
    assert found == {paths[code.index(pin.repo)]: pin.value for pin in holding}
    assert len(h.engine.pins) == len(pins)
    lost = len(pins) - len(holding)
    assert len(problems(h)) == (lost if code else 0)


# Pauses


class Deploy(Builder[str, str]):
    id = "deploy"

    async def build(self, job: current.Job, key: str) -> str:
        await job.start(level=current.Level.HARMLESS)
        return key


def deployments(*places: str) -> Callable[[], current.Current[Any]]:
    @current.component("deploy")
    def deploy(place: str, version: str) -> current.Primitive[str]:
        return Deploy().get(f"{place} {version}")

    return lambda: current.seq([deploy(place, current.constant("1")) for place in places])


def waiting(h: Harness) -> list[str]:
    """The paths of the stages that wait until something is resumed."""
    found = {path: h.engine.why(path).reasons[0] for path in paths(h)}
    return [path for path, reason in found.items() if isinstance(reason, WaitsForResume)]


@pytest.mark.parametrize("places", [("prod", "test"), ("test", "prod")])
async def test_a_pause_follows_its_stage_when_a_twin_appears(
    harness: HarnessFactory, places: Sequence[str]
) -> None:
    """The twin is not paused. It is resumed by the path that the stage has, or had."""
    config = current.Config(confirm=current.Level.HARMLESS)
    async with harness(deployments("prod"), config=config) as h:
        await h.settle()
        h.engine.pause("deploy", by="ann", reason="an incident")
    async with harness(deployments(*places)) as h:
        await h.settle()
        assert waiting(h) == ["deploy (place=prod)"]
        assert problems(h) == []
        h.engine.pause("deploy (place=prod)", by="bob")
        (pause,) = h.engine.pauses
        assert pause.by == "bob"
        h.engine.resume("deploy (place=prod)", by="bob")
        await h.settle()
        assert waiting(h) == []
        assert h.engine.pauses == ()


async def test_a_pause_follows_its_stage_when_the_twin_has_gone(harness: HarnessFactory) -> None:
    """If the stage itself has gone, that is told, and its twin is not paused."""
    config = current.Config(confirm=current.Level.HARMLESS)
    async with harness(deployments("prod", "test"), config=config) as h:
        await h.settle()
        h.engine.pause("deploy (place=prod)", by="ann")
    async with harness(deployments("test")) as h:
        await h.settle()
        assert waiting(h) == []
        assert [pause.alike for pause in h.engine.pauses] == [("deploy",)]
        (problem,) = problems(h)
        assert "the pause of deploy (place=prod) (set by ann) holds nothing" in problem
        assert "but deploy, which looks like it" in problem
    async with harness(deployments("prod")) as h:
        await h.settle()
        assert waiting(h) == ["deploy"]
        assert problems(h) == []
        h.engine.resume("deploy", by="ann")
        await h.settle()
        assert waiting(h) == []


# Mutes


def failing(*places: str) -> Callable[[], current.Current[Any]]:
    @current.component("check")
    def check(place: str) -> current.Primitive[str]:
        raise current.Failure("no answer")

    return lambda: current.all([check(place) for place in places])


async def test_a_mute_follows_its_stage_when_twins_come_and_go(harness: HarnessFactory) -> None:
    """The twin fails what is above; it is ended by the path that the stage has."""
    async with harness(failing("prod")) as h:
        await h.settle()
        h.engine.mute("check", by="ann", reason="it is known")
        await h.settle()
        assert (h.stats.muted, h.stats.failed) == (1, 0)
    for places in (("prod", "test"), ("test", "prod")):
        async with harness(failing(*places)) as h:
            await h.settle()
            assert (h.stats.muted, h.stats.failed) == (1, 1)
            h.engine.mute("check (place=prod)", by="bob", reason="still")
            await h.settle()
            assert (h.stats.muted, h.stats.failed) == (1, 1)
            assert [mute.by for mute in h.engine.mutes] == ["bob"]
    async with harness(failing("test")) as h:
        await h.settle()
        assert (h.stats.muted, h.stats.failed) == (1, 0), "it has the path of what was muted"
        h.engine.unmute("check", by="bob")
        await h.settle()
        assert h.stats.failed == 1
