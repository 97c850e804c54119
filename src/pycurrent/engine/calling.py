"""Calling a function in a process of its own: `Job.call`.

The process is a command like any other: a supervisor holds it, what it prints goes to the log, and
it ends with the job. The function and its arguments go there, and the result comes back, through
files in a temporary folder of the job. They are pickled, so the function is one that a module has
by its name: the process imports that module.
"""

from __future__ import annotations

import asyncio
import inspect
import pickle
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FunctionType
from typing import Any

from pycurrent.engine import called
from pycurrent.engine.job import Job
from pycurrent.errors import UsageError, WrongKind
from pycurrent.term import called as named
from pycurrent.term import shown

_MAIN = "__main__"


async def call_in_process(
    job: Job, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """See `Job.call`."""
    request = _request(function, args, kwargs)
    async with job.tempdir("call") as folder:
        (folder / "call").write_bytes(request)
        await job.exec(
            # Without the folder of the script among those that modules are imported from.
            [sys.executable, "-P", called.__file__, str(folder)],
            env={"PYTHONUNBUFFERED": "1"},
            show=f"call {function.__qualname__}",
            # As the work itself it is code of the pipeline.
            trusted=True,
        )
        has_value, result = await asyncio.to_thread(_result, folder)
    if has_value:
        return result
    raise result


def _request(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> bytes:
    if not callable(function):
        raise WrongKind(
            f"job.call takes a function, not {shown(function)}: write"
            f" job.call(function, argument, ...)"
        )
    if inspect.iscoroutinefunction(function):
        raise UsageError(f"job.call: {named(function)} is async: await it, without job.call")
    try:
        call = pickle.dumps((function, args, dict(kwargs)))
    except Exception as error:
        if isinstance(function, FunctionType) and "<" in function.__qualname__:
            raise UsageError(
                f"job.call: {named(function)} is not at the top of a module, where the other"
                " process finds it: put it there, and give it all it needs as arguments"
            ) from error
        raise UsageError(
            f"job.call: {named(function)} and its arguments go to another process, and can't be"
            f" pickled: {error}"
        ) from error
    return pickle.dumps((sys.path, _modules(function, call), call))


def _modules(function: Callable[..., Any], call: bytes) -> dict[str, str]:
    """The modules that the other process may not find by their names, and their files."""
    names = {getattr(function, "__module__", _MAIN)}
    if _MAIN.encode() in call:
        names.add(_MAIN)
    files = {name: getattr(sys.modules.get(name), "__file__", None) for name in names}
    return {name: str(Path(file).absolute()) for name, file in files.items() if file is not None}


def _result(folder: Path) -> Any:
    try:
        with (folder / "result").open("rb") as file:
            return _Results(file).load()
    except FileNotFoundError:
        return False, RuntimeError("the function has ended its process, and left no result")


class _Results(pickle.Unpickler):
    """Reads results. The process has another name for the script of the engine."""

    def find_class(self, module: str, name: str) -> Any:
        return super().find_class(_MAIN if module == called.SCRIPT else module, name)
