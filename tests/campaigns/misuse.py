"""Gives wrong kinds of values to all that takes some, and looks whether the answer helps.

    python tests/campaigns/misuse.py --seconds 60 --seed 1

or `make campaign SECONDS=60`. Each use is tried with each value, plain and as a current, in an
engine of its own, in an order that is drawn from the seed. What must hold:

- what is refused is refused by a `UsageError`, or is the failure of its stage;
- a failure is told in words: it is no exception that came from the inside of pycurrent;
- no engine ends because of it, or never comes to rest.

Prints a table. What was taken without a word is counted, as some values are right; `--taken` lists
it. The exit status is 1 if anything did not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import logging
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import chdir
from datetime import timedelta
from pathlib import Path
from typing import Any

import pycurrent as current
from pycurrent import Builder, Current, Failed, Job, Level, Primitive, UsageError
from pycurrent.plugins import command, fs, git
from pycurrent.testing import Harness

INSIDE = str(Path(current.__file__).parent)
PYTHONS = re.compile(r"(Type|Attribute|Key|Index|Assertion|Overflow|Value)Error\b")
"""How the messages of exceptions begin that are not ours."""
PATIENCE = 20.0
COMMIT = git.Commit(Path("/repo/.git"), "0" * 40)
WORDS: Any = ["true"]


class Frob(Builder[str, str]):
    """As a plugin has it."""

    id = "frob"

    async def build(self, job: Job, key: str) -> str:
        await job.start(level=Level.HARMLESS)
        return key


@current.component("component")
def component(key: str, words: list[str] | None = None) -> Primitive[str]:
    return Frob().get(key)


@current.builder("builder", level=Level.HARMLESS)
async def builder(job: Job, key: str, number: int = 0) -> str:
    return f"{key} {number}"


@current.publisher("publisher", level=Level.HARMLESS)
async def publisher(job: Job, key: str, *, value: str) -> None:
    job.log(value)


def with_option(name: str) -> Callable[[Any], Current[Any]]:
    """An operation whose command has an option with this value."""

    def use(value: Any) -> Current[Any]:
        @current.builder("option", level=Level.HARMLESS)
        async def option(job: Job) -> None:
            options: Any = {name: value}
            await job.exec(WORDS, **options)

        return option()

    return use


def started_with(name: str) -> Callable[[Any], Current[Any]]:
    """An operation whose job is started with this value."""

    def use(value: Any) -> Current[Any]:
        @current.builder("started")
        async def started(job: Job) -> None:
            options: Any = {"level": Level.HARMLESS, name: value}
            await job.start(**options)

        return started()

    return use


def argv(value: Any) -> Current[Any]:
    @current.builder("argv", level=Level.HARMLESS)
    async def run(job: Job) -> None:
        await job.exec(["true", value])

    return run()


def returned(value: Any) -> Current[Any]:
    @current.builder("returned", level=Level.HARMLESS)
    async def give(job: Job) -> Any:
        return value

    return give()


def made(fn: Callable[[Any], object]) -> Callable[[Any], Current[Any]]:
    """What is made of a value, and then not used."""

    def use(value: Any) -> Current[Any]:
        fn(value)
        return current.constant("made")

    return use


async def later(*_: object) -> int:
    return 1


VALUES: dict[str, Any] = {
    "None": None,
    "True": True,
    "a number": 3,
    "a negative number": -1,
    "a fraction": 1.5,
    "infinity": float("inf"),
    "a text": "ls -l",
    "an empty text": "",
    "bytes": b"x",
    "a list": [1, 2],
    "a dict": {"A": 1},
    "a set": {1},
    "an object": object(),
    "a class": int,
    "a function": len,
    "an async function": later,
    "a current": current.constant(3),
    "a list of currents": [current.constant(3)],
    "an exception": ValueError("x"),
    "a timedelta": timedelta(hours=1),
    "a negative timedelta": timedelta(hours=-1),
    "a path": Path("/dev/null/nowhere"),
    "a commit": COMMIT,
    "a level": Level.AVERAGE,
}

_ONE = current.constant([1])
USES: dict[str, Callable[[Any], Any]] = {
    "constant": current.constant,
    "Var": lambda x: current.Var("v", x).get(),
    "Var name": lambda x: current.Var(x, 1).get(),
    "fail": current.fail,
    "map": _ONE.map,
    "map of": lambda x: current.map(str, x),
    "bind": _ONE.bind,
    "bind to": lambda x: _ONE.bind(lambda _: x),
    "gate": lambda x: _ONE.gate(on=x),
    "cutoff": _ONE.cutoff,
    "list_map": _ONE.list_map,
    "list_map of": lambda x: current.constant(x).list_map(current.constant),
    "pair": lambda x: current.pair(_ONE, x),
    "seq": current.seq,
    "all": current.all,
    "component": component,
    "component's list": lambda x: component("key", x),
    "builder": builder,
    "builder's second": lambda x: builder("key", x),
    "publisher": lambda x: publisher("key", value=x),
    "Builder.get": lambda x: current.component("frob", lambda: Frob().get(x)),
    "schedule": lambda x: current.component("frob", lambda: Frob().get("x", schedule=x)),
    "argv": argv,
    "returned": returned,
    **{f"exec {name}": with_option(name) for name in ("cwd", "env", "stdin", "grace", "show")},
    **{f"start {name}": started_with(name) for name in ("level", "pool", "timeout")},
    "Pool": made(lambda x: current.Pool("pool", x)),
    "Schedule": made(lambda x: current.Schedule(valid_for=x)),
    "Config": made(lambda x: current.Config(confirm=x)),
    "LogRule": made(lambda x: current.LogRule(x, "report", 1)),
    "Monitor": made(lambda x: current.Monitor(read=x, watch=x)),
    "command.run": lambda x: command.run(x, WORDS),
    "command.run argv": lambda x: command.run(COMMIT, x),
    "command.run env": lambda x: command.run(COMMIT, WORDS, env=x),
    "command.run pool": lambda x: command.run(COMMIT, WORDS, pool=x),
    "command.run timeout": lambda x: command.run(COMMIT, WORDS, timeout=x),
    "command.run label": lambda x: command.run(COMMIT, WORDS, label=x),
    "fs.save": lambda x: fs.save("/dev/null/file", x),
    "fs.save path": lambda x: fs.save(x, 3 if isinstance(x, str | Path) else "text"),  # type: ignore[arg-type]
    "git.clone": lambda x: git.clone(x) if not isinstance(x, str | Path) else _ONE,
    "git.fetch": git.fetch,
}


async def outcome_of(use: Callable[[Any], Any], value: Any) -> tuple[str, str]:
    """What becomes of one misuse, in a word, and what was said."""
    with tempfile.TemporaryDirectory(prefix="misuse-") as folder, chdir(folder):
        try:
            # As authors do: where it is made in the pipeline.
            async with Harness(lambda: use(value), state_dir=folder) as h:
                await asyncio.wait_for(h.settle(patience=2), PATIENCE)
                output = h.output
        except TimeoutError:
            return "VIOLATION", "the engine never comes to rest"
        except BaseException as error:
            return "VIOLATION", f"the engine ended: {type(error).__name__}: {error}"
    match output:
        case Failed(message):
            frames = [line for line in (output.traceback or "").splitlines() if " File " in line]
            # What was given may be a function that raises by itself.
            bare = not callable(value) and PYTHONS.match(message)
            if INSIDE in frames[-1] if frames else bare:
                return "VIOLATION", f"an exception from inside: {message[:200]}"
            return "refused", message
    return "taken", repr(output)[:80]


async def campaign(seconds: float, seed: int, *, list_taken: bool) -> int:
    tries = [
        (use, name, as_current)
        for use, name, as_current in itertools.product(USES, VALUES, (False, True))
        if not (as_current and isinstance(VALUES[name], Current))
    ]
    random.Random(seed).shuffle(tries)
    counts: Counter[str] = Counter()
    violations: list[str] = []
    end = time.monotonic() + seconds
    for use, name, as_current in tries:
        if time.monotonic() > end:
            break
        value = VALUES[name]
        if as_current:
            try:
                value = current.constant(value)
            except UsageError:
                continue
        what, said = await outcome_of(USES[use], value)
        counts[what] += 1
        line = f"{use} of {name}{' (a current)' if as_current else ''}: {said}"
        if what == "VIOLATION":
            violations.append(line)
            say(f"VIOLATION: {line}")
        elif what == "taken" and list_taken:
            say(f"taken: {line}")
    say("\n".join(f"{count:8}  {what}" for what, count in sorted(counts.items())))
    say(f"{counts.total():8}  of {len(tries)} misuses were tried")
    say("each was told" if not violations else "NOT each was told")
    return 1 if violations else 0


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="how long misuses are tried")
    parser.add_argument("--seed", type=int, default=None, help="of their order")
    parser.add_argument("--taken", action="store_true", help="list what was taken without a word")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 31) if options.seed is None else options.seed
    logging.disable(logging.CRITICAL)
    say(f"seed {seed}, {options.seconds:g} s")
    return asyncio.run(campaign(options.seconds, seed, list_taken=options.taken))


if __name__ == "__main__":
    sys.exit(main())
