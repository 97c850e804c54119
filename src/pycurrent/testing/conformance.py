"""Checks that the author of a plugin runs on an operation of their own.

    async def test_frob_keeps_the_rules(tmp_path):
        await check_builder(Frob(), "a", value="frobbed", state_dir=tmp_path)

They run the operation several times, for real, each time in another state directory. A broken rule
raises an `AssertionError` that says what happened and how to fix it. The rules:

- keys, values and outcomes can be stored: the text is the same each time, and reading it gives an
  equal object; different keys have different texts;
- the description is one line;
- `job.start` is awaited once, and no command runs before;
- the outcome is known after a restart, and not made again;
- fields of the operation (its context) are not part of the key;
- a job that is cancelled while it runs ends soon;
- no job leaves a process or a temporary file behind, whichever way it ends;
- a failure says why;
- what it has a `retire` for is retired, twice as well.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pycurrent.cache import AnyOperation, Builder, Operation, OperationPrimitive, Publisher
from pycurrent.term import Current, primitive_of
from pycurrent.testing.rules import Case, broken, codec_of
from pycurrent.testing.stability import check_round_trip, check_texts, check_title, check_types
from pycurrent.testing.trial import (
    check_cancel,
    check_failure,
    check_restart,
    check_retire,
    check_run,
)

K = TypeVar("K")
V = TypeVar("V")
O = TypeVar("O")  # noqa: E741

TIMEOUT = 30.0
"""Seconds for each run of the operation, and for its end after a cancellation."""


async def check_builder(
    builder: Builder[K, V] | Callable[..., Current[V]],
    key: K,
    *,
    state_dir: Path | str,
    value: V | None = None,
    others: Sequence[K] = (),
    failing: K | None = None,
    other_context: Builder[K, V] | None = None,
    timeout: float = TIMEOUT,
) -> None:
    """Check a builder, or a function made by `@builder`; see the module for the rules.

    It must succeed for `key`, with `value` if given, also when it runs again. `others` are more
    keys, which are only stored and described; `failing` is a key for which it fails.
    `other_context` is the same builder with other fields; by default a copy. The key of a function
    with several parameters is a tuple of them. Everything happens in new folders in `state_dir`,
    which stay. A check marks processes and temporary files of this process, so run one at a time.

    Raises AssertionError for the first rule that is broken.
    """
    rest = None if failing is None else Case(failing, None)
    asked = _Asked(Case(key, None), value, [Case(other, None) for other in others], rest)
    await _check(_subject(builder, key), asked, other_context, Path(state_dir), timeout)


async def check_operation(
    operation: Publisher[K, V, O] | Operation[K, V, O],
    key: K,
    value: V,
    *,
    state_dir: Path | str,
    outcome: O | None = None,
    others: Sequence[tuple[K, V]] = (),
    failing: tuple[K, V] | None = None,
    other_context: Publisher[K, V, O] | Operation[K, V, O] | None = None,
    timeout: float = TIMEOUT,
) -> None:
    """Check a publisher or a general operation, as `check_builder` checks a builder.

    Instead of keys, `others` and `failing` take pairs of a key and a value.
    """
    rest = None if failing is None else Case(*failing)
    asked = _Asked(Case(key, value), outcome, [Case(*other) for other in others], rest)
    await _check(operation, asked, other_context, Path(state_dir), timeout)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The arguments of the plugin's author."""

    case: Case
    expected: Any
    others: Sequence[Case]
    failing: Case | None

    def cases(self) -> list[Case]:
        return [self.case, *self.others, *([] if self.failing is None else [self.failing])]


async def _check(
    work: AnyOperation, asked: _Asked, other: AnyOperation | None, folder: Path, timeout: float
) -> None:
    op_type = check_types(work)
    check_texts(work, asked.cases())
    for case in asked.cases():
        check_title(work, case)
    folder.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="check-", dir=folder))
    case, keys = asked.case, codec_of(work, work.types()[0], "key")
    text = keys.encode(case.key)
    outcome = await check_run(work, case, place / "run", timeout)
    if keys.encode(case.key) != text:
        broken(work, "the key stays as it is", f"the run made it {case.key!r}", "Copy it first.")
    if asked.expected is not None and outcome.value != asked.expected:
        broken(
            work,
            "it gives what the test expects",
            f"that is {asked.expected!r}, and it gave {outcome.value!r}",
            "Fix either of them.",
        )
    check_round_trip(work, op_type.outcome, outcome.value, "outcome")
    await check_restart(work, case, outcome, other, place / "run")
    if op_type.retires:
        await check_retire(work, case, place / "run", timeout)
    (place / "cancel").mkdir()
    await check_cancel(work, case, place / "cancel", timeout)
    if asked.failing is not None:
        await check_failure(work, asked.failing, place / "failing", timeout)


def _subject(builder: object, key: Any) -> AnyOperation:
    """The builder; for a function made by `@builder`, the one inside its primitives."""
    if isinstance(builder, AnyOperation):
        return builder
    if callable(builder):
        term = builder(*key) if isinstance(key, tuple) else builder(key)
        primitive = primitive_of(term) if isinstance(term, Current) else None
        if isinstance(primitive, OperationPrimitive):
            return primitive.operation
    raise TypeError(f"{builder!r} is neither a Builder nor a function made by @builder")
