"""Code that has changed without a new version of its operation: a notice, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pycurrent.cache import AnyOperation
from pycurrent.cache.code import digest_of
from pycurrent.engine import Config
from pycurrent.plugins import fs
from pycurrent.term import Current, component
from pycurrent.testing import HarnessFactory

WORK = "await job.start(level=Level.HARMLESS)\n        return key"


def written(work: str = WORK, *, version: object = None, more: str = "") -> type[Any]:
    """An operation whose author has written this."""
    source = f"""
from pycurrent import Builder, Job, Level

class Frob(Builder[str, str]):
    id = "frob"
    version = {version!r}

    async def build(self, job: Job, key: str) -> str:
        {work}

    {more}
"""
    scope: dict[str, Any] = {"__name__": __name__}
    exec(source, scope)
    kind: type[Any] = scope["Frob"]
    return kind


def stage(kind: type[Any]) -> Callable[[], Current[str]]:
    return lambda: component("frob", lambda: kind().get("a"))


async def notices(harness: HarnessFactory, kind: type[Any], **config: Any) -> list[str]:
    """The problems of a run of the engine that uses the operation."""
    async with harness(stage(kind), config=Config(**config)) as h:
        await h.settle()
        assert len(h.history()) == 1 or config or kind.version is not None
        return [problem.message for problem in h.engine.opened.problems]


CHANGED = "await job.start(level=Level.HARMLESS)\n        return key + ''"


async def test_changed_code_is_told_and_nothing_is_made_again(harness: HarnessFactory) -> None:
    """At each start, until the code goes back."""
    assert await notices(harness, written()) == []
    for _ in range(2):
        (message,) = await notices(harness, written(CHANGED))
        assert message == (
            "the code of operation 'frob' has changed since its results were made (without a"
            " version): results are kept; give it a new version, or run with --rebuild frob, if"
            " they should be made again"
        )
    assert await notices(harness, written()) == []


async def test_a_new_version_ends_the_notice(harness: HarnessFactory) -> None:
    """Its code is what later code is compared with."""
    assert await notices(harness, written(version=3)) == []
    (message,) = await notices(harness, written(CHANGED, version=3))
    assert "since its results were made (version 3)" in message
    assert await notices(harness, written(CHANGED, version=4)) == []
    assert await notices(harness, written(CHANGED, version=4)) == []
    assert len(await notices(harness, written(version=4))) == 1


@pytest.mark.parametrize("pattern", ["frob", "fr*"])
async def test_a_rebuild_of_all_ends_the_notice(harness: HarnessFactory, pattern: str) -> None:
    """As `run --rebuild` has all made again that is needed; a part of it does not."""
    assert await notices(harness, written()) == []
    for part in ("failed", "frob a", "other"):
        assert len(await notices(harness, written(CHANGED), rebuild=[part])) == 1
    assert await notices(harness, written(CHANGED), rebuild=[pattern]) == []
    async with harness(stage(written(CHANGED))) as h:
        await h.settle()
        assert list(h.engine.opened.problems) == []


SAME = [
    "# a comment\n        " + WORK,
    '"""A docstring."""\n        ' + WORK,
    WORK.replace("await", "\n\n        await"),
]
OTHER = [
    CHANGED,
    "return key",
    WORK.replace("HARMLESS", "AVERAGE"),
    WORK.replace("return key", "return (lambda: key)()"),
    WORK.replace("return key", "return self.frobbed(key)"),
    WORK.replace("return key", "return '1'"),
    WORK.replace("return key", "return '2'"),
    WORK.replace("return key", "return str(key in {'a', 'b'})"),
    WORK.replace("return key", "return str(key in {'a', 'c'})"),
    WORK.replace("return key", "return str(1)"),
    WORK.replace("return key", "return str(True)"),
    WORK.replace("return key", "return str(1.0)"),
    WORK.replace("return key", "return str([x for x in key])"),
    WORK.replace("return key", "return str([x for x in key if x])"),
]


def test_only_what_the_code_does_counts() -> None:
    """Comments, docstrings and empty lines don't; nor do methods on which no result depends."""
    mine = digest_of(written())
    assert {digest_of(written(work)) for work in SAME} == {mine}
    aside = [
        "def describe(self, key: str) -> str:\n        return key",
        "async def still_there(self, key: str, outcome: str) -> bool:\n        return True",
        "def __repr__(self) -> str:\n        return 'Frob'",
        "async def retire(self, job: Job, key: str, outcome: str) -> None:\n        pass",
    ]
    assert {digest_of(written(more=more)) for more in aside} == {mine}
    others = {digest_of(written(work)) for work in OTHER}
    helper = "def frobbed(self, key: str) -> str:\n        return key"
    others.add(digest_of(written(more=helper)))
    assert len(others | {mine}) == len(OTHER) + 2


def test_a_class_in_the_work_counts_without_its_lines() -> None:
    """From Python 3.13 on a class keeps the number of its first line."""
    body = "class Inner:\n            {}x = 1\n        return key"
    plain, told = (written(body.format(doc)) for doc in ("", "'''Doc.'''\n            "))
    later = written("\n\n        " + body.format(""))
    assert digest_of(plain) == digest_of(told) == digest_of(later)
    assert digest_of(plain) != digest_of(written(body.format("y = ")))


IN_A_PROCESS = """
from pycurrent import Builder, Job, Level
from pycurrent.cache.code import digest_of

class Frob(Builder[str, str]):
    id = "frob"

    async def build(self, job: Job, key: str) -> str:
        return str(key in {"a", "b", "c", "d"} and ANSWER)

print(digest_of(Frob))
"""


def digest_in_a_process(answer: str) -> str:
    source = IN_A_PROCESS.replace("ANSWER", answer)
    done = subprocess.run([sys.executable, "-c", source], stdout=subprocess.PIPE, check=True)
    return done.stdout.decode()


def test_a_digest_is_the_same_in_each_process() -> None:
    """Whatever the order of sets there is."""
    found = [digest_in_a_process(answer) for answer in ("1", "1", "1", "2")]
    assert len({*found[:3]}) == 1
    assert found[3] != found[0]


SHORT = """
import functools
from pycurrent import Job, Level, builder

def again(fn):
    @functools.wraps(fn)
    async def wrapper(*args):
        return await fn(*args)
    return wrapper

@builder("frob", level=Level.HARMLESS)
@again
async def frob(job: Job, key: str) -> str:
    return ANSWER
"""


async def test_the_code_of_a_short_form_is_that_of_its_function(harness: HarnessFactory) -> None:
    """Also behind another decorator."""
    told = []
    for answer in ("key", "key", "key + ''"):
        scope: dict[str, Any] = {"__name__": __name__}
        exec(SHORT.replace("ANSWER", answer), scope)
        async with harness(partial(scope["frob"], "a")) as h:
            await h.settle()
            told.append(len(list(h.engine.opened.problems)))
    assert told == [0, 0, 1]


async def test_our_own_plugins_are_left_out(harness: HarnessFactory, tmp_path: Path) -> None:
    """Their versions are kept with their code."""
    async with harness(lambda: fs.save(tmp_path / "file", "text")) as h:
        await h.settle()
        assert h.engine.opened.store.setting("code fs-save") is None
    for kind in (fs.save_tree, fs.save):
        assert kind.__module__.startswith("pycurrent.")


def test_an_operation_without_code_of_its_own_has_no_digest() -> None:
    """There is nothing to compare."""

    class Own(written()):  # type: ignore[misc]
        pass

    assert digest_of(Own) == digest_of(written())
    assert digest_of(AnyOperation) is None
