"""`pycurrent run`: keeps a pipeline up to date."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    suppress,
)
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

from msgspec import Struct

from pycurrent.cache import ResultCache
from pycurrent.cli.end import bounded_end
from pycurrent.cli.load import Setup, set_up
from pycurrent.cli.output import one_line
from pycurrent.cli.pipeline_command import Call
from pycurrent.cli.run_options import RunOptions
from pycurrent.cli.screen import Screen, is_live, screen_for
from pycurrent.cli.site import prepared_site
from pycurrent.cli.status import SIGNALLED, Exit
from pycurrent.cli.stop import KEEP_JOBS, TRIAL, UPGRADE, StopRequest, stop_requests
from pycurrent.cli.summary import LOOKED_AT, Summary, log_command
from pycurrent.cli.tail import last_lines
from pycurrent.engine import Effect, OpenEngine
from pycurrent.engine.collector import turn_on_collector
from pycurrent.engine.printing import jobs_print_to_logs
from pycurrent.engine.threshold import Recorded
from pycurrent.errors import UsageError
from pycurrent.facade import Engine
from pycurrent.term import Active, Current, Failed, Muted, Ok, UsageFailure
from pycurrent.view import EngineView, Overview
from pycurrent.view.formatting import plural

_NAMED = 5
_PLACE = r"\(\S+:\d+\)"
"""`(ci.py:12)`"""


def _check_no_loop() -> None:
    """Raise `UsageError` within an event loop: another one can't run inside it."""
    with suppress(RuntimeError):
        asyncio.get_running_loop()
        raise UsageError(
            "this is called by async code, in whose event loop no pipeline can run: call main"
            " outside of it, or write `async with Engine(pipeline, state_dir=...)`"
        )


class _Stopped(Struct, frozen=True):
    """The state of a run that was told to stop."""

    signal: signal.Signals
    overview: Overview


class _Faces(Struct, frozen=True):
    """The displays of a run, made when its engine is open, so that they miss nothing."""

    view: EngineView
    screen: Screen
    serving: AbstractAsyncContextManager[str | None]


def run_pipeline(call: Call, options: RunOptions) -> int:
    """Run it, once or until told to stop; return the exit status."""
    if TRIAL in os.environ:
        from pycurrent.cli.trial import try_out  # few engines are upgraded

        return try_out(call, options)
    began = monotonic()
    _check_no_loop()
    logs = log_command(options.state_dir)

    def pipeline() -> Current[Any]:
        return call.term

    pipeline.__doc__ = call.about
    engine = Engine(
        pipeline,
        state_dir=options.state_dir,
        config=options.config(keep=call.extras.keep),
        shared=options.shared,
    )
    with ExitStack() as bounded, asyncio.Runner() as runner:
        end = runner.run(_run(engine, call, options, logs))
        took = timedelta(seconds=monotonic() - began)
        if isinstance(end, _Stopped):
            status = SIGNALLED + end.signal
            if is_live(sys.stdout):  # elsewhere the lines have said it all
                sys.stdout.write(Summary(end.overview, None, took, logs).text())
        else:
            held = any(problem.effect is Effect.HELD for problem in end.problems)
            status = earned(end, recorded=engine.recorded and not held)
            tail = lambda job_id: last_lines(options.state_dir, job_id)  # noqa: E731
            sys.stdout.write(Summary(end, status, took, logs, tail).text())
        bounded.enter_context(bounded_end(status))
    return status


def earned(overview: Overview, *, recorded: bool) -> Exit:
    """The status of a run in which nothing more can happen.

    Missing records come first, because without them the rest may be incomplete. A failure counts
    only if the pipeline's result is one: caught failures don't, nor do muted ones.
    """
    match overview.result:
        case _ if not recorded:
            return Exit.UNRECORDED
        case Failed() as failed if not isinstance(failed, Muted):
            return Exit.FAILED
        case _ if overview.pauses:
            return Exit.MACHINE
        case _ if overview.of_interest.waiting_for_confirmation or overview.paused:
            return Exit.UNCONFIRMED
        case Ok() | Failed():
            return Exit.OK
        case Active():
            return Exit.FAILED


async def _run(engine: Engine, call: Call, options: RunOptions, logs: str) -> Overview | _Stopped:
    """The summary when nothing more can happen, or when a signal came before that."""
    engine.unused = call.unused
    name = Path(call.name).stem  # without the name of a function, too
    with prepared_site(options, call.extras.site, name) as site, stop_requests() as request:

        def faces(opened: OpenEngine) -> _Faces:
            view = EngineView(opened)
            screen = screen_for(view, sys.stdout, name=call.name, log_command=logs)
            request.farewell = screen.restore
            return _Faces(view, screen, site.serve(opened, view))

        async with _at_work(engine, faces, call.extras.setup) as (view, screen):
            await _until_its_end(engine, request, screen, once=options.once)
            overview = view.overview(limit=LOOKED_AT)
            if options.once:
                _check_used_rightly(view)
            if request.signal is None:
                for pattern in sorted(engine.config.rebuilds.unmatched):
                    screen.say(f"--rebuild {pattern}: there is no such result that is needed")
            if request.signal in {KEEP_JOBS, UPGRADE}:
                await _leave(engine, screen)
                if request.signal is UPGRADE:
                    site.hand_over()
                    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606
                # Nothing is wound up: that would end what is left at work.
                os._exit(Exit.OK)
            elif request.signal is not None:
                screen.say(f"stopping: {_to_cancel(engine)}; once more, and it ends at once")
    return overview if request.signal is None else _Stopped(request.signal, overview)


async def _until_its_end(
    engine: Engine, request: StopRequest, screen: Screen, *, once: bool
) -> None:
    """Wait until nothing more can happen, if it is to end `once` that is so, or until a signal has
    told it to end that it can follow.
    """
    while True:
        ends = [engine.failed(), request.wait()]
        await _first(*ends, *([engine.settled()] if once else []))
        engine.raise_if_crashed()
        if request.signal is not UPGRADE:
            return
        from pycurrent.cli.trial import refusal

        if (why := await refusal(request)) is None:
            return
        request.forget()
        screen.say(f"not upgraded, this engine goes on: {why}")
        with suppress(OSError):
            engine.opened.state.refuse(why)


async def _leave(engine: Engine, screen: Screen) -> None:
    """Leave durable jobs at work: the process has to end now."""
    left = await engine.leave()
    screen.say(f"{plural(left, 'durable job')} left at work")
    screen.restore()
    sys.stdout.flush()
    sys.stderr.flush()


def _check_used_rightly(view: EngineView) -> None:
    """Raise `UsageError` for a mistake in the file: it is nothing that a job has found out."""
    for path, failed in view.failures():
        if isinstance(failed, UsageFailure):
            has_place = re.search(_PLACE, failed.message)
            raise UsageError(failed.message if has_place else f"{path}: {failed.message}")


@asynccontextmanager
async def _at_work(
    engine: Engine, faces: Callable[[OpenEngine], _Faces], setup: Setup | None
) -> AsyncIterator[tuple[EngineView, Screen]]:
    """Run the engine for the block, with its screen, which also shows its end, and its site."""
    made: asyncio.Future[_Faces] = asyncio.get_running_loop().create_future()

    async def show(opened: OpenEngine) -> None:
        shown = faces(opened)
        await outermost.enter_async_context(shown.screen)
        outermost.enter_context(jobs_print_to_logs())
        made.set_result(shown)

    engine.on_open(show)
    if setup is not None:
        engine.on_open(lambda opened: set_up(setup, engine))
    turn_on_collector()  # the engine holds it from now on
    async with AsyncExitStack() as outermost, engine:
        shown = made.result()
        async with shown.serving as url:
            if url is not None:
                shown.screen.say(f"serving {url}")
            if (kept := engine.opened.threshold.recorded) is not None:
                shown.screen.say(kept_level(kept))
            yield shown.view, shown.screen


def kept_level(recorded: Recorded) -> str:
    """The message about a level that an earlier run has left."""
    level = recorded.level
    what = "no jobs wait" if level is None else f"jobs at the level {level}, or above, wait"
    return f"{what} for confirmation, as was set before; --confirm LEVEL (or none) changes that"


def _to_cancel(engine: Engine) -> str:
    """The number of jobs that have not ended, and the first few of them."""
    jobs = [one_line(job.description) for job in engine.service(ResultCache).runs.jobs()]
    named = ", ".join(jobs[:_NAMED])
    more = f" and {len(jobs) - _NAMED} more" if len(jobs) > _NAMED else ""
    return f"{plural(len(jobs), 'job')} to cancel" + (f" ({named}{more})" if jobs else "")


async def _first(*coroutines: Coroutine[Any, Any, object]) -> None:
    """Wait for the first of these to end, and cancel the others."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
