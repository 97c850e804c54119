"""`pycurrent history`, `log`, `gc`, `graph`: what is on disk, and what is drawn."""

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from .commands import FROBS, NAPS, Command, Start, Write

JOB_ID = re.compile(r"\d{4}-\d\d-\d\d/\d{6}-[\w.-]+-[0-9a-f]{6}")


@pytest.fixture
def frobbed(pipeline_file: Write, pycurrent: Command) -> dict[str, str]:
    """The ids of three jobs that were run, by their key: `bad` has failed."""
    pipeline_file(FROBS)
    pycurrent("run", "ci.py", "--once", "--keys", "a", "bad")
    pycurrent("run", "ci.py", "--once", "--keys", "c")
    ids = {}
    for line in pycurrent("history").out.splitlines():
        match = JOB_ID.search(line)
        assert match is not None
        ids[line[match.end() :].split()[1].rstrip(":")] = match[0]
    return ids


def test_history_lists_jobs_the_newest_first(frobbed: dict[str, str], pycurrent: Command) -> None:
    """When, how it ended, how long it took, its id, what it was, and why it failed."""
    lines = pycurrent("history").out.splitlines()
    what = [re.sub(r"^\S+ \S+ +(\w+) +\S+ s +\S+ +", r"\1 ", line) for line in lines]
    assert what[0] == "ok frob c"
    assert sorted(what[1:]) == ["failed frob bad: no good", "ok frob a"]


@pytest.mark.parametrize(
    ("filters", "keys"),
    [
        (["--failed"], ["bad"]),
        (["--ok"], ["c", "a"]),
        (["--op", "frob", "--limit", "1"], ["c"]),
        (["--end", "failed"], ["bad"]),
        (["--end", "failed", "--end", "ok"], ["c", "bad", "a"]),
        (["--end", "superseded"], []),
        (["--text", "no goo"], ["bad"]),
        (["--date", f"{datetime.now(UTC):%Y}"], ["c", "bad", "a"]),
        (["--date", "1999"], []),
        (["--date", "1999-12"], []),
        (["--since", "2h"], ["c", "bad", "a"]),
        (["--since", "2h", "--until", "1h"], []),
        (["--until", "1999-12-31T08:47"], []),
        (["--longer", "10m"], []),
        (["--place", "build1"], []),
        (["--pool", "builds"], []),
        (["--path", "frob*"], ["c", "bad", "a"]),
        (["--path", "frob"], []),
        (["--label", "repo=web"], []),
        (["--label", "repo!=web", "--failed"], ["bad"]),
        (["--kind", "real"], ["bad"]),
        (["--cause", "never-built", "--ok"], ["c", "a"]),
        (["--cause", "asked"], []),
        (["--who", "ann"], []),
    ],
)
def test_history_filters(
    filters: list[str], keys: list[str], frobbed: dict[str, str], pycurrent: Command
) -> None:
    """Filters go together."""
    ended = pycurrent("history", *filters)
    assert ended.status == 0
    found = JOB_ID.findall(ended.out)
    assert sorted(found) == sorted(frobbed[key] for key in keys)


def test_history_knows_the_ways_to_end(folder: Path, pycurrent: Command) -> None:
    """It lists them where another one is given."""
    ended = pycurrent("history", "--end", "discarded")
    assert (ended.status, ended.err) == (
        2,
        "pycurrent: --end takes one of ok, failed, cancelled, timed-out, superseded, interrupted,"
        " not-ended; not 'discarded'\n",
    )


def test_history_of_an_unknown_operation(frobbed: dict[str, str], pycurrent: Command) -> None:
    """It says which there are."""
    ended = pycurrent("history", "--op", "fro")
    assert ended.status == 2
    assert ended.err.endswith("the operations that have are frob\n")


def test_a_log_is_found_by_id_beginning_end_or_as_the_last(
    frobbed: dict[str, str], pycurrent: Command
) -> None:
    """The whole id, or as much of it as names one job."""
    job_id = frobbed["bad"]
    for name in (job_id, job_id[-6:], job_id.partition("/")[2]):
        ended = pycurrent("log", name)
        assert (ended.status, ended.err) == (0, "")
        assert "frobbing bad\n" in ended.out
    assert "frobbing c\n" in pycurrent("log", "last").out
    assert "frobbing c\n" in pycurrent("log", "last", "--follow").out


@pytest.mark.parametrize(
    ("job", "said"),
    [
        ("20", "3 jobs have an id that begins or ends with '20': name one of them, such as 20"),
        ("nonsense", "has an id that begins or ends with 'nonsense': `pycurrent history` lists"),
        ("../../ci", "'../../ci' is not a job id"),
    ],
)
def test_a_log_that_is_not_found(
    job: str, said: str, frobbed: dict[str, str], pycurrent: Command
) -> None:
    """It says which jobs it could be."""
    ended = pycurrent("log", job)
    assert (ended.status, ended.out) == (2, "")
    assert said in ended.err


def test_a_log_is_followed_until_its_job_ends(
    pipeline_file: Write, child: Start, folder: Path
) -> None:
    """From another process, while the engine runs."""
    os.mkfifo(folder / "fifo")
    pipeline_file(NAPS.replace("fifo", str(folder / "fifo")))
    run = child("-m", "pycurrent", "run", "ci.py", "--once")
    run.await_line("running  nap")
    log = child("-m", "pycurrent", "log", "last", "-f")
    log.await_line("napping")
    (folder / "fifo").write_text("wake up\n")
    assert log.end().out.endswith("Job succeeded\n")
    assert run.end().status == 0


def test_following_the_log_of_a_killed_engine_ends(
    pipeline_file: Write, child: Start, folder: Path
) -> None:
    """Though its job is recorded as running until another engine comes."""
    os.mkfifo(folder / "fifo")
    pipeline_file(NAPS.replace("fifo", str(folder / "fifo")))
    run = child("-m", "pycurrent", "run", "ci.py")
    run.await_line("running  nap")
    log = child("-m", "pycurrent", "log", "last", "-f")
    log.await_line("napping")
    run.process.kill()
    run.end()
    assert log.end().status == 0


def test_a_reader_who_has_seen_enough(frobbed: dict[str, str], child: Start, folder: Path) -> None:
    """`pycurrent log ... | head`: nothing is said of the broken pipe."""
    log = folder / ".pycurrent/job" / f"{frobbed['a']}.log"
    log.write_bytes(b"line\n" * 200_000)
    reader = child("-m", "pycurrent", "log", frobbed["a"])
    assert reader.process.stdout is not None
    reader.process.stdout.readline()
    reader.process.stdout.close()
    assert reader.process.wait(timeout=20) == 141
    assert reader.process.stderr is not None
    assert reader.process.stderr.read() == ""


def test_gc_says_what_it_would_remove(
    frobbed: dict[str, str], pycurrent: Command, folder: Path
) -> None:
    """How much in all; the last results of their keys are kept."""
    stray = folder / ".pycurrent/job/2020-01-01/000000-frob-abcdef.log"
    stray.parent.mkdir()
    stray.write_text("old")
    os.utime(stray, (0, 0))
    ended = pycurrent("gc", "--older-than", "1d12h", "--dry-run")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == "would remove 0 jobs, 1 log, 1 folder; 3 bytes\n"
    assert stray.exists()
    done = pycurrent("gc", "--older-than", "1d12h")
    assert done.out == "removed 0 jobs, 1 log, 1 folder; 3 bytes\n"
    assert not stray.parent.exists()
    assert pycurrent("log", frobbed["a"]).status == 0


def test_graph_draws_without_running(
    pipeline_file: Write, pycurrent: Command, folder: Path
) -> None:
    """Graphviz text, of the pipeline that the options ask for; nothing is made on disk."""
    pipeline_file(FROBS)
    ended = pycurrent("graph", "ci.py", "--keys", "x")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("digraph pipeline {")
    assert 'label="frob x"' in ended.out
    assert not (folder / ".pycurrent").exists()


UNUSED = (
    FROBS
    + """
    def forgetful() -> Current[str]:
        source = frob("source")
        frob(source).map(len)
        return source
"""
)


def test_graph_and_run_tell_what_is_built_and_not_used(
    pipeline_file: Write, pycurrent: Command
) -> None:
    """Once, with what to write."""
    pipeline_file(UNUSED)
    drawn = pycurrent("graph", "ci.py:forgetful")
    assert drawn.err.startswith("built but not used, so never run: a map of 'frob …'; ")
    ended = pycurrent("run", "ci.py:forgetful", "--once")
    assert ended.status == 0
    assert ended.out.count("built but not used") == 1


FOLDED = (
    FROBS
    + """
    def folded() -> Current[str]:
        source = frob("source")
        return frob(source).collapse(key="part", value="one", input=source)
"""
)


@pytest.mark.parametrize(("unfold", "boxes"), [([], 2), (["part=one"], 2), (["part=two"], 2)])
def test_graph_unfolds(
    unfold: list[str], boxes: int, pipeline_file: Write, pycurrent: Command
) -> None:
    """Only the fold that is named."""
    pipeline_file(FOLDED)
    options = [word for fold in unfold for word in ("--unfold", fold)]
    drawn = pycurrent("graph", "ci.py:folded", *options).out
    assert ('label="+"' in drawn) is (unfold != ["part=one"])


def test_graph_unfolds_all(pipeline_file: Write, pycurrent: Command) -> None:
    """`all` opens every fold."""
    pipeline_file(FOLDED)
    assert 'label="+"' not in pycurrent("graph", "ci.py:folded", "--unfold", "all").out


def test_a_backup_is_made_and_refuses_to_write_over_a_file(
    frobbed: dict[str, str], pycurrent: Command
) -> None:
    """It says how large it is; a second one of that name is a mistake."""
    ended = pycurrent("backup", "copy.db")
    assert ended.status == 0
    assert re.fullmatch(r"backed up to copy\.db \([\d.]+ kB\)\n", ended.out)
    again = pycurrent("backup", "copy.db")
    assert again.status == 2
    assert "there is a file" in again.err


def test_why_says_why_a_job_was_run(frobbed: dict[str, str], pycurrent: Command) -> None:
    """By its id, a part of it, or `last`; and a stage by its path."""
    for subject in (frobbed["bad"], frobbed["bad"][-6:]):
        lines = pycurrent("why", subject).out.splitlines()
        assert lines[0] == f"{frobbed['bad']}: failed"
        assert lines[1].strip().endswith("was run because it has not been built yet")
        assert "the engine was started, at" in lines[3]
    assert pycurrent("why", "last").out.startswith(f"{frobbed['c']}: ok\n")
    assert pycurrent("why", "frob c").out.startswith("frob c: ok\n")
    answer = json.loads(pycurrent("why", "--json", "frob c").out)
    assert (answer["job"], answer["reasons"][0]["type"]) == (frobbed["c"], "ran")


def test_explain_says_why_a_job_has_failed(frobbed: dict[str, str], pycurrent: Command) -> None:
    """By its id, a part of it, or `last`; also as JSON."""
    lines = pycurrent("explain", frobbed["bad"][-6:]).out.splitlines()
    assert lines[0].startswith(f"{frobbed['bad']}: frob bad: failed (real) at ")
    assert lines[1] == "  no good"
    answer = json.loads(pycurrent("explain", "--json", frobbed["bad"]).out)
    assert (answer["job"], answer["kind"], answer["text"]) == (frobbed["bad"], "real", lines)
    assert pycurrent("explain", "last").out.startswith(f"{frobbed['c']}: frob c: ok at ")
    unknown = pycurrent("explain", "zzz")
    assert unknown.status == 2
    assert "no job" in unknown.err


def test_failures_are_listed_by_cause(frobbed: dict[str, str], pycurrent: Command) -> None:
    """With the newest job, its message, and the stages."""
    lines = pycurrent("failures").out.splitlines()
    fields = lines[0].split()
    assert (fields[0], fields[2:4], fields[-1]) == ("real", ["1", "failure"], frobbed["bad"])
    assert lines[1:] == ["    no good", "    in frob bad"]
    assert pycurrent("failures", "--fingerprint", fields[1][:5]).out.splitlines() == lines
    assert pycurrent("failures", "--kind", "real", "--since", "1h").out.splitlines() == lines
    assert pycurrent("failures", "--since", "9999999w").out.splitlines() == lines
    assert pycurrent("failures", "--kind", "infra").out == ""
    (group,) = json.loads(pycurrent("failures", "--json").out)["groups"]
    assert (group["fingerprint"], group["stages"]) == (fields[1], ["frob bad"])


def test_why_counts_what_the_changes_of_some_time_have_started(
    frobbed: dict[str, str], pycurrent: Command
) -> None:
    """And lists the jobs of one of them."""
    head, first, second = pycurrent("why", "--last", "1h").out.splitlines()
    assert head == "2 changes → 3 runs:"
    assert first.startswith("  2 by the engine was started")
    assert second.startswith("  1 by the engine was started")
    change = re.search(r"\(change (\d+)\)", second)
    assert change is not None
    told = pycurrent("why", "--change", change[1]).out
    assert told.splitlines()[1:] == [f"  job {frobbed['c']}"]
    assert json.loads(pycurrent("why", "--last", "9999999w", "--json").out)["runs"] == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "why takes one of: a job or a stage, --last TIME, --change NUMBER"),
        (["frob c", "--last", "1h"], "why takes one of"),
        (["elsewhere"], "'elsewhere' is neither a stage of the pipeline nor the id of a job"),
        (["--change", "77"], "no change has the number 77"),
    ],
)
def test_why_refuses_what_it_does_not_know(
    arguments: list[str], says: str, frobbed: dict[str, str], pycurrent: Command
) -> None:
    """With what to ask instead."""
    ended = pycurrent("why", *arguments)
    assert ended.status == 2
    assert says in ended.err
