"""`check_builder` and `check_operation`: good ones pass, each kind of broken one is caught."""

import asyncio
import itertools
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest

from pycurrent import (
    Builder,
    Failure,
    Job,
    Level,
    Operation,
    Pool,
    Primitive,
    Publisher,
    Retry,
    Schedule,
    builder,
)
from pycurrent.testing import check_builder, check_operation


@dataclass(frozen=True)
class Source:
    """A key with several fields."""

    name: str
    versions: tuple[int, ...] = (1, 2)


@dataclass(frozen=True)
class Good(Builder[Source, list[str]]):
    """Does all that a builder should, with a context."""

    id: ClassVar[str] = "good"
    token: str = "secret"

    async def build(self, job: Job, key: Source) -> list[str]:
        await job.start(level=Level.AVERAGE, pool=Pool("few", 1), timeout=60)
        if not key.name:
            raise Failure("the source has no name")
        async with job.tempdir("good") as folder:
            await job.exec(["touch", "made"], cwd=folder)
            (folder / "more").mkdir()
            await job.exec(["sleep", "0.3"])
            return sorted(path.name for path in folder.iterdir())

    def describe(self, key: Source) -> str:
        return f"good {key.name}"


class Simple(Builder[str, str]):
    """A builder that only succeeds; the broken ones differ from it in one thing."""

    id = "simple"

    async def build(self, job: Job, key: str) -> str:
        await job.start(level=Level.HARMLESS)
        return await self.work_on(job, key)

    async def work_on(self, job: Job, key: str) -> str:
        return key.upper()


class Push(Publisher[str, Source, int]):
    """Does all that a publisher should."""

    id = "push"

    async def publish(self, job: Job, key: str, value: Source) -> int:
        await job.start(level=Level.DANGEROUS)
        if not value.name:
            raise Failure("nothing to push")
        return len(value.versions)


class Test(Operation[str, Source, int]):
    """The general form of the same."""

    __test__ = False
    id = "test"

    async def run(self, job: Job, key: str, value: Source) -> int:
        await job.start(level=Level.AVERAGE)
        return len(value.versions)


@builder("frob", level=Level.HARMLESS)
async def frob(job: Job, name: str, times: int) -> str:
    """The short form, of two parameters."""
    return name * times


# What passes


async def test_a_good_builder_passes(tmp_path: Path) -> None:
    """With all that can be said of it."""
    await check_builder(
        Good(),
        Source("a"),
        value=["made", "more"],
        others=[Source("b"), Source("a", ())],
        failing=Source(""),
        other_context=Good(token="another"),
        state_dir=tmp_path,
    )


async def test_a_check_can_be_repeated(tmp_path: Path) -> None:
    """In the same folder: it uses new ones there."""
    for _ in range(2):
        await check_builder(Simple(), "a", state_dir=tmp_path / "new")


async def test_a_function_can_be_checked(tmp_path: Path) -> None:
    """The key of one with several parameters is a tuple."""
    await check_builder(frob, ("ab", 2), value="abab", others=[("ab", 3)], state_dir=tmp_path)


async def test_publishers_and_operations_pass(tmp_path: Path) -> None:
    """Each has keys, values and outcomes."""
    await check_operation(
        Push(),
        "a",
        Source("x"),
        outcome=2,
        others=[("a", Source("y"))],
        failing=("a", Source("")),
        state_dir=tmp_path,
    )
    await check_operation(Test(), "a", Source("x"), state_dir=tmp_path)


async def test_something_else_is_refused(tmp_path: Path) -> None:
    """With a message that says what it takes."""
    with pytest.raises(TypeError, match="is neither a Builder"):
        await check_builder(42, "a", state_dir=tmp_path)  # type: ignore[arg-type]


# What is stored and shown


class NoId(Simple):
    id = ""


class Handle:
    """Has no stable form."""


class OfHandle(Builder[Handle, str]):
    id = "of-handle"

    async def build(self, job: Job, key: Handle) -> str:
        raise NotImplementedError


class Changing:
    """A key whose text changes."""

    numbers = itertools.count()

    def to_json(self) -> object:
        return next(self.numbers)

    @classmethod
    def from_json(cls, data: object) -> Self:
        return cls()


class Unequal:
    """A key that is not equal when it is read back."""

    def to_json(self) -> object:
        return "x"

    @classmethod
    def from_json(cls, data: object) -> Self:
        return cls()


class Unreadable(Unequal):
    @classmethod
    def from_json(cls, data: object) -> Self:
        raise KeyError("name")


@dataclass(frozen=True)
class Lossy:
    """Keys that are told apart by what is not stored."""

    name: str
    version: int

    def to_json(self) -> object:
        return self.name

    @classmethod
    def from_json(cls, data: object) -> Self:
        return cls(str(data), 1)


def of(key_type: type) -> Builder[Any, str]:
    """A builder with keys of this type."""

    class Of(Builder[key_type, str]):  # type: ignore[valid-type]
        id = "of"

        async def build(self, job: Job, key: Any) -> str:
            raise NotImplementedError

    return Of()


@pytest.mark.parametrize(
    ("subject", "key", "others", "message"),
    [
        (NoId(), "a", [], "has an id.*needs an id"),
        (OfHandle(), Handle(), [], "types that can be stored; key of operation 'of-handle'"),
        (Simple(), 12, [], r"its key can be stored; .*str.* Use None, numbers"),
        (of(Changing), Changing(), [], "same text each time; it was 0 and then 1"),
        (of(Unequal), Unequal(), [], "equal after having been stored"),
        (of(Unreadable), Unreadable(), [], "can be read back; .*KeyError: 'name'"),
        (of(Lossy), Lossy("a", 1), [Lossy("a", 2)], "(?s)different keys|equal after"),
    ],
)
async def test_unstable_keys_are_caught(
    tmp_path: Path, subject: Builder[Any, Any], key: object, others: list[object], message: str
) -> None:
    """Without running anything."""
    with pytest.raises(AssertionError, match=message):
        await check_builder(subject, key, others=others, state_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_an_unstable_value_is_caught(tmp_path: Path) -> None:
    """Of a publisher, whose value is stored as its key is."""

    class SetHandle(Push):
        id = "set-handle"

    with pytest.raises(AssertionError, match="'set-handle' breaks a rule: its value can be stor"):
        await check_operation(SetHandle(), "a", "no source", state_dir=tmp_path)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("title", "message"),
    [
        ("", "for 'a' it is ''"),
        ("  ", "for 'a' it is '  '"),
        (None, "for 'a' it is None"),
        ("two\nlines", "line breaks"),
        ("end\n", "line breaks"),
        (KeyError("x"), "`describe` raises KeyError"),
    ],
)
async def test_bad_descriptions_are_caught(tmp_path: Path, title: object, message: str) -> None:
    """A description is a line, and is always there."""

    class Described(Simple):
        def describe(self, key: str) -> str:
            if isinstance(title, Exception):
                raise title
            return title  # type: ignore[return-value]

    with pytest.raises(AssertionError, match=message):
        await check_builder(Described(), "a", state_dir=tmp_path)


async def test_a_changing_description_is_caught(tmp_path: Path) -> None:
    """People find a job by it."""
    numbers = itertools.count()

    class Counted(Simple):
        def describe(self, key: str) -> str:
            return f"{key} {next(numbers)}"

    with pytest.raises(AssertionError, match="it is 'a 0', and the next time 'a 1'"):
        await check_builder(Counted(), "a", state_dir=tmp_path)


# What it does


class NeverStarts(Simple):
    async def build(self, job: Job, key: str) -> str:
        return key


class ForgetsAwait(Simple):
    async def build(self, job: Job, key: str) -> str:
        job.start(level=Level.HARMLESS).close()
        return key


class StartsTwice(Simple):
    async def work_on(self, job: Job, key: str) -> str:
        await job.start(level=Level.HARMLESS)
        return key


class StartsLate(Simple):
    async def build(self, job: Job, key: str) -> str:
        await job.exec(["true"])
        return await super().build(job, key)


class FailsFirst(Simple):
    async def build(self, job: Job, key: str) -> str:
        raise Failure("no server")


class WaitsFirst(Simple):
    async def build(self, job: Job, key: str) -> str:
        await asyncio.Event().wait()
        return key


class Fails(Simple):
    async def work_on(self, job: Job, key: str) -> str:
        await job.exec(["sh", "-c", "echo details; exit 3"])
        return key


class GivesHandle(Simple):
    async def work_on(self, job: Job, key: str) -> str:
        return Handle()  # type: ignore[return-value]


class LeavesFolder(Simple):
    async def work_on(self, job: Job, key: str) -> str:
        return str(bool(tempfile.mkdtemp(prefix="left")))


class LeavesProcess(Simple):
    async def work_on(self, job: Job, key: str) -> str:
        script = "import os, time\nif not os.fork(): os.setsid(); time.sleep(3)"
        await asyncio.to_thread(subprocess.run, [sys.executable, "-c", script], check=True)
        return key


class HangsFor(Simple):
    async def work_on(self, job: Job, key: str) -> str:
        await asyncio.Event().wait()
        return key


class OddKey(Simple):
    """Asks for another key each time."""

    numbers = itertools.count()

    def get(
        self, key: str, *, schedule: Schedule | None = None, retry: Retry | None = None
    ) -> Primitive[str]:
        return super().get(f"{key}{next(self.numbers)}", schedule=schedule, retry=retry)


class Secret(Simple):
    """Has its context in the key."""

    def __init__(self, token: str) -> None:
        self.token = token

    def get(
        self, key: str, *, schedule: Schedule | None = None, retry: Retry | None = None
    ) -> Primitive[str]:
        return super().get(f"{key}:{self.token}", schedule=schedule, retry=retry)


@pytest.mark.parametrize(
    ("subject", "message"),
    [
        (NeverStarts(), "job.start` is awaited before the work; it failed before: .*without"),
        (ForgetsAwait(), "job.start` is awaited before the work; it failed before: .*without"),
        (StartsTwice(), "job.start` is awaited once; .*Remove all calls but one"),
        (StartsLate(), "(?s)a command was run before it:.*Exec: true"),
        (FailsFirst(), "it failed before: no server"),
        (WaitsFirst(), "it is busy with something else"),
        (Fails(), "(?s)it succeeds for the key .* exited with status 3.*details"),
        (GivesHandle(), "its outcome can be stored; outcome of operation 'simple'"),
        (LeavesFolder(), "no temporary file is left when it has ended; there is .*left"),
        (LeavesProcess(), "no process is left when it has ended; there is [0-9]+: .*python"),
        (OddKey(), "not made again after a restart; it is Active"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Simple) else "",
)
async def test_bad_work_is_caught(tmp_path: Path, subject: Simple, message: str) -> None:
    """By running it."""
    with pytest.raises(AssertionError, match=message):
        await check_builder(subject, "a", state_dir=tmp_path)


async def test_an_unexpected_value_is_caught(tmp_path: Path) -> None:
    """Where the test says what it should be."""
    with pytest.raises(AssertionError, match="that is 'B', and it gave 'A'"):
        await check_builder(Simple(), "a", value="B", state_dir=tmp_path)


async def test_a_context_in_the_key_is_caught(tmp_path: Path) -> None:
    """Where the test gives the same builder with another context."""
    await check_builder(Secret("one"), "a", state_dir=tmp_path)
    with pytest.raises(AssertionError, match="the context is not part of the key; asked for"):
        await check_builder(Secret("one"), "a", other_context=Secret("two"), state_dir=tmp_path)


async def test_a_job_that_does_not_end_is_caught(tmp_path: Path) -> None:
    """It is told from one that is slow by the timeout."""
    with pytest.raises(AssertionError, match=r"ends within 0.1 s; it still runs"):
        await check_builder(HangsFor(), "a", state_dir=tmp_path, timeout=0.1)


async def test_a_changed_key_is_caught(tmp_path: Path) -> None:
    """A key that holds more than is stored comes as it is, and must stay so."""

    @dataclass
    class Numbers:
        numbers: list[int]
        note: str = field(default="", compare=False)

    class Sorts(Builder[Numbers, int]):
        id = "sorts"

        async def build(self, job: Job, key: Numbers) -> int:
            await job.start(level=Level.HARMLESS)
            key.numbers.sort()
            return key.numbers[0]

        @classmethod
        def types(cls) -> tuple[object, object | None, object]:
            return Numbers, None, int

    with pytest.raises(AssertionError, match=r"numbers=\[1, 2\], note=''\). Copy it first"):
        await check_builder(Sorts(), Numbers([2, 1]), state_dir=tmp_path)


async def test_a_key_of_its_own_may_be_changed(tmp_path: Path) -> None:
    """Any other key is a copy."""

    class Sorts(Builder[list[int], int]):
        id = "sorts"

        async def build(self, job: Job, key: list[int]) -> int:
            await job.start(level=Level.HARMLESS)
            key.sort()
            return key[0]

    await check_builder(Sorts(), [2, 1], state_dir=tmp_path)


async def test_a_value_that_is_not_all_stored_is_caught(tmp_path: Path) -> None:
    """Fields that aren't compared aren't stored: what they hold is lost at a restart."""

    @dataclass
    class Part:
        name: str
        cache: str = field(default="", compare=False)

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Part) and (self.name, self.cache) == (other.name, other.cache)

        __hash__ = None  # type: ignore[assignment]

    class Parts(Builder[str, Part]):
        id = "parts"

        async def build(self, job: Job, key: str) -> Part:
            await job.start(level=Level.HARMLESS)
            return Part(key, "not stored")

    expected = Part("a", "not stored")
    with pytest.raises(AssertionError, match=r"it gave .*cache=''"):
        await check_builder(Parts(), "a", value=expected, state_dir=tmp_path)


async def test_one_that_ignores_a_cancellation_is_caught(tmp_path: Path) -> None:
    """It goes on as if nothing had been."""

    class Stubborn(Simple):
        async def work_on(self, job: Job, key: str) -> str:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.3)
                return key
            await asyncio.sleep(3600)
            return key

    with pytest.raises(AssertionError, match=r"a job that is cancelled ends soon; 1 s later"):
        await check_builder(Stubborn(), "a", state_dir=tmp_path, timeout=1)


async def test_one_that_leaves_a_process_when_cancelled_is_caught(tmp_path: Path) -> None:
    """Although it ends it in the other cases."""
    processes: list[asyncio.subprocess.Process] = []

    class Forgets(Simple):
        async def work_on(self, job: Job, key: str) -> str:
            process = await asyncio.create_subprocess_exec("sleep", "1000")
            processes.append(process)
            await asyncio.sleep(0.3)
            process.kill()
            await process.wait()
            return key

    with pytest.raises(AssertionError, match=r"left when it is cancelled; there is .*sleep 1000"):
        await check_builder(Forgets(), "a", state_dir=tmp_path)
    processes[-1].kill()
    await processes[-1].wait()


@pytest.mark.parametrize("error", [ValueError(), Failure(""), Failure("  ")])
async def test_failures_that_say_nothing_are_caught(tmp_path: Path, error: Exception) -> None:
    """The type of an exception alone helps nobody."""

    class Silent(Simple):
        async def work_on(self, job: Job, key: str) -> str:
            if key == "bad":
                raise error
            return key

    with pytest.raises(AssertionError, match="a failure says why; for 'bad' it says"):
        await check_builder(Silent(), "a", failing="bad", state_dir=tmp_path)


async def test_a_failure_that_does_not_come_is_caught(tmp_path: Path) -> None:
    """The test is wrong then, or the builder."""
    with pytest.raises(AssertionError, match=r"gives as `failing`; for 'b' it is Ok\(value='B'\)"):
        await check_builder(Simple(), "a", failing="b", state_dir=tmp_path)


# Retiring


@dataclass(frozen=True)
class Entry(Publisher[str, str, None]):
    """Has an entry in a folder as long as the pipeline has it."""

    id: ClassVar[str] = "entry"
    folder: Path

    async def publish(self, job: Job, key: str, value: str) -> None:
        await job.start(level=Level.AVERAGE)
        (self.folder / key).write_text(value)

    async def retire(self, job: Job, key: str, outcome: None) -> None:
        await job.start(level=Level.AVERAGE)
        (self.folder / key).unlink(missing_ok=True)


async def test_one_that_retires_passes(tmp_path: Path) -> None:
    """It is gone in the end, although it was retired twice."""
    entries = tmp_path / "entries"
    entries.mkdir()
    await check_operation(Entry(entries), "a", "1", state_dir=tmp_path)
    assert [*entries.iterdir()] == [entries / "a"]  # set by the checks that come after that


async def test_one_that_can_not_retire_twice_is_caught(tmp_path: Path) -> None:
    """As it may have been killed at the end."""

    class Once(Entry):
        async def retire(self, job: Job, key: str, outcome: None) -> None:
            await job.start(level=Level.AVERAGE)
            (self.folder / key).unlink()

    with pytest.raises(AssertionError, match="bears that its result is retired twice; it failed"):
        await check_operation(Once(tmp_path), "a", "1", state_dir=tmp_path)


async def test_one_that_retires_before_it_is_started_is_caught(tmp_path: Path) -> None:
    """It would not wait for approval."""

    class Hasty(Entry):
        async def retire(self, job: Job, key: str, outcome: None) -> None:
            await job.exec(["rm", str(self.folder / key)])
            await job.start(level=Level.AVERAGE)

    with pytest.raises(AssertionError, match="a command was run before it"):
        await check_operation(Hasty(tmp_path), "a", "1", state_dir=tmp_path)
