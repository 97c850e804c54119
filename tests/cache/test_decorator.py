"""The short forms of operations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from pycurrent.cache import Builder, Schedule, builder, publisher
from pycurrent.engine import Config, DrivenJob, Job, JobState, Level, Pool
from pycurrent.errors import UsageError
from pycurrent.term import Active, Activity, Current, Failed, Ok, Var, constant, pair
from pycurrent.testing import Harness

from .workshop import SECOND, OpenEngine


@dataclass(frozen=True)
class Place:
    name: str


async def test_a_function_of_job_and_key_becomes_one_of_currents(engine: OpenEngine) -> None:
    """The arguments may be currents or plain values, by position or by name."""

    @builder("add", level=Level.HARMLESS)
    async def add(job: Job, left: int, right: int = 10) -> int:
        job.log("adding")
        return left + right

    number = Var("number", 1)

    def pipeline() -> Current[Any]:
        return pair(add(number.get(), right=constant(2)), add(5))

    async with engine(pipeline) as h:
        await h.settle()
        assert h.output == Ok((3, 15))
        assert sorted(job.description for job in h.jobs.values()) == ["add 1 2", "add 5 10"]
        assert "adding" in h.log("add 1 2")
        number.set(4)
        await h.settle()
        assert h.output == Ok((6, 15))
        assert len(h.history("add")) == 3


async def test_a_builder_without_a_key_is_made_once(engine: OpenEngine) -> None:
    """Its key is empty."""

    @builder("fetch", level=Level.HARMLESS)
    async def fetch(job: Job) -> str:
        return "fetched"

    async with engine(lambda: pair(fetch(), fetch())) as h:
        await h.settle()
        assert h.output == Ok(("fetched", "fetched"))
        assert [(b.key, b.build) for b in h.history()] == [("[]", 0)]


async def test_keys_and_values_have_the_annotated_types(engine: OpenEngine) -> None:
    """They come back as they were, also from another engine."""

    @builder("visit", level=Level.HARMLESS)
    async def visit(job: Job, place: Place, times: tuple[int, ...]) -> list[Place]:
        return [place for _ in times]

    for _ in range(2):
        async with engine(lambda: visit(Place("here"), (1, 2))) as h:
            await h.settle()
            assert h.output == Ok([Place("here"), Place("here")])
            assert len(h.history()) == 1


async def test_without_annotations_plain_values_are_fine_and_others_are_refused(
    engine: OpenEngine,
) -> None:
    """A value that has no stable form is the component's failure."""

    @builder("plain", level=Level.HARMLESS)
    async def plain(job, key):  # type: ignore[no-untyped-def]
        return key * 2

    def pipeline() -> Current[Any]:
        return pair(plain(21).state(), plain(Place("here")).state())  # type: ignore[no-untyped-call]

    async with engine(pipeline) as h:
        await h.settle()
        assert isinstance(h.output, Ok)
        good, bad = h.output.value
        assert good == Ok(42)
        assert isinstance(bad, Failed)
        assert "plain" in bad.message


async def test_with_a_level_the_job_is_started_first(engine: OpenEngine, tmp_path: Any) -> None:
    """At that level, in that pool, with that timeout."""
    pool = Pool("few", 1)
    seen: list[Any] = []

    @builder("push", level=Level.DANGEROUS, pool=pool, timeout=timedelta(seconds=3))
    async def push(job: Job, key: str) -> str:
        assert isinstance(job, DrivenJob)
        seen.append((job.state, job.level, job.pool))
        return key

    config = Config(confirm=Level.AVERAGE)
    async with Harness(lambda: push("a"), state_dir=tmp_path, config=config) as h:
        await h.settle()
        assert h.output == Active(Activity.WAITING_FOR_CONFIRMATION)
        assert seen == []
        h.find("push a").approve()
        await h.settle()
        assert seen == [(JobState.RUNNING, Level.DANGEROUS, pool)]
        assert h.output == Ok("a")


async def test_without_a_level_the_function_starts_the_job_itself(engine: OpenEngine) -> None:
    """One that does not is told so."""

    @builder("lazy")
    async def lazy(job: Job, start: bool) -> str:
        if start:
            await job.start(level=Level.HARMLESS)
        return "done"

    async with engine(lambda: pair(lazy(True).state(), lazy(False).state())) as h:
        await h.settle()
        assert isinstance(h.output, Ok)
        started, not_started = h.output.value
        assert started == Ok("done")
        assert "job.start" in not_started.message


async def test_the_label_shows_the_parameters(engine: OpenEngine) -> None:
    """All of them, or what the label says."""

    @builder("one", level=Level.HARMLESS)
    async def one(job: Job, a: str, b: str) -> str:
        return a

    @builder("two", level=Level.HARMLESS, label="just {b}")
    async def two(job: Job, a: str, b: str) -> str:
        return a

    async with engine(lambda: pair(one("x", "y"), two("x", "y"))) as h:
        assert "one x y" in h.dot()
        assert "just y" in h.dot()


async def test_schedule_and_auto_cancel_are_passed_on(engine: OpenEngine) -> None:
    """As with a class."""
    runs: list[str] = []

    @builder("daily", level=Level.HARMLESS, schedule=Schedule(SECOND), auto_cancel=True)
    async def daily(job: Job, key: str) -> str:
        runs.append(key)
        return key

    async with engine(lambda: daily("a")) as h:
        await h.settle()
        await h.advance(SECOND)
        assert runs == ["a", "a"]
        assert daily.__name__ == "daily"


def test_what_cant_be_a_builder_is_refused_where_it_is_written() -> None:
    """The message names the builder and says what to do."""
    with pytest.raises(UsageError, match=r"'x'.*pool, timeout and priority need a level"):
        builder("x", pool=Pool("p", 1))
    with pytest.raises(UsageError, match=r"'x'.*job, key"):

        @builder("x")  # type: ignore[arg-type]
        async def nothing() -> str:
            return ""

    with pytest.raises(UsageError, match=r"'x'.*without \*"):

        @builder("x")
        async def many(job: Job, *keys: str) -> str:
            return ""

    with pytest.raises(UsageError, match=r"'x'.*async"):

        @builder("x")  # type: ignore[arg-type]
        def plain(job: Job, key: str) -> str:
            return ""

    with pytest.raises(UsageError, match=r"'x'.*Missing"):

        @builder("x")
        async def unknown(job: Job, key: Missing) -> str:  # type: ignore[name-defined]  # noqa: F821
            return ""


def test_the_type_of_the_job_need_not_be_there_at_run_time() -> None:
    """It may be imported for type checkers only."""

    @builder("x")
    async def fine(job: OnlyForTypeCheckers, key: str) -> str:  # type: ignore[name-defined]  # noqa: F821
        return ""


# Publishers


async def test_a_publisher_sets_its_key_to_the_value(engine: OpenEngine) -> None:
    """Again where it had another value meanwhile, which a builder would not do."""
    version = Var("version", "1")
    sent: list[tuple[str, str, bool]] = []

    @publisher("deploy", level=Level.HARMLESS)
    async def deploy(job: Job, place: str, *, version: str, loud: bool = False) -> str:
        """Send it there."""
        sent.append((place, version, loud))
        return f"{version} in {place}"

    async with engine(lambda: deploy("here", version=version.get())) as h:
        await h.settle()
        assert h.output == Ok("1 in here")
        assert "deploy here 1 False" in h.dot()
        for value in ("2", "1"):
            version.set(value)
            await h.settle()
        assert h.output == Ok("1 in here")
        assert [value for _, value, _ in sent] == ["1", "2", "1"]
        (record,) = {(row.op, row.job_id) for row in h.history("deploy")[:1]}
        assert record[0] == "deploy"
        assert (deploy.__name__, deploy.__doc__) == ("deploy", "Send it there.")


async def test_two_values_of_one_publisher_are_in_conflict(engine: OpenEngine) -> None:
    """As with a class; one without a key has one value as a whole."""

    @publisher("announce", level=Level.HARMLESS)
    async def announce(job: Job, *, version: str) -> None:
        pass

    def pipeline() -> Current[Any]:
        return pair(announce(version="1"), announce(version="2"))

    async with engine(pipeline) as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert "is set to two values at once" in h.output.message


async def test_a_latched_publisher_reports_its_last_outcome(engine: OpenEngine) -> None:
    """While the next value is being set."""
    value = Var("value", 1)

    @publisher("set", latched=True)
    async def set_to(job: Job, key: str, *, value: int) -> int:
        await job.start(level=Level.HARMLESS if value == 1 else Level.DANGEROUS)
        return value

    async with engine(lambda: set_to("a", value=value.get())) as h:
        await h.settle()
        h.engine.config.confirm = Level.DANGEROUS
        value.set(2)
        await h.settle()
        assert h.output == Ok(1)


@pytest.mark.parametrize("level", [Level.HARMLESS, None])
async def test_a_publisher_retires_what_has_gone(engine: OpenEngine, level: Level | None) -> None:
    """With the key in its parts, and the outcome. Without a level its function starts the job."""
    there = Var[list[str]]("there", ["a", "b"])
    sent: dict[tuple[str, int], str] = {}

    async def start(job: Job) -> None:
        if level is None:
            await job.start(level=Level.HARMLESS)

    async def take_back(job: Job, place: str, port: int, outcome: str) -> None:
        await start(job)
        assert sent.pop((place, port)) == outcome

    @publisher("deploy", level=level, retire=take_back)
    async def deploy(job: Job, place: str, port: int, *, version: str) -> str:
        await start(job)
        sent[place, port] = version
        return version

    def pipeline() -> Current[None]:
        return there.get().list_iter(lambda place: deploy(place, 80, version="1").ignore())

    async with engine(pipeline) as h:
        await h.settle()
        assert sent == {("a", 80): "1", ("b", 80): "1"}
        there.set(["b"])
        await h.settle()
        assert sent == {("b", 80): "1"}


def test_a_retire_that_does_not_fit_is_refused() -> None:
    """Of the wrong kind by the decorator, with other parameters above the function."""

    def plain(job: Job, place: str, outcome: None) -> None:
        pass

    async def other(job: Job, outcome: None) -> None:
        pass

    wrong: list[tuple[Any, str]] = [
        (3, r"retire= takes an async function of \(job, key ..., outcome\), not 3"),
        (plain, r"plain \(test_dec.*\) must be an async function"),
        (other, r"other \(test_dec.*\) must be a function of \(job, place, outcome\)"),
    ]
    for retire, message in wrong:
        with pytest.raises(UsageError, match=f"^publisher 'x': {message}"):

            @publisher("x", retire=retire)
            async def deploy(job: Job, place: str, *, version: str) -> None:
                pass


FORMS: list[Any] = [builder, publisher]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": "harmless"}, "level= takes a Level, not 'harmless': write Level.HARMLESS"),
        ({"level": 3}, "level= takes a Level, not 3"),
        ({"level": Level.AVERAGE, "pool": 2}, r'takes a Pool, not 2: write Pool\("builds", 2\)'),
        ({"level": Level.AVERAGE, "pool": "p"}, "takes a Pool, not 'p'"),
        ({"level": Level.AVERAGE, "timeout": "5m"}, "takes seconds or a timedelta, not '5m'"),
        ({"level": Level.AVERAGE, "timeout": -1}, "longer than nothing, not -1"),
        ({"schedule": timedelta(days=1)}, r"takes a Schedule, not timedelta: write Schedule"),
        ({"label": 3}, "label= takes a text, not 3"),
        ({"auto_cancel": "yes"}, "auto_cancel= takes True or False, not 'yes'"),
    ],
)
def test_an_option_of_the_wrong_kind_is_refused(
    form: Any, options: dict[str, Any], message: str
) -> None:
    """By the decorator, which names the operation."""
    with pytest.raises(UsageError, match=f"^{form.__name__} 'x': .*{message}"):
        form("x", **options)


@pytest.mark.parametrize("form", FORMS)
def test_a_function_of_the_wrong_form_is_refused(form: Any) -> None:
    """With its name, its place and what to write."""

    async def plain(job: Job, key: str) -> str:
        return key

    async def no_job(key: str, *, value: int) -> str:
        return key

    async def method(self: Any, job: Job) -> str:
        return ""

    async def yields(job: Job, key: str) -> Any:
        yield key

    place = r"\(test_decorator.py:\d+\)"
    with pytest.raises(UsageError, match=rf'^plain {place}: {form.__name__} needs .*@.*\("plain"'):
        form(plain)
    with pytest.raises(UsageError, match="takes an id, a text, not 3"):
        form(3)
    for fn, message in (
        (no_job, "its first parameter is the job, not 'key'"),
        (method, "is a method: make it a function"),
        (yields, "must not yield"),
        (5, "is put above an async function, not above 5"),
    ):
        with pytest.raises(UsageError, match=message):
            form("x")(fn)
    with pytest.raises(UsageError, match=r"shows \{nme\}; it can show \{key\}"):
        builder("x", label="{nme}")(plain)
    with pytest.raises(UsageError, match=r"what has none is a @builder"):
        publisher("x")(plain)


def test_wrong_arguments_are_told_with_the_parameters() -> None:
    """By the function's name, where it is called."""

    @publisher("x", level=Level.HARMLESS)
    async def deploy(job: Job, place: str, *, version: str) -> None:
        pass

    calls: list[tuple[Any, str]] = [
        (deploy, "missing a required argument: 'place'"),
        (lambda: deploy("a", "b"), "too many positional arguments"),  # type: ignore[call-arg]
        (lambda: deploy("a", versoin="b"), "missing a required (keyword-only )?argument"),  # type: ignore[call-arg]
    ]
    for call, message in calls:
        with pytest.raises(UsageError, match=rf"^deploy \(test_dec.*\): {message}") as raised:
            call()
        assert "its parameters are (place: str, *, version: str)" in str(raised.value)


def test_the_method_of_a_class_is_async() -> None:
    """One that is not is refused where the class is written."""
    with pytest.raises(
        UsageError, match=r"Plain: Plain.build \(test_dec.*\) must be an async method"
    ):

        class Plain(Builder[str, str]):
            id = "plain"

            def build(self, job: Job, key: str) -> str:  # type: ignore[override]
                return key


async def test_start_says_what_it_takes(engine: OpenEngine) -> None:
    """As the failure of the job, whether anybody has to confirm it or not."""

    @builder("late")
    async def late(job: Job, level: str) -> None:
        await job.start(level=level)  # type: ignore[call-overload]

    async with engine(lambda: late("harmless")) as h:
        await h.settle()
        message = "job.start: level= takes a Level, not 'harmless': write Level.HARMLESS"
        assert isinstance(h.output, Failed)
        assert h.output.message.startswith(message)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("coroutine", "returned a coroutine: await it"),
        ("current", "returned a current: return the value"),
        ("generator", "returned a generator: it can be read only once"),
        ("list", "returned a list that holds a current: "),
    ],
)
async def test_what_a_function_returns_is_a_value(
    engine: OpenEngine, given: str, said: str
) -> None:
    """The message names the operation, and says what to write."""

    async def inner() -> str:
        return "x"

    @builder("frob", level=Level.HARMLESS)
    async def frob(job: Job, key: str) -> Any:
        match key:
            case "coroutine":
                return inner()
            case "current":
                return constant(3)
            case "generator":
                return (n for n in range(3))
            case _:
                return [constant(3)]

    async with engine(lambda: frob(given)) as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert h.output.message.startswith("operation 'frob' (test_decorator.py:")
        assert said in h.output.message
