"""The client, against an engine that is served in this process."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest

import pycurrent as current
from pycurrent import Config, Current, Failure, FailureKind, Job, Level, LogRule, builder
from pycurrent.cli.app import make_app
from pycurrent.cli.client.status import ClientExit
from pycurrent.cli.end import status_of
from pycurrent.cli.library import call
from pycurrent.engine import JobState
from pycurrent.store import AccessDatabase, TokenRecord
from pycurrent.web.settings import AccessSettings, WebSettings
from pycurrent.web.users import LocalUser, PasswordFile, PasswordHash, Role
from pycurrent.web.users.keys import digest_of, new_token

from ..web.sites import RunningSite, running_site
from .commands import Ended, Start


class Frobs:
    """A pipeline of four jobs: one succeeds, one fails, one waits for `go`, one for a person."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.started = asyncio.Event()

    def pipeline(self) -> Current[None]:
        @builder("frob", level=Level.AVERAGE)
        async def frob(job: Job, key: str) -> str:
            job.write(f"frobbing {key} é\n")
            if key == "bad":
                raise Failure("no good")
            if key == "slow":
                self.started.set()
                await self.go.wait()
                job.write("done at last")
            return key

        @builder("push", level=Level.DANGEROUS)
        async def push(job: Job, key: str) -> str:
            return key

        with current.labels(repo="web"):
            good, bad = frob("good"), frob("bad")
        with current.labels(repo="api"):
            slow = frob("slow")
        return current.all([good, bad, slow, push("tag")])


class Client:
    """Calls the command line in another thread, as the engine has this one."""

    def __init__(self, site: RunningSite, capture: pytest.CaptureFixture[bytes]) -> None:
        self.site = site
        self._capture = capture

    async def __call__(self, *arguments: str, url: str | None = None) -> Ended:
        return await self.without_url("--url", url or self.site.url, *arguments)

    async def elsewhere(self, *arguments: str) -> str:
        """The output of another command than those of the client."""
        return (await self.of_records(*arguments)).out

    async def without_url(self, *arguments: str) -> Ended:
        return await self.of_records("client", *arguments)

    async def of_records(self, *tokens: str) -> Ended:
        """A whole command line."""
        self._capture.readouterr()
        status = await asyncio.to_thread(status_of, "pycurrent", lambda: call(make_app(), tokens))
        captured = self._capture.readouterr()
        return Ended(status, captured.out.decode(), captured.err.decode())

    def job(self, description: str) -> str:
        """The id of a job of the pipeline."""
        for job_id, job in self.site.engine.jobs.items():
            if job.description == description:
                return job_id
        raise AssertionError(f"no job {description!r}")


async def _until(site: RunningSite, condition: Callable[[], bool]) -> None:
    """Wait for a step of the engine after which it holds."""
    stepped = asyncio.Event()
    site.engine.listen(lambda step: stepped.set())
    while not condition():
        stepped.clear()
        await stepped.wait()


@pytest.fixture
def frobs() -> Frobs:
    return Frobs()


@pytest.fixture
async def client(
    frobs: Frobs, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> AsyncIterator[Client]:
    """The client of an engine where all that can happen has: `slow` runs, `tag` waits."""
    config = Config(confirm=Level.DANGEROUS)
    async with running_site(frobs.pipeline, tmp_path / "state", config=config) as site:
        await _until(site, lambda: _is_quiet(site))
        yield Client(site, capsysbinary)


def _is_quiet(site: RunningSite) -> bool:
    stats = site.engine.stats
    at_work = (stats.running, stats.waiting_for_confirmation, stats.ready)
    return at_work == (1, 1, 0) and stats.failed == 1


async def test_overview_says_why_the_pipeline_has_failed_and_ends_with_1(client: Client) -> None:
    """A script sees by the exit status that something failed, and a person what."""
    ended = await client("overview")
    assert ended.status == ClientExit.FAILED
    assert ended.out.startswith("failed: no good\n1 failed, 1 waiting for confirmation, 1 running")
    assert f"failed   frob bad: no good\n           {client.job('frob bad')}" in ended.out


async def test_overview_of_what_is_not_known_yet_ends_with_5(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """A pipeline that is at work has neither succeeded nor failed."""
    pipeline = lambda: current.active(current.Activity.RUNNING)  # noqa: E731
    async with running_site(pipeline, tmp_path / "state") as site:
        ended = await Client(site, capsysbinary)("overview")
    assert (ended.status, ended.out.splitlines()[0]) == (ClientExit.UNKNOWN, "running")


async def test_overview_tells_stages_that_one_job_has_failed_as_one(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """With the number of the others."""

    @builder("base")
    async def base(job: Job, key: str) -> str:
        raise Failure("disk full")

    def pipeline() -> Current[None]:
        return current.all([base("debian") for _ in range(30)])

    async with running_site(pipeline, tmp_path / "state") as site:
        await _until(site, lambda: site.engine.stats.failed == 30)
        shown = await Client(site, capsysbinary)("overview", "--limit", "2")
        head, counted, failed, _ = shown.out.splitlines()
        assert (head, counted) == ("failed: disk full", "30 failed")
        assert failed == "  failed   base debian and 29 more stages: disk full"


async def test_jobs_says_what_each_waits_for(client: Client) -> None:
    """Those that have not ended are listed, with what they wait for."""
    ended = await client("jobs")
    assert ended.status == ClientExit.OK
    slow, tag = ended.out.splitlines()
    assert slow.startswith("running")
    assert client.job("frob slow") in slow
    assert tag.endswith("push tag waits for confirmation (its level is dangerous)")


async def test_json_is_what_the_api_answers(client: Client) -> None:
    """With --json, before or after the command, the answer is passed on."""
    before = json.loads((await client("--json", "jobs")).out)
    after = json.loads((await client("jobs", "--json")).out)
    assert [job["id"] for job in before["jobs"]] == [job["id"] for job in after["jobs"]]
    assert before["jobs"][1]["wait"] == {"reason": "confirmation", "level": "dangerous"}


@pytest.mark.parametrize(
    ("description", "status", "state"),
    [
        ("frob good", ClientExit.OK, "ok"),
        ("frob bad", ClientExit.FAILED, "failed"),
        ("frob slow", ClientExit.UNKNOWN, "running"),
    ],
)
async def test_status_ends_as_its_job_did(
    client: Client, description: str, status: ClientExit, state: str
) -> None:
    """0 for one that succeeded, 1 for one that failed, 5 for one that has not ended."""
    ended = await client("status", client.job(description))
    assert ended.status == status
    assert f"state:      {state}\n" in ended.out


async def test_a_job_can_be_named_by_an_end_of_its_id(client: Client) -> None:
    """The random part is enough, and `last` is the newest one."""
    bad = client.job("frob bad")
    assert bad in (await client("status", bad[-6:])).out
    assert (await client("status", "last")).out.startswith(f"job:        {client.job('push tag')}")


async def test_why_says_what_a_stage_waits_for_and_why_a_job_was_run(client: Client) -> None:
    """As the API answers it; what is neither is a mistake."""
    ended = await client("why", "push tag")
    assert ended.status == ClientExit.OK
    first, second, third, *_ = ended.out.splitlines()
    assert first == "push tag: waiting for confirmation"
    assert "waits until somebody approves it: its level is dangerous" in second
    assert third.endswith("is to run because it has not been built yet")
    (_, ran) = json.loads((await client("--json", "why", "push tag")).out)["reasons"]
    assert (ran["type"], ran["phase"]) == ("ran", "waits")
    bad = client.job("frob bad")
    lines = (await client("why", bad[-6:])).out.splitlines()
    assert lines[0] == f"{bad}: failed"
    answer = json.loads((await client("--json", "why", "frob bad")).out)
    assert [reason["type"] for reason in answer["reasons"]] == ["failed", "ran"]
    assert answer["reasons"][1]["phase"] == "ran"
    assert (answer["health"]["state"], answer["health"]["failing"]) == ("new", True)
    assert (answer["health"]["job"], answer["health"]["flips"]) == (bad, [])
    unknown = await client("why", "elsewhere")
    assert unknown.status == ClientExit.USAGE
    assert "'elsewhere' is neither a stage of the pipeline nor the id of a job" in unknown.err


async def test_explain_says_the_same_as_the_records(client: Client) -> None:
    """With or without an engine, in words or as JSON."""
    bad = client.job("frob bad")
    state = str(client.site.engine.opened.state.path)
    offline = json.loads(await client.elsewhere("explain", bad, "--json", "--state-dir", state))
    answer = json.loads((await client("--json", "explain", bad)).out)
    assert answer == offline
    assert answer["failure"] == "no good"
    assert (await client("explain", bad[-6:])).out.splitlines() == answer["text"]
    assert (await client("explain", "zzz")).status == ClientExit.USAGE


async def test_failures_are_shown_and_rebuilt_by_cause(client: Client) -> None:
    """After a dry run. By ids or by a filter, not by both."""
    bad = client.job("frob bad")
    shown = await client("failures", "--kind", "real", "--since", "1h")
    first, message, stages = shown.out.splitlines()
    assert first.startswith("real ")
    assert first.endswith(bad)
    assert (message, stages) == ("    no good", "    in frob bad")
    now = await client("failures", "--now")
    first_now, message_now, job = now.out.splitlines()[:3]
    assert first_now.startswith("real     frob bad since ")
    assert (message_now.strip(), job.strip()) == ("no good", bad)
    digest = first.split()[1]
    listed = await client("rebuild", "--fingerprint", digest, "--dry-run")
    assert listed.out == f"{bad}  would be rebuilt: frob bad\n"
    assert client.job("frob bad") == bad
    done = await client("rebuild", "--fingerprint", digest)
    assert (done.status, done.out.split()[0]) == (ClientExit.OK, bad)
    none = await client("rebuild", "--kind", "infra", "--since", "2h")
    assert (none.status, none.out, none.err) == (ClientExit.OK, "", "no job matches\n")
    for wrong in ([], [bad, "--kind", "real"]):
        assert (await client("rebuild", *wrong)).status == ClientExit.USAGE


async def test_rules_are_applied_to_what_has_failed(client: Client) -> None:
    """And it is said how many have another kind now."""
    client.site.engine.log_rules.add(LogRule("frobbing", "a frob", 1, FailureKind.INFRA))
    done = await client("apply-rules")
    assert (done.status, done.out) == (
        0,
        "of 1 failure 1 has another kind now, and 1 another message\n",
    )
    assert json.loads((await client("--json", "apply-rules", "--limit", "5")).out)["changed"] == 0


async def test_a_name_of_no_job_or_of_several_is_a_mistake(client: Client) -> None:
    """What it could be is said in a line."""
    none = await client("status", "zzz")
    assert (none.status, none.out) == (ClientExit.USAGE, "")
    assert none.err.startswith("pycurrent: no recent job has an id that begins or ends with 'zzz'")
    several = await client("status", "20")
    assert several.status == ClientExit.USAGE
    assert several.err.startswith("pycurrent: 4 jobs have an id that begins or ends with '20'")
    gone = await client("status", "2001-01-01/000000-frob-123abc")
    assert gone.status == ClientExit.USAGE
    assert len(gone.err.splitlines()) == 1


async def test_log_is_byte_for_byte_what_the_job_wrote(client: Client) -> None:
    """It is the same as the file."""
    job_id = client.job("frob bad")
    ended = await client("log", job_id)
    assert ended.status == ClientExit.OK
    assert ended.out == client.site.service.logs.source(job_id).text()


async def test_log_as_json_has_a_line_for_each_line(client: Client) -> None:
    """Each with its number."""
    ended = await client("log", client.job("frob bad"), "--json")
    lines = [json.loads(line) for line in ended.out.splitlines()]
    assert [line["number"] for line in lines] == list(range(1, len(lines) + 1))
    assert any(line["text"] == "frobbing bad é" for line in lines)


@pytest.mark.parametrize("form", [(), ("--json",)])
async def test_a_followed_log_ends_with_its_job_and_misses_nothing(
    client: Client, frobs: Frobs, child: Start, form: tuple[str, ...]
) -> None:
    """What is added while it is followed is shown, the last line without an end too."""
    job_id, url = client.job("frob slow"), client.site.url
    process = child("-m", "pycurrent", "client", "--url", url, "log", "-f", job_id, *form)
    seen = await asyncio.to_thread(process.await_line, "frobbing slow")
    frobs.go.set()
    ended = await asyncio.to_thread(process.end)
    assert (ended.status, ended.err) == (ClientExit.OK, "")
    _, marker, written = client.site.service.logs.source(job_id).text().partition("frobbing slow")
    if form:
        shown = [json.loads(line)["text"] for line in [seen, *ended.out.splitlines()]]
        assert shown == f"{marker}{written}".splitlines()
    else:
        assert seen + ended.out == f"{marker}{written}"


async def test_following_a_job_that_fails_ends_with_1(client: Client) -> None:
    """A script that follows the log knows how it ended."""
    assert (await client("log", "-f", client.job("frob bad"))).status == ClientExit.FAILED


async def test_approve_lets_a_job_go_on_that_waits(client: Client) -> None:
    """Its approval is on record, and one that does not wait is refused."""
    job_id = client.job("push tag")
    started = await client("approve", job_id)
    assert (started.status, started.out) == (ClientExit.OK, f"{job_id}  is approved\n")
    await _until(client.site, lambda: not client.site.service.jobs.is_active(job_id))
    again = await client("approve", job_id)
    assert again.status == ClientExit.REFUSED
    assert again.out == f"{job_id}  refused: it has ended: ok\n"


async def test_a_command_goes_on_under_its_old_name(client: Client) -> None:
    """With a line on stderr that says the new one; help shows that one only."""
    ended = await client("start", client.job("push tag"))
    assert (ended.status, ended.err) == (
        ClientExit.OK,
        "pycurrent client: start is now approve: the old name will be removed in 0.3\n",
    )
    assert "is approved" in ended.out
    shown = await client.without_url("--help")
    assert "approve" in shown.out
    assert not re.search(r"^\W*start\b", shown.out, re.MULTILINE)


async def test_cancel_ends_a_job_and_goes_on_after_a_refusal(client: Client) -> None:
    """One of two has ended: the other one is cancelled all the same, and the status tells."""
    bad, slow = client.job("frob bad"), client.job("frob slow")
    ended = await client("cancel", bad, slow)
    assert ended.status == ClientExit.REFUSED
    assert ended.out.splitlines() == [
        f"{bad}  refused: it has ended: failed",
        f"{slow}  is cancelled",
    ]
    await _until(client.site, lambda: not client.site.service.jobs.is_active(slow))
    assert "failure:    Cancelled" in (await client("status", slow)).out


async def test_rebuild_says_by_which_job(client: Client) -> None:
    """The new one has the next number."""
    bad = client.job("frob bad")
    ended = await client("rebuild", bad, "--json")
    (outcome,) = json.loads(ended.out)["outcomes"]
    assert (ended.status, outcome["job"], outcome["outcome"]) == (0, bad, "done")
    await _until(client.site, lambda: not client.site.service.jobs.is_active(outcome["new_job"]))
    assert "build:      1\n" in (await client("status", outcome["new_job"])).out


async def test_rebuild_all_takes_what_matches(client: Client) -> None:
    """Only failures here; without saying which none are."""
    which = await client("rebuild-all")
    assert which.status == ClientExit.USAGE
    bad = client.job("frob bad")
    ended = await client("rebuild-all", "--failed")
    assert ended.status == ClientExit.OK
    assert [line.split("  ")[0] for line in ended.out.splitlines()] == [bad]


async def test_jobs_are_listed_and_cancelled_by_labels(client: Client) -> None:
    """By ids or by a filter, not by both; a dry run says which."""
    slow, tag = client.job("frob slow"), client.job("push tag")
    assert slow in (await client("jobs", "--label", "repo=a*")).out
    assert tag in (await client("jobs", "--label", "repo!=*")).out
    assert slow in (await client("jobs", "--path", "frob *")).out
    none = await client("jobs", "--label", "repo=web")
    assert (none.status, none.out, none.err) == (ClientExit.OK, "", "no job matches\n")
    for which in (["--label", "repo=api"], [slow[-6:]]):
        listed = await client("cancel", *which, "--dry-run")
        assert (listed.status, listed.out) == (0, f"{slow}  would be cancelled: frob slow\n")
    for wrong in ([], [slow, "--label", "repo=api"], ["--label", "api"]):
        assert (await client("cancel", *wrong)).status == ClientExit.USAGE
    none = await client("cancel", "--label", "repo=web")
    assert none.status == ClientExit.USAGE
    assert "no job that has not ended is of a stage with repo=web" in none.err
    done = await client("cancel", "--label", "repo=api", "--reason", "moved")
    assert (done.status, done.out) == (ClientExit.OK, f"{slow}  is cancelled\n")
    await _until(client.site, lambda: not client.site.service.jobs.is_active(slow))


async def test_failures_are_found_by_labels(client: Client) -> None:
    """With an engine and without one; and rebuilt. A label that none has is an error then."""
    bad = client.job("frob bad")
    state = str(client.site.engine.opened.state.path)
    for label, path, count in (("web", "frob bad", 1), ("web", "frob good", 0), ("api", "*", 0)):
        which = ("failures", "--label", f"repo={label}", "--path", path)
        online = (await client(*which)).out
        assert online.count(bad) == count
        assert await client.elsewhere(*which, "--state-dir", state) == online
    for command in ("rebuild", "rebuild-all"):
        listed = await client(command, "--label", "repo=web", "--path", "*bad", "--dry-run")
        assert listed.out == f"{bad}  would be rebuilt: frob bad\n"
        none = await client(command, "--label", "repo=docs")
        assert none.status == ClientExit.USAGE
        assert "that passes the filter is of a stage with repo=docs" in none.err
    done = await client("rebuild", "--label", "repo=web")
    assert [line.split("  ")[0] for line in done.out.splitlines()] == [bad]


async def test_query_lists_what_passes_the_filters(client: Client) -> None:
    """The newest first, with what to go on with."""
    failed = await client("query", "--failed")
    (line,) = failed.out.splitlines()
    assert line.endswith(f"{client.job('frob bad')}  frob bad  [repo=web]: no good")
    first = await client("query", "--limit", "1")
    (newest,) = [job for job in client.site.engine.jobs if job in first.out]
    assert newest in first.out
    assert first.err.startswith("there are more: --before ")
    rest = await client("query", "--before", first.err.split()[-1])
    assert len(rest.out.splitlines()) == 1
    both = await client("query", "--ok", "--failed")
    assert both.status == ClientExit.USAGE


async def test_ops_lists_the_operations(client: Client) -> None:
    """Those with results."""
    assert (await client("ops")).out == "frob\n"


async def test_confirm_shows_and_sets_the_level(client: Client) -> None:
    """With `none` nothing waits any more."""
    shown = await client("confirm")
    assert shown.out.startswith("dangerous\n")
    assert shown.out.endswith("none would start 1 job\n")
    tag = client.job("push tag")
    assert (await client("confirm", "none")).out == "none\n"
    assert client.site.engine.config.confirm is None
    await _until(client.site, lambda: not client.site.service.jobs.is_active(tag))
    wrong = await client("confirm", "risky")
    assert wrong.status == ClientExit.USAGE
    assert "'harmless'" in wrong.err


async def test_set_sets_an_input_and_inputs_lists_them(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """A word or a number as it is typed; a wrong value or name is the caller's mistake."""

    def pipeline() -> Current[tuple[int, str]]:
        channel = current.Input("channel", "beta")
        return current.pair(current.Input("replicas", 2).get(), channel.get())

    async with running_site(pipeline, tmp_path / "state") as site:
        client = Client(site, capsysbinary)
        listed = await client("inputs")
        assert listed.out == "channel = beta (the default)\nreplicas = 2 (the default)\n"
        done = await client("set", "replicas", "-5", "--reason", "more load")
        assert re.fullmatch(r"replicas = -5 \(set by \S+ at .*: more load\)\n", done.out)
        await _until(site, lambda: site.engine.output == current.Ok((-5, "beta")))
        wrong = await client("set", "replicas", "many")
        assert (wrong.status, "'many' is refused" in wrong.err) == (ClientExit.USAGE, True)
        wrong = await client("set", "size", "1")
        assert (wrong.status, "no input 'size'" in wrong.err) == (ClientExit.USAGE, True)


async def test_pause_and_resume_hold_what_has_not_begun(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """By level, pool or path; what is wrong is the caller's mistake."""

    def pipeline() -> Current[list[str]]:
        return current.constant(["a", "b"]).list_map(frob)

    @builder("frob", level=Level.AVERAGE, pool=current.Pool("few", 1))
    async def frob(job: Job, key: str) -> str:
        return key

    config = Config(confirm=Level.AVERAGE)
    async with running_site(pipeline, tmp_path / "state", config=config) as site:
        client = Client(site, capsysbinary)
        assert (await client("pauses")).out == "nothing is paused\n"
        done = await client("pause", "--pool", "few", "--reason", "a try", "--until", "2h")
        when = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
        listed = rf"pool few \(paused by .* at {when}, until {when}: a try\)\n"
        assert re.fullmatch(listed, done.out)
        await client("confirm", "none")
        paused = [JobState.PAUSED] * 2
        await _until(site, lambda: [job.state for job in site.service.jobs.active()] == paused)
        waits = r"paused .* waits until pool few is resumed \(paused by .* until .*: a try\)"
        assert all(re.match(waits, job) for job in (await client("jobs")).out.splitlines()[:2])
        done = await client("pause", "a")
        assert [line.split(" (")[0] for line in done.out.splitlines()] == ["path a", "pool few"]
        assert (await client("resume", "a")).out == done.out.splitlines(keepends=True)[1]
        for wrong, why in (
            (["pause"], "give one of a path, level= and pool="),
            (["pause", "c"], "has no stage 'c' now"),
            (["pause", "--level", "risky"], "'risky' is not a level"),
            (["pause", "a", "--until", "2020-01-01"], "has passed"),
            (["pause", "a", "--until", "soon"], "'soon' is not a time such as 2h"),
            (["resume", "--pool", "many"], "pool many is not paused: pool few is"),
        ):
            ended = await client(*wrong)
            assert (ended.status, why in ended.err) == (ClientExit.USAGE, True), ended.err


@builder("frob", level=Level.HARMLESS, label="frob {key}")
async def frob(job: Job, key: str) -> str:
    """Fails, unless its key is c."""
    if key != "c":
        raise current.Failure("no answer in 3 s")
    return key


async def test_mute_leaves_a_failure_out_of_the_status(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Of `overview` and `wait`; by path or fingerprint; what is wrong is the caller's mistake."""

    def pipeline() -> Current[None]:
        return current.all([frob("a"), frob("b").map(str.upper), frob("c")])

    async with running_site(pipeline, tmp_path / "state") as site:
        client = Client(site, capsysbinary)
        await _until(site, lambda: site.engine.stats.failed == 2)
        assert (await client("mutes")).out == "nothing is muted\n"
        done = await client(
            "mute", "frob a", "--reason", "known", "--until", "2h", "--owner", "cleo"
        )
        when = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
        listed = rf"path frob a \(muted by .* for cleo at {when}, until {when}: known\)\n"
        assert re.fullmatch(listed, done.out)
        await _until(site, lambda: site.engine.stats.muted == 1)
        assert (await client("overview")).status == ClientExit.FAILED
        waited = await client("wait", "--path", "frob a")
        assert waited.status == ClientExit.OK
        why = r"muted +frob a: no answer in 3 s; muted by .* for cleo until .* UTC: known"
        assert re.match(why, waited.out)
        assert (await client("wait", "--path", "frob b")).status == ClientExit.FAILED
        (digest,) = {group.fingerprint for group in site.engine.opened.store.failures.groups()}
        await client("mute", "--fingerprint", digest[:5], "--reason", "the server is away")
        await _until(site, lambda: site.engine.stats.muted == 2)
        overview = await client("overview")
        assert (overview.status, overview.out.splitlines()[:2]) == (0, ["ok", "2 muted, 1 ok"])
        assert "muted by" in (await client("failures")).out
        ended = await client("unmute", "frob a", "--reason", "mended")
        assert ended.out.startswith(f"fingerprint {digest} (muted by")
        for wrong, why in (
            (["mute"], "give one of a path and fingerprint="),
            (["mute", "x", "--reason", "known"], "no stage of the pipeline has the path 'x'"),
            (["mute", "frob a"], "a mute needs a reason"),
            (["mute", "frob a", "--reason", "known", "--until", "9w"], "30 days at most"),
            (["unmute", "frob a"], f"path frob a is not muted: muted are fingerprint {digest}"),
        ):
            ended = await client(*wrong)
            assert (ended.status, why in ended.err) == (ClientExit.USAGE, True), ended.err


async def test_mute_takes_all_that_fail_now_and_match(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """With --dry-run only their names are listed; a path and conditions together are a mistake."""

    def pipeline() -> Current[None]:
        return current.all([frob("a"), frob("b"), frob("c")])

    async with running_site(pipeline, tmp_path / "state") as site:
        client = Client(site, capsysbinary)
        await _until(site, lambda: site.engine.stats.failed == 2)
        listed = await client("mute", "--path", "frob *", "--dry-run")
        assert sorted(listed.out.splitlines()) == [f"frob {x}  would be muted" for x in "ab"]
        assert (
            await client("mute", "--kind", "infra", "--reason", "known")
        ).status == ClientExit.OK
        assert site.engine.stats.muted == 0
        done = await client("mute", "--kind", "real", "--reason", "known")
        assert sorted(done.out.splitlines()) == [f"frob {x}  is muted" for x in "ab"]
        await _until(site, lambda: site.engine.stats.muted == 2)
        for wrong, why in (
            (["mute", "frob a", "--kind", "real"], "give the path of one stage, or conditions"),
            (["mute", "--kind", "real"], "a mute needs a reason"),
            (["mute", "--path", "frob *", "--reason", "known"], "no stage that fails now"),
        ):
            ended = await client(*wrong)
            assert (ended.status, why in ended.err) == (ClientExit.USAGE, True), ended.err


async def test_what_holds_no_stage_any_more_is_told_with_those_that_look_like_it(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """A pin and a pause, by the client and in the records; not one that has followed its stage."""

    async def read() -> str:
        return "a1"

    @current.component("head")
    def head(repo: str, depth: int) -> current.Primitive[str]:
        return current.Monitor(read=read, every=timedelta(hours=1), describe=repo).get()

    def of(*repos: str, depth: int) -> Current[list[str]]:
        return current.seq([head(repo, depth) for repo in repos])

    async with running_site(partial(of, "web", depth=1), tmp_path / "state") as site:
        client = Client(site, capsysbinary)
        await _until(site, lambda: isinstance(site.engine.output, current.Ok))
        await client("pin", "head", "--reason", "a check")
        await client("pause", "head")
    async with running_site(partial(of, "web", "api", depth=1), tmp_path / "state") as site:
        client = Client(site, capsysbinary)
        (pin,) = (await client("pins")).out.splitlines()
        assert pin.startswith("head (repo=web, depth=1) = a1 (pinned by ")
        assert pin.endswith(": a check)")
        assert "it is pinned at a1" in (await client("why", "head (repo=web, depth=1)")).out
        (pause,) = (await client("pauses")).out.splitlines()
        assert "look" not in pause
    async with running_site(partial(of, "web", "api", depth=2), tmp_path / "state") as site:
        client = Client(site, capsysbinary)
        (pin,) = (await client("pins")).out.splitlines()
        alike = "head (repo=web, depth=2), head (repo=api, depth=2)"
        assert pin.endswith(f"a check; no stage has this path now, but {alike} look like it)")
        assert f"; no stage has this path now, but {alike} look" in (await client("pauses")).out
        said = (await client("overview")).out
        assert re.search(r"the pin of head \(set by .*: a check\) holds nothing", said)
        assert f"but {alike}, which look like it: set it for the stage" in said
        assert "it is pinned at a1" in await client.elsewhere(
            "why", "--state-dir", str(tmp_path / "state"), "head (repo=web, depth=1)"
        )
        await client("unpin", "head")
        assert "the pin of" not in (await client("overview")).out


@dataclass(frozen=True)
class Release:
    """What to release."""

    version: str
    parts: int = 1


async def test_trigger_fires_a_trigger_and_triggers_lists_them(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Its parameters are typed one by one, or come as one object in JSON."""
    release = current.Trigger("release", Release)
    async with running_site(release.get, tmp_path / "state") as site:
        client = Client(site, capsysbinary)
        assert (await client("triggers")).out == "release version=... parts=1\n"
        done = await client("trigger", "release", "version=1", "--reason", "it is Friday")
        assert done.out == "release was fired: firing 1\n"
        done = await client("trigger", "release", '{"version": "2", "parts": 3}')
        assert done.out == "release was fired: firing 2\n"
        listed = (await client("triggers")).out.splitlines()[1:]
        assert re.fullmatch(
            r'  1 pending \{"parts": 1, "version": "1"\} \(fired by \S+ at .*: it is Friday\)',
            listed[0],
        )
        for wrong, why in (
            (["release", "parts=many", "version=1"], "'many' is refused"),
            (["release", "1"], "parameters are KEY=VALUE"),
            (["release", "{1"], "is not JSON"),
            (["deploy"], "no trigger 'deploy'"),
        ):
            ended = await client("trigger", *wrong)
            assert (ended.status, why in ended.err) == (ClientExit.USAGE, True), ended.err


async def test_dot_draws_the_pipeline(client: Client) -> None:
    """As text, or as data."""
    assert (await client("dot")).out.startswith("digraph")
    nodes = json.loads((await client("dot", "--json")).out)["nodes"]
    assert "frob bad" in [node["label"] for node in nodes]


async def test_nobody_there_is_said_in_a_line(client: Client) -> None:
    """With what to do, and an exit status of its own."""
    ended = await client("jobs", url="http://127.0.0.1:1")
    assert ended.status == ClientExit.UNREACHABLE
    assert ended.err == (
        "pycurrent: no engine runs at http://127.0.0.1:1: start one with `pycurrent run`, or say"
        " where it is with --url\n"
    )


@pytest.mark.parametrize(
    "url", ["ftp://host", "host:8080", "http://", "http://h/path", "http://h:x"]
)
async def test_what_is_no_address_is_a_mistake(client: Client, url: str) -> None:
    """Nothing is sent."""
    ended = await client("jobs", url=url)
    assert ended.status == ClientExit.USAGE
    assert ended.err == (
        f"pycurrent: {url!r} is not the address of an engine: expected one such as"
        " http://127.0.0.1:8080\n"
    )


async def test_what_is_no_engine_is_told_from_one(client: Client) -> None:
    """Something else that answers at the address is not taken for one."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ended = await client("jobs", url=url)
    assert ended.status == ClientExit.UNREACHABLE
    assert ended.err == f"pycurrent: what answers at {url} is not a pycurrent engine: check --url\n"


async def test_a_token_opens_what_its_role_may(
    frobs: Frobs,
    tmp_path: Path,
    capsysbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where people have to log in, a builder's token cancels, but does not confirm."""
    users = PasswordFile(tmp_path / "users")
    users.put(LocalUser("ada", Role.ADMIN, PasswordHash.nobodys()))
    settings = WebSettings(port=0, access=AccessSettings(providers=(users,)))
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(
            running_site(frobs.pipeline, tmp_path / "state", settings=settings)
        )
        await frobs.started.wait()
        client = Client(site, capsysbinary)
        refused = await client("jobs")
        assert refused.status == ClientExit.REFUSED
        monkeypatch.setenv("PYCURRENT_TOKEN", "pyc_wrong")
        wrong = await client("jobs")
        assert wrong.status == ClientExit.REFUSED
        assert "give a valid token by --token-file or $PYCURRENT_TOKEN" in wrong.err

        (tmp_path / "token").write_text(f"{_token(site, Role.BUILDER)}\n")
        file = ("--token-file", str(tmp_path / "token"))
        assert (await client(*file, "jobs")).status == ClientExit.OK
        assert (await client(*file, "cancel", client.job("frob slow"))).status == ClientExit.OK
        level = await client(*file, "confirm", "none")
        assert level.status == ClientExit.REFUSED
        assert level.err == (
            "pycurrent: this takes the role admin, which token:bot does not have: give the token of"
            " somebody who may do so by --token-file or $PYCURRENT_TOKEN\n"
        )


def _token(site: RunningSite, role: Role) -> str:
    token = new_token()
    with AccessDatabase.open(site.engine.opened.state) as database:
        record = TokenRecord("bot", role.value, datetime.now(UTC), None, None)
        assert database.add_token(record, digest_of(token))
    return token


async def test_a_file_without_a_token_is_a_mistake(client: Client, tmp_path: Path) -> None:
    """Before anything is sent."""
    missing = await client("--token-file", str(tmp_path / "none"), "jobs")
    assert missing.status == ClientExit.USAGE
    assert "can't be read: No such file or directory" in missing.err
    (tmp_path / "text").write_text("two words")
    text = await client("--token-file", str(tmp_path / "text"), "jobs")
    assert text.status == ClientExit.USAGE
    assert "does not hold a token" in text.err


@pytest.fixture
async def at_home(
    frobs: Frobs, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> AsyncIterator[Client]:
    """The client of an engine that only who runs it may look at."""
    settings = WebSettings(port=0)
    async with running_site(frobs.pipeline, tmp_path / "state", settings=settings) as site:
        await frobs.started.wait()
        yield Client(site, capsysbinary)


@pytest.fixture
def state(tmp_path: Path) -> tuple[str, str]:
    """The option by which the client is told of the state directory."""
    return "--state-dir", str(tmp_path / "state")


async def test_who_runs_the_engine_needs_no_token_to_be_given(
    at_home: Client, state: tuple[str, str]
) -> None:
    """It is found in the state directory, and so is the address; `localhost` is the same place."""
    where = httpx.URL(at_home.site.url)
    for url in (at_home.site.url, f"http://localhost:{where.port}", f"{at_home.site.url}/"):
        assert (await at_home(*state, "jobs", url=url)).status == ClientExit.OK
    found = await at_home.without_url(*state, "confirm", "none")
    assert found.status == ClientExit.OK
    shown = await at_home.without_url(*state, "address")
    assert re.fullmatch(rf"{at_home.site.url}/\?token=pyc_\S+\n", shown.out)
    async with httpx.AsyncClient(follow_redirects=True) as browser:
        page = await browser.get(shown.out.strip())
        assert (page.status_code, page.url.query) == (200, b"")


async def test_the_token_of_an_engine_is_shown_to_no_other(
    at_home: Client, state: tuple[str, str], tmp_path: Path
) -> None:
    """Whoever listens at another port of this machine gets nothing."""
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1") as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await at_home(*state, "jobs", url=url)
        # The engine was killed, and somebody else has got its port.
        stale = tmp_path / "stale"
        stale.mkdir()
        (stale / "version").write_text("1\n")
        (stale / "token").write_text((tmp_path / "state" / "token").read_text())
        (stale / "address").write_text(f"{url}\n")
        await at_home("--state-dir", str(stale), "jobs", url=url)
    assert len(asked) == 2
    assert all(b"uthorization" not in head for head in asked)


async def test_who_does_not_run_the_engine_is_told_how_to_get_in(
    at_home: Client, state: tuple[str, str], tmp_path: Path
) -> None:
    """From another folder, say, or as another user, who can't read the token."""
    refused = await at_home("jobs")
    assert refused.status == ClientExit.REFUSED
    assert "or say by --state-dir which state directory" in refused.err
    token = tmp_path / "state" / "token"
    token.unlink()
    token.mkdir()
    unreadable = await at_home(*state, "jobs")
    assert unreadable.status == ClientExit.REFUSED
    assert "run this as the user who runs the engine" in unreadable.err
    assert (await at_home.without_url(*state, "address")).status == ClientExit.REFUSED
    nowhere = await at_home.without_url("--state-dir", str(tmp_path / "none"), "address")
    assert nowhere.status == ClientExit.UNREACHABLE
    assert "start one with `pycurrent run`" in nowhere.err


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("https://ci.example.org/api/v1/jobs", ": give https://ci.example.org as --url"),
        ("https://ci.example.org:8443/api/v1/jobs?x=1", ": give https://ci.example.org:8443 as"),
        ("/login?next=/api/v1/jobs", "such as a login of a proxy"),
        ("https://sso.example.org/start?back=x", "such as a login of a proxy"),
        ("", "leads to nowhere"),
    ],
)
async def test_an_address_that_leads_elsewhere_is_told_as_it_can_be_given(
    client: Client, location: str, said: str
) -> None:
    """What is named as --url is taken as that."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 308 Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
        writer.write(head.encode())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1") as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ended = await client("jobs", url=url)
    assert ended.status == ClientExit.UNREACHABLE
    assert said in ended.err


async def test_waiting_for_stages(client: Client) -> None:
    """Ends when all that match are final, with how they are; it lists them."""
    good = await client("wait", "--path", "frob good")
    assert (good.status, good.out.splitlines()[0]) == (ClientExit.OK, "ok       frob good repo=web")
    bad = await client("wait", "--path", "frob b*")
    assert bad.status == ClientExit.FAILED
    assert "failed   frob bad repo=web: no good" in bad.out.splitlines()
    listed = await client("stages", "--label", "repo!=api", "--path", "frob bad")
    assert listed.out.splitlines()[0] == "failed   frob bad repo=web: no good"
    assert len(listed.out.splitlines()) == 2
    health = await client("stages", "--health", "--path", "frob bad")
    assert re.fullmatch(
        r"         new, failing since \S+ \S+, job (\S+)", health.out.splitlines()[2]
    )
    unknown = await client("wait", "--label", "repo=docs", "--timeout", "0s")
    assert unknown.status == ClientExit.USAGE
    assert unknown.err.startswith("pycurrent: no stage has repo=docs")
    anything = await client("wait")
    assert anything.status == ClientExit.USAGE


async def test_pin_holds_a_stage_and_unpin_ends_that(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Its values are listed, and named by their beginnings; what is wrong is told."""
    async with running_site(current.Input("channel", "beta").get, tmp_path / "state") as site:
        client = Client(site, capsysbinary)
        assert (await client("pins")).out == "nothing is pinned\n"
        await client("set", "channel", "stable")
        await _until(site, lambda: site.engine.output == current.Ok("stable"))
        values = (await client("values", "channel")).out
        assert re.fullmatch(r".* stable \(change 2\)\n.* beta \(change 1\)\n", values)
        options = ("--until", "2h", "--reason", "a freeze")
        done = await client("pin", "channel", "be", *options)
        line = r"channel = beta \(pinned by \S+ at .*, until .*: a freeze\)\n"
        assert re.fullmatch(line, done.out)
        assert (await client("pins")).out == done.out
        await _until(site, lambda: site.engine.output == current.Ok("beta"))
        assert re.fullmatch(
            r"ok +channel: pinned at beta by .* until .*: a freeze\n", (await client("stages")).out
        )
        wrong = await client("pin", "channel", "gamma")
        assert wrong.status == ClientExit.USAGE
        assert "channel has had no value 'gamma': it has had stable, beta" in wrong.err
        assert (await client("pin", "tail")).status == ClientExit.USAGE
        assert (await client("unpin", "channel")).out == "channel is pinned no longer\n"
        assert (await client("unpin", "channel")).status == ClientExit.USAGE
        await _until(site, lambda: site.engine.output == current.Ok("stable"))
