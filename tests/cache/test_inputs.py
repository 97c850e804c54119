"""Inputs: values that people set, and that an engine keeps."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pycurrent as current
from pycurrent.cache import Inputs, InputState, NoSuchInput, UnstableType, UnstableValue
from pycurrent.engine import Asker
from pycurrent.errors import UsageError
from pycurrent.store import DatabaseReader
from pycurrent.term import evaluate
from pycurrent.testing import Harness, HarnessFactory

from ..effort import examples


class Deploy(current.Builder[str, str]):
    id = "deploy"

    async def build(self, job: current.Job, key: str) -> str:
        await job.start(level=current.Level.HARMLESS)
        return f"deployed {key}"


@current.component("deploy {replicas}")
def deploy(replicas: int) -> current.Primitive[str]:
    return Deploy().get(str(replicas))


def states(h: Harness) -> dict[str, InputState]:
    return {state.name: state for state in h.engine.service(Inputs).all()}


async def test_an_input_has_its_default_until_it_is_set(harness: HarnessFactory) -> None:
    """And then the value that was set, from the next step on."""
    async with harness(lambda: current.Input("replicas", 2).get()) as h:
        assert h.output == current.Ok(2)
        h.engine.set_input("replicas", 3)
        await h.settle()
        assert h.output == current.Ok(3)


async def test_a_value_holds_after_a_restart(harness: HarnessFactory) -> None:
    """With who has set it, when, and why; and nothing is built again."""

    def pipeline() -> current.Current[str]:
        return deploy(current.Input("replicas", 2).get())

    async with harness(pipeline) as h:
        await h.settle()
        h.engine.set_input("replicas", 3, by="ann", reason="more load")
        await h.settle()
    async with harness(pipeline) as h:
        await h.settle()
        assert h.output == current.Ok("deployed 3")
        assert [build.key for build in h.history()] == ["2", "3"]
        assert states(h)["replicas"] == InputState(
            name="replicas",
            type="int",
            value="3",
            is_set=True,
            by="ann",
            at=datetime(2026, 1, 1, tzinfo=UTC),
            reason="more load",
            failure=None,
        )


async def test_a_value_is_on_disk_once_the_call_has_returned(
    harness: HarnessFactory, tmp_path: Path
) -> None:
    """A kill right after it loses nothing: another connection sees it before any step."""
    async with harness(lambda: current.Input("replicas", 2).get()) as h:
        h.engine.set_input("replicas", 3, by="ann")
        with DatabaseReader.open(h.engine.opened.state.database) as reader:
            assert [(record.subject, record.value) for record in reader.overrides()] == [
                ("replicas", "3")
            ]
            assert [row.what for row in reader.audit()] == ["set input"]


async def test_setting_an_input_is_a_change_and_an_act(harness: HarnessFactory) -> None:
    """The job that runs for it follows from who has set what, and why."""

    def pipeline() -> current.Current[str]:
        return deploy(current.Input("replicas", 2).get())

    async with harness(pipeline) as h:
        await h.settle()
        ann = Asker("ann", "admin", "api")
        h.engine.set_input("replicas", 3, by=ann, reason="more load")
        await h.settle()
        (change,) = h.engine.opened.store.changes_of_job(h.find("deploy 3").id)
        assert (change.summary, change.by) == ("replicas: 2 → 3, by ann: more load", "ann")
        (act,) = h.engine.audit()
        assert (act.who, act.role, act.via, act.what) == ("ann", "admin", "api", "set input")
        assert (act.subject, act.before, act.after) == ("replicas", "2", "3")
        assert act.reason == "more load"


async def test_what_code_sets_for_nobody_is_no_act(harness: HarnessFactory) -> None:
    """As with the acts on jobs: the audit is about people and programs that have a name."""
    async with harness(lambda: current.Input("replicas", 2).get()) as h:
        h.engine.set_input("replicas", 3)
        await h.settle()
        assert h.engine.audit() == []
        assert states(h)["replicas"].by is None


async def test_a_bad_value_is_refused_and_changes_nothing(harness: HarnessFactory) -> None:
    """The message says what is wrong with which value."""
    async with harness(lambda: current.Input("replicas", 2).get()) as h:
        h.engine.set_input("replicas", 3, by="ann")
        with pytest.raises(UnstableValue, match="value of input 'replicas' is of type str, not in"):
            h.engine.set_input("replicas", "many", by="bob")
        with pytest.raises(UsageError, match=r"'many' is refused: the value .* type str, not int"):
            h.engine.service(Inputs).set_text("replicas", "many", by="bob")
        await h.settle()
        assert h.output == current.Ok(3)
        assert states(h)["replicas"].by == "ann"
        assert [act.who for act in h.engine.audit()] == ["ann"]


async def test_an_input_that_no_stage_uses_can_not_be_set(harness: HarnessFactory) -> None:
    """The error names those that are used now."""
    used = current.Var("used", False)
    extra = current.Input("extra", 1)

    def pipeline() -> current.Current[int]:
        more = used.get().bind(lambda yes: extra.get() if yes else current.constant(0))
        return current.map(lambda a, b: a + b, current.Input("replicas", 2).get(), more)

    async with harness(pipeline) as h:
        with pytest.raises(NoSuchInput, match="no input 'extra': it uses 'replicas'"):
            h.engine.set_input("extra", 5)
        used.set(True)
        await h.settle()
        h.engine.set_input("extra", 5)
        await h.settle()
        assert h.output == current.Ok(7)
        used.set(False)
        await h.settle()
        assert [*states(h)] == ["replicas"]
        used.set(True)
        await h.settle()
        assert h.output == current.Ok(7), "it was kept"


async def test_a_value_that_can_not_be_read_back_is_a_failure(harness: HarnessFactory) -> None:
    """Never the default: only setting the input again helps."""
    async with harness(lambda: current.Input("size", 2).get()) as h:
        h.engine.set_input("size", 3)
    sizes = Literal["small", "large"]
    async with harness(lambda: current.Input("size", "small", type=sizes).get()) as h:
        await h.settle()
        why = "the stored value of input 'size' is of type int, not str: set the input again"
        assert h.output == current.Failed(why)
        assert states(h)["size"].failure == why
        h.engine.set_input("size", "large")
        await h.settle()
        assert h.output == current.Ok("large")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            current.Input("size", "2"),
            "input 'size' has two types, int and str: give one of them another name",
        ),
        (
            current.Input("size", 3),
            "input 'size' has two defaults, 2 and 3: give one of them another name",
        ),
    ],
)
async def test_one_name_has_one_type_and_one_default(
    harness: HarnessFactory, other: current.Input[Any], message: str
) -> None:
    """Else all stages of the name fail, and it can't be set, as long as both are used."""
    both = current.Var("both", True)

    def pipeline() -> current.Current[Any]:
        second = both.get().bind(lambda yes: other.get() if yes else current.constant(0))
        first = current.Input("size", 2).get()
        return current.map(lambda *all: all, first.state(), second.state())

    async with harness(pipeline) as h:
        await h.settle()
        assert h.output == current.Ok((current.Failed(message),) * 2)
        with pytest.raises(UsageError, match="has two"):
            h.engine.set_input("size", 2)
        both.set(False)
        await h.settle()
        assert h.output == current.Ok((current.Ok(2), current.Ok(0)))


async def test_two_of_the_same_name_and_type_are_one_input(harness: HarnessFactory) -> None:
    """Both stages change in one step, which is one change."""

    def pipeline() -> current.Current[tuple[int, int]]:
        return current.pair(current.Input("n", 1).get(), current.Input("n", 1).get())

    async with harness(pipeline) as h:
        h.engine.set_input("n", 2)
        await h.settle()
        assert h.output == current.Ok((2, 2))
        changes = h.engine.opened.store.changes()
        assert [change.summary for change in changes] == ["n: 1 → 2", "n: 1"]


async def test_setting_the_same_value_again_starts_nothing(harness: HarnessFactory) -> None:
    """But it is known who has asked for it last."""
    seen: list[int] = []

    def pipeline() -> current.Current[None]:
        return current.Input("n", 1).get().map(seen.append)

    async with harness(pipeline) as h:
        h.engine.set_input("n", 1, by="ann")
        await h.settle()
        assert seen == [1]
        assert (states(h)["n"].is_set, states(h)["n"].by) == (True, "ann")


TYPED = [
    (2, None, "7", 7),
    (2.5, None, "7", 7.0),
    (True, None, "false", False),
    ("main", None, "v1 (beta)", "v1 (beta)"),
    ("main", None, "7", "7"),
    ("main", None, "null", "null"),
    (None, int | None, "null", None),
    (None, int | None, "7", 7),
    (("a",), tuple[str, ...], '["b", "c"]', ("b", "c")),
    (current.Level.HARMLESS, None, "AVERAGE", current.Level.AVERAGE),
    (Path("a"), Path, "b/c", Path("b/c")),
    ("eu", Literal["eu", "us"], "us", "us"),
]


@pytest.mark.parametrize(("default", "kind", "text", "value"), TYPED)
async def test_a_value_is_typed_as_people_write_it(
    harness: HarnessFactory, default: object, kind: object, text: str, value: object
) -> None:
    """A word or a number as it is, anything else as JSON; the type decides. What is shown can be
    typed again.
    """
    async with harness(lambda: current.Input("x", default, type=kind).get()) as h:
        inputs = h.engine.service(Inputs)
        state = inputs.set_text("x", text)
        await h.settle()
        assert h.output == current.Ok(value)
        assert inputs.set_text("x", state.plain).value == state.value


def test_a_type_without_a_stable_form_is_refused_at_once() -> None:
    """And so is a default that is not of the type, and one that does not tell it."""
    with pytest.raises(
        UnstableType, match="value of input 'x' has type builtin_function_or_method"
    ):
        current.Input("x", open)
    with pytest.raises(UnstableValue, match="value of input 'x' is of type str, not int"):
        current.Input("x", "a", type=int)
    with pytest.raises(UsageError, match="the default of input 'x', None, does not tell its type"):
        current.Input("x", None)
    with pytest.raises(UsageError, match="an Input needs a name"):
        current.Input(" ", 1)


def test_without_an_engine_an_input_has_its_default() -> None:
    """Nobody has set it there."""
    assert evaluate(current.Input("n", 1).get().map(lambda n: n + 1)) == current.Ok(2)


async def test_two_engines_do_not_share_a_value(harness: HarnessFactory, tmp_path: Path) -> None:
    """The same input in each has that engine's own."""
    n = current.Input("n", 1)
    async with harness(n.get) as one, Harness(n.get, state_dir=tmp_path / "other") as other:
        one.engine.set_input("n", 2)
        await one.settle()
        await other.settle()
        assert (one.output, other.output) == (current.Ok(2), current.Ok(1))


async def test_an_input_belongs_to_the_thread_of_its_engine(harness: HarnessFactory) -> None:
    """From another one it says what to do."""
    async with harness(current.Input("n", 1).get) as h:
        with pytest.raises(UsageError, match=r"loop\.call_soon_threadsafe"):
            await asyncio.to_thread(h.engine.set_input, "n", 2)


ACTS = st.one_of(
    st.tuples(st.just("set"), st.sampled_from(["a", "b"]), st.integers(0, 3)),
    st.tuples(st.just("bad"), st.sampled_from(["a", "b", "c"]), st.just("x")),
    st.tuples(st.just("use b"), st.booleans(), st.none()),
    st.tuples(st.just("restart"), st.none(), st.none()),
    st.tuples(st.just("settle"), st.none(), st.none()),
)


@given(st.lists(ACTS, max_size=12))
@settings(max_examples=examples(30))
def test_inputs_are_as_they_were_set_last(acts: list[tuple[str, Any, Any]]) -> None:
    """Whatever is set, refused, used no more or used again, and however often it is restarted."""

    async def run(state_dir: Path) -> None:
        known = {"a": 0, "b": 0}
        use_b = current.Var("use b", True)

        def pipeline() -> current.Current[tuple[int, int]]:
            b = use_b.get().bind(
                lambda yes: current.Input("b", 0).get() if yes else current.constant(-1)
            )
            return current.pair(current.Input("a", 0).get(), b)

        rest = list(acts)
        while True:
            async with Harness(pipeline, state_dir=state_dir) as h:
                uses_b = use_b.output == current.Ok(True)
                while rest and (act := rest.pop(0))[0] != "restart":
                    uses_b = await _do(h, act, known, use_b, uses_b=uses_b)
                await h.settle()
                b = known["b"] if use_b.output == current.Ok(True) else -1
                assert h.output == current.Ok((known["a"], b))
            if not rest:
                return

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))


async def _do(
    h: Harness,
    act: tuple[str, Any, Any],
    known: dict[str, int],
    use_b: current.Var[bool],
    *,
    uses_b: bool,
) -> bool:
    """Do one act; True if `b` is used after it, as of the last step."""
    match act:
        case ("set", name, value) if name == "a" or uses_b:
            h.engine.set_input(name, value, by="ann")
            known[name] = value
        case ("set" | "bad", name, value):
            with pytest.raises(UsageError):
                h.engine.set_input(name, value)
        case ("use b", yes, _):
            use_b.set(yes)
            await h.settle()
            return bool(yes)
        case _:
            await h.settle()
    return uses_b
