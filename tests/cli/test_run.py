"""`pycurrent run`: what it runs, says and gives as exit status."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from pycurrent.cli.run import earned
from pycurrent.cli.status import Exit
from pycurrent.cli.summary import Summary
from pycurrent.store import Database, OverrideKind, OverrideRecord
from pycurrent.term import Active, Activity, Failed, Ok, State, Stats
from pycurrent.view import Overview, StageView

from .commands import FROBS, Command, Start, Write

DEPLOY = """
    import pycurrent as current
    from pycurrent import Current, Job, Level, Pool, builder

    pool = Pool("machines", 1)

    @builder("test", level=Level.AVERAGE)
    async def test(job: Job) -> str:
        return "fine"

    @builder("deploy", level=Level.DANGEROUS)
    async def deploy(job: Job, what: str) -> None:
        pass
"""
DEPLOYED = (
    DEPLOY
    + """
    def pipeline() -> Current[None]:
        return deploy(current.constant("it"))
"""
)


def test_once_ends_with_0_when_all_is_ok(pipeline_file: Write, pycurrent: Command) -> None:
    """It says what runs and what has ended, and then the result."""
    pipeline_file(FROBS)
    ended = pycurrent("run", "ci.py", "--once")
    assert (ended.status, ended.err) == (0, "")
    assert [line.rsplit(" in ", 1)[0] for line in ended.lines if line.startswith("ok")] == [
        "ok       frob a",
        "ok       frob b",
    ]
    assert ended.out.splitlines()[-1].startswith("ok: 2 ok (")


def test_once_ends_with_1_when_something_failed(pipeline_file: Write, pycurrent: Command) -> None:
    """It says what failed, why, and how to see the log; what can go on does."""
    pipeline_file(FROBS)
    ended = pycurrent("run", "ci.py", "--once", "--keys", "bad", "b")
    assert ended.status == 1
    (failed,) = [line for line in ended.lines if line.startswith("failed")]
    assert failed.startswith("failed   frob bad: no good (log: pycurrent log 20")
    assert "ok       frob b" in ended.out
    assert "\nfailed: 1 failed, 1 ok (" in ended.out
    assert "\n  frob bad: no good\n    pycurrent log 20" in ended.out


def test_what_is_known_is_not_run_again(pipeline_file: Write, pycurrent: Command) -> None:
    """A second run has nothing to say but the result; of failures that stay it says that, too."""
    pipeline_file(FROBS)
    pycurrent("run", "ci.py", "--once", "--keys", "a", "bad")
    assert pycurrent("run", "ci.py", "--once", "--keys", "a").lines == []
    ended = pycurrent("run", "ci.py", "--once", "--keys", "a", "bad")
    assert [line[:24] for line in ended.lines] == ["failed   frob bad: no go"]
    assert ended.status == 1


def test_results_of_earlier_runs_are_made_again_on_demand(
    pipeline_file: Write, pycurrent: Command
) -> None:
    """Those that failed, or fit a pattern; one that fits nothing is named."""
    pipeline_file(FROBS)
    pycurrent("run", "ci.py", "--once", "--keys", "bad", "b")
    asked = ("--rebuild", "failed", "--rebuild", "forb")
    again = pycurrent("run", "ci.py", "--once", "--keys", "bad", "b", *asked)
    assert again.status == 1
    assert any(line.startswith("failed   frob bad") for line in again.lines)
    assert not any(line.startswith("ok       frob b") for line in again.lines)
    assert "--rebuild forb: there is no such result that is needed" in again.out


def test_a_failure_that_the_pipeline_catches_is_none_of_the_whole(
    pipeline_file: Write, pycurrent: Command
) -> None:
    """The exit status is that of the pipeline's result."""
    pipeline_file(
        FROBS
        + """
    def tolerant() -> Current[None]:
        return frob("bad").catch().ignore()
    """
    )
    assert pycurrent("run", "ci.py:tolerant", "--once").status == 0


def test_once_ends_with_1_when_the_result_never_comes(
    pipeline_file: Write, pycurrent: Command
) -> None:
    """A result that is not known, with nothing that goes on, is no success."""
    pipeline_file("""
        import pycurrent as current
        def pipeline():
            return current.active(current.Activity.RUNNING)
    """)
    ended = pycurrent("run", "ci.py", "--once")
    assert ended.status == 1
    assert ended.out.startswith("unfinished: no stages")


def test_once_ends_with_3_when_confirmation_is_needed(
    pipeline_file: Write, pycurrent: Command
) -> None:
    """Below the level all is run; what is at it is named."""
    pipeline_file(DEPLOYED)
    ended = pycurrent("run", "ci.py", "--once", "--confirm", "dangerous")
    assert ended.status == 3
    assert ended.lines == ["waiting  deploy it for confirmation (its level is dangerous)"]
    assert "\n  deploy it waits for confirmation (its level is dangerous)\n" in ended.out


def test_the_summary_groups_what_waits_for_the_same_and_ends_with_failures(
    pipeline_file: Write, pycurrent: Command
) -> None:
    """However many wait, the result and the failures are in sight."""
    pipeline_file("""
        import pycurrent as current
        from pycurrent import Job, Level

        @current.builder("deploy", level=Level.DANGEROUS)
        async def deploy(job: Job, name: str) -> str:
            await job.start(level=Level.DANGEROUS)
            return name

        @current.builder("test", level=Level.HARMLESS)
        async def test(job: Job) -> str:
            raise ValueError("2 of 40 failed")

        def pipeline():
            names = current.constant([f"site-{number}" for number in range(60)])
            return current.all([names.list_map(deploy), test()])
    """)
    ended = pycurrent("run", "ci.py", "--once", "--confirm", "dangerous")
    told = ended.out[ended.out.index("failed: ") :].splitlines()
    assert told[0].startswith("failed: 1 failed, 60 waiting for confirmation")
    assert told[1].startswith("  60 stages wait for confirmation (its level is dangerous): ")
    assert told[2].endswith(": ValueError: 2 of 40 failed")
    assert not any("site-" in line for line in told[2:])


def test_the_summary_groups_many_failures_with_one_cause(
    pipeline_file: Write, pycurrent: Command
) -> None:
    """One of them is shown as ever; another cause is not hidden behind them."""
    pipeline_file("""
        import pycurrent as current
        from pycurrent import Job, Level

        @current.builder("test", level=Level.HARMLESS)
        async def test(job: Job, number: int) -> str:
            if number == 59:
                raise ValueError("2 of 40 failed")
            raise OSError(f"can't connect to 10.0.0.{number}:5432 after {number} s")

        def pipeline():
            return current.all([test(number) for number in range(60)])
    """)
    ended = pycurrent("run", "ci.py", "--once")
    told = ended.out[ended.out.index("failed: 60 failed") :].splitlines()
    stages = [line for line in told if line.startswith("  test")]
    assert len(stages) == 2
    assert any(line.startswith("    58 more like it: ") for line in told)
    assert any(line.endswith(": ValueError: 2 of 40 failed") for line in told)
    assert not any("... and" in line for line in told)


def test_once_ends_with_3_when_something_is_paused(
    pipeline_file: Write, pycurrent: Command
) -> None:
    """The pause is one of an earlier run; what is paused is named, and by whom."""
    folder = pipeline_file(DEPLOYED).parent
    assert pycurrent("run", "ci.py", "--once", "--confirm", "dangerous").status == 3
    with Database.open(folder / ".pycurrent" / "db" / "pycurrent.db") as database:
        database.set_override(
            OverrideRecord(
                kind=OverrideKind.PAUSE,
                subject="level dangerous",
                by="ann",
                at=datetime.now(UTC),
                reason="a try",
            )
        )
    ended = pycurrent("run", "ci.py", "--once", "--confirm", "none")
    assert ended.status == 3
    paused = "  deploy it waits until level dangerous is resumed (paused by ann: a try)\n"
    assert "paused: 1 queued" in ended.out
    assert paused in ended.out


def test_once_ends_with_5_when_nothing_can_be_recorded(
    pipeline_file: Write, pycurrent: Command
) -> None:
    """Whatever the jobs came to: the next run would not know of it."""
    pipeline_file("""
        import shutil
        import pycurrent as current
        from pycurrent import Current, Job, Level, builder

        @builder("frob", level=Level.AVERAGE)
        async def frob(job: Job) -> str:
            shutil.rmtree(".pycurrent/db")
            return "frobbed"

        def pipeline() -> Current[str]:
            return frob()
    """)
    ended = pycurrent("run", "ci.py", "--once")
    assert ended.status == 5
    summary = ended.out[ended.out.index("not recorded: ") :]
    assert summary.splitlines()[1].startswith("  nothing new is begun: the file ")


def test_levels_below_the_one_to_confirm_are_run(pipeline_file: Write, pycurrent: Command) -> None:
    """`--confirm` names the lowest level that waits."""
    pipeline_file(FROBS)
    assert pycurrent("run", "ci.py", "--once", "--confirm", "above-average").status == 0


def test_a_queue_behind_a_job_that_waits_is_waited_for_by_nobody(
    pipeline_file: Write, pycurrent: Command
) -> None:
    """A job that holds a resource while it waits for confirmation holds up others for good."""
    pipeline_file(
        DEPLOY
        + """
    @builder("greedy")
    async def greedy(job: Job, key: int) -> None:
        async with job.use_pool(pool):
            await job.start(level=Level.DANGEROUS)

    @builder("queued", level=Level.HARMLESS, pool=pool)
    async def queued(job: Job, key: int) -> None:
        pass

    def pipeline() -> Current[None]:
        return current.all([greedy(1), queued(2)])
    """
    )
    assert pycurrent("run", "ci.py", "--once", "--confirm", "dangerous").status == 3


def test_once_waits_for_the_release_of_confirmation(
    pipeline_file: Write, pycurrent: Command
) -> None:
    """What will be released by itself is waited for."""
    pipeline_file(DEPLOYED)
    ended = pycurrent(
        "run", "ci.py", "--once", "--confirm", "average", "--confirm-auto-release", "0.2"
    )
    assert ended.status == 0


def test_once_waits_for_monitors(pipeline_file: Write, pycurrent: Command) -> None:
    """A monitor that takes its time to watch and to read is waited for, and so is what follows."""
    pipeline_file(
        FROBS
        + """
    import asyncio
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def watch(refresh):
        await asyncio.to_thread(lambda: None)
        yield

    async def read():
        await asyncio.to_thread(lambda: None)
        return "seen"

    monitor = current.Monitor(read=read, watch=watch)

    def monitored() -> Current[str]:
        return frob(current.component("input", monitor.get))
    """
    )
    ended = pycurrent("run", "ci.py:monitored", "--once")
    assert [line.split(" in ")[0] for line in ended.lines][-1] == "ok       frob seen"
    assert ended.status == 0


def test_the_parameters_of_a_pipeline_are_options(pipeline_file: Write, pycurrent: Command) -> None:
    """Their types are converted: paths, numbers, flags, choices, lists; annotations may be text."""
    pipeline_file("""
        from __future__ import annotations
        from enum import Enum
        from pathlib import Path
        from typing import Literal
        import pycurrent as current

        class Colour(Enum):
            RED = "r"
            BLUE = "b"

        def pipeline(
            repo: Path,
            *,
            number: int = 3,
            slow: bool = False,
            colour: Colour = Colour.RED,
            kind: Literal["x", "y"] = "x",
            many: list[str] | None = None,
        ) -> current.Current[str]:
            return current.fail(repr((repo, number, slow, colour.name, kind, many)))
    """)
    given = ["--number", "4", "--slow", "--colour", "blue", "--kind", "y", "--many", "p", "q"]
    for repo in (["here"], ["--repo", "here"]):
        ended = pycurrent("run", "ci.py", *repo, "--once", *given)
        where = "PosixPath('here')"
        assert f"  ({where}, 4, True, 'BLUE', 'y', ['p', 'q'])\n" in ended.out


def test_help_on_a_file_shows_its_options(pipeline_file: Write, pycurrent: Command) -> None:
    """With what the docstring says of them, and those of the command."""
    pipeline_file("""
        import pycurrent as current

        def pipeline(number: int = 3) -> current.Current[None]:
            '''Does it.

            Args:
                number: how many there are
            '''
    """)
    ended = pycurrent("run", "ci.py", "--help")
    assert ended.status == 0
    for part in ("Does it.", "NUMBER --number", "how many there are", "[default: 3]", "--once"):
        assert part in ended.out


def test_options_of_the_command_may_come_before_the_file(
    pipeline_file: Write, pycurrent: Command
) -> None:
    """Those of a pipeline can't: it is not known yet."""
    pipeline_file(FROBS)
    assert pycurrent("run", "--state-dir", "kept", "--once", "ci.py").status == 0
    assert Path("kept/db").is_dir()


def test_a_pipeline_may_have_a_version(pipeline_file: Write, pycurrent: Command) -> None:
    """`--version` after the file is the pipeline's."""
    pipeline_file("""
        import pycurrent as current
        def pipeline(version: str) -> current.Current[str]:
            return current.fail(f"at {version}")
    """)
    assert "at 3.12" in pycurrent("run", "ci.py", "--version", "3.12", "--once").out


def test_the_state_directory_is_beside_the_work_unless_told(
    pipeline_file: Write, pycurrent: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`.pycurrent` here; else what the environment says; else what the option says."""
    pipeline_file(FROBS)
    pycurrent("run", "ci.py", "--once")
    monkeypatch.setenv("PYCURRENT_STATE_DIR", "env")
    pycurrent("run", "ci.py", "--once")
    ended = pycurrent("run", "ci.py", "--once", "--state-dir", "an option", "--keys", "bad")
    assert all(Path(name, "db").is_dir() for name in (".pycurrent", "env", "an option"))
    assert "pycurrent log --state-dir 'an option' 20" in ended.out


def test_files_beside_the_pipeline_can_be_imported(
    pipeline_file: Write, pycurrent: Command, folder: Path
) -> None:
    """As for a script, from wherever it is run."""
    (folder / "sub").mkdir()
    pipeline_file("NAME = 'beside'", "sub/beside_it.py")
    pipeline_file(
        """
        import beside_it
        import pycurrent as current
        def pipeline(): return current.fail(beside_it.NAME)
        """,
        "sub/ci.py",
    )
    assert "  beside\n" in pycurrent("run", "sub/ci.py", "--once").out


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("def other(): return current.fail('mine')\ndef pipeline(): ...", "ci.py:other"),
        ("def other() -> current.Current[int]: return current.fail('mine')", "ci.py"),
        ("def other() -> 'Current[int]': return current.fail('mine')\ndef f(): ...", "ci.py"),
        (
            "def other() -> current.Current[int]: return current.fail('mine')\n"
            "def part(x: current.Current[int]) -> current.Current[int]: ...\n"
            "def _own() -> current.Current[int]: ...",
            "ci.py",
        ),
        ("pipeline = lambda: current.fail('mine')", "ci.py"),
    ],
)
def test_which_function_is_the_pipeline(
    text: str, target: str, pipeline_file: Write, pycurrent: Command
) -> None:
    """The one that is named; `pipeline`; or the only one that returns a current from none."""
    pipeline_file(f"import pycurrent as current\n{text}")
    assert "  mine\n" in pycurrent("run", target, "--once").out


def test_control_characters_do_not_reach_the_terminal(
    pipeline_file: Write, pycurrent: Command
) -> None:
    """What a job says is shown in one line, as harmless text."""
    pipeline_file(r"""
        import pycurrent as current
        def pipeline(): return current.fail("red: \x1b[31m\nsecond\tline")
    """)
    assert "  red: \ufffd[31m second line\n" in pycurrent("run", "ci.py", "--once").out


def test_a_pipeline_may_use_pydantic(pipeline_file: Write, child: Start) -> None:
    """The command line's library behaves otherwise once that is there."""
    pipeline_file(
        """
        import pydantic
        import pycurrent as current
        def pipeline(*, number: int = 1): return current.constant(number)
        """
    )
    assert child("-m", "pycurrent", "run", "ci.py", "--once").end().status == 0
    assert child("-m", "pycurrent", "graph", "ci.py").end().out.startswith("digraph")


def test_once_waits_for_what_the_machine_has_failed(
    pipeline_file: Write, pycurrent: Command
) -> None:
    """A shortage passes; what was interrupted by it is done again, and counts as ok."""
    pipeline_file(
        DEPLOY
        + """
    import errno, os

    @builder("hungry", level=Level.AVERAGE)
    async def hungry(job: Job) -> str:
        if not os.path.exists("room"):
            os.mkdir("room")
            raise OSError(errno.ENOSPC, "No space left on device")
        return "done"

    def pipeline(): return hungry()
    """
    )
    ended = pycurrent("run", "ci.py", "--once")
    assert (ended.status, ended.out.splitlines()[-1][:9]) == (0, "ok: 1 ok ")


def test_once_ends_with_4_when_the_machine_has_nothing_left() -> None:
    """What has failed for good counts more; and it is said what is tried again, and why."""
    stage = StageView(
        "build",
        "build",
        State.READY,
        update=None,
        since=datetime.now(UTC),
        job_id="2026-01-01/1-x",
        description=None,
        job=None,
        failure=None,
        note="tried again at 00:00:32 UTC: no room",
    )
    overview = Overview(
        result=Active(Activity.READY),
        counts=Stats(ready=1),
        stages=(stage,),
        of_interest=Stats(ready=1),
        jobs=0,
        confirm=None,
        pauses=1,
    )
    assert earned(overview, recorded=True) is Exit.MACHINE
    assert earned(replace(overview, result=Ok(None)), recorded=True) is Exit.MACHINE
    assert earned(replace(overview, result=Failed("why")), recorded=True) is Exit.FAILED
    text = Summary(overview, Exit.MACHINE, timedelta(seconds=31), "pycurrent log").text()
    assert text.splitlines()[:2] == [
        "unfinished: 1 queued (31 s)",
        "  build: tried again at 00:00:32 UTC: no room",
    ]
    assert "the machine has run out of something" in text
