"""The pages, as they are without a script."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import pytest
import pytest_asyncio
from markupsafe import Markup

import pycurrent as current
from pycurrent.engine import Level
from pycurrent.errors import UsageError
from pycurrent.explain.history import HistoryEntry
from pycurrent.store import JobEnd
from pycurrent.term import Current, State, Var
from pycurrent.web.extensions import AuthorLink, AuthorPage, Visit
from pycurrent.web.pages.formatting import own_path, plain
from pycurrent.web.pages.modules import Modules
from pycurrent.web.pages.static import Files
from pycurrent.web.pages.trend import HEIGHT, trend_of
from pycurrent.web.settings import WebSettings
from pycurrent.web.users import Role

from .visits import Reply, Site, Visitor, access, open_site, reply, text_of


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as opened:
        yield opened


@pytest.fixture
def visitor(site: Site) -> Visitor:
    return site.visitor()


# All pages


async def test_every_page_is_whole_without_scripts_or_anything_from_elsewhere(
    site: Site, visitor: Visitor
) -> None:
    """No script and no style within, nothing that the browser would load from another site."""
    job = site.job("reply bad")
    paths = [
        "/",
        "/jobs",
        f"/job/{job}",
        f"/job/{job}/compare",
        f"/job/{job}/compare?with={site.job('reply good')}",
        "/stage?path=reply%20bad",
        "/history",
        "/failures",
        "/failures?by=item",
        "/timeline",
        "/timeline?change=1",
        "/search",
        "/search?q=reply",
        "/approvals",
        "/changes",
        "/changes/1",
        "/audit",
        "/items?label=of&value=it",
        "/rules",
        "/inputs",
        "/pools",
        "/pauses",
        "/mutes",
        "/help",
        "/retention",
        "/retention/next",
        "/login",
        "/nothing-here",
    ]
    for path in paths:
        page = (await visitor.get(path)).text
        assert page.startswith("<!doctype html>"), path
        assert page.rstrip().endswith("</html>"), path
        for script in re.findall(r"<script[^>]*>", page):
            assert 'src="/static/' in script, path
        assert not re.search(r"<style|\sstyle=|\son\w+=\"|javascript:", page), path
        assert not re.findall(r'(?:src|href|action)="(?!/|#)[^"]*"', page), path


async def test_help_says_what_the_pipeline_is_and_what_states_mean(visitor: Visitor) -> None:
    """In the words of its author, and of each page where it leads."""
    page = await visitor.get("/help")
    text = text_of(page)
    assert "One that is ok, one that has failed, one that waits" in text
    assert f"pycurrent {version('pycurrent')}" in text
    assert all(state.short_word in text for state in State)
    assert "On each page Ctrl K opens the search." in text
    for link in set(re.findall(r'<li><a href="([^"]+)"', page.text)):
        assert (await visitor.get(link)).status_code == 200, link


async def test_the_header_says_how_all_is(visitor: Visitor) -> None:
    """The result with its reason, each state's number, the level and what waits for it."""
    text = text_of(await visitor.get("/history"))
    assert "failed reply bad : bad: no <script>alert(1)</script> 1 failed" in text
    for count in ("1 failed", "1 waiting", "0 running", "0 blocked", "1 ok"):
        assert count in text
    assert "Confirm: dangerous · 1 waiting" in text
    assert "for nothing \N{EN DASH} 1 would start" in text


async def test_the_level_is_changed_from_any_page(site: Site, visitor: Visitor) -> None:
    """And what waited for it goes on; one is then back on that page."""
    await visitor.get("/history?op=reply")
    page = await visitor.post_and_follow("/confirm", level="none", back="/history?op=reply")
    assert page.request.url.path == "/history"
    assert "1 job may start now" in text_of(page)
    await site.harness.settle()
    assert site.harness.stats.ok == 2
    await visitor.post("/confirm", level="average")
    assert site.harness.engine.config.confirm is Level.AVERAGE
    assert (await visitor.post("/confirm", level="grave")).status_code == 422


async def test_what_is_said_after_a_form_is_said_once(visitor: Visitor) -> None:
    """Loading the page again does not repeat it."""
    await visitor.get("/")
    page = await visitor.post_and_follow("/confirm", level="dangerous")
    assert "From now on" in page.text
    assert "From now on" not in (await visitor.get(str(page.request.url))).text


async def test_colours_are_chosen_without_a_script(visitor: Visitor) -> None:
    """By a cookie that the server obeys, if it names colours there are."""
    assert "data-theme=" not in (await visitor.get("/jobs")).text
    page = await visitor.post_and_follow("/theme", theme="dark", back="/jobs")
    assert '<html lang="en" data-theme="dark">' in page.text
    assert (await visitor.post("/theme", theme='x"><b>')).status_code == 422
    visitor.client.cookies.set("pycurrent-theme", "x", domain="127.0.0.1")


async def test_a_page_that_is_not_there_is_a_page(visitor: Visitor) -> None:
    """It says so, with the way back."""
    for path in ("/nothing", "/job/2026-01-01/000000-none-000000", "/page/none", "/jobs/cancel"):
        page = await visitor.get(path)
        assert page.status_code in {404, 405}, path
        assert "To the pipeline" in page.text
    api = await visitor.get("/api/v1/nothing")
    assert api.headers["content-type"] == "application/problem+json"


async def test_a_page_names_all_scripts_that_it_needs(site: Site, visitor: Visitor) -> None:
    """So that the browser loads them at once; each of them is there."""
    for path in ("/", "/jobs", f"/job/{site.job('reply bad')}"):
        page = (await visitor.get(path)).text
        named = set(re.findall(r'<link rel="modulepreload" href="([^"]+)">', page))
        assert any(address.endswith("/js/site.js") for address in named)
        for address in named:
            script = await visitor.client.get(address)
            assert script.status_code == 200, address
            assert "immutable" in script.headers["cache-control"], address


async def test_browsers_find_the_icon_by_themselves(visitor: Visitor) -> None:
    """A raw log is no page that could say where it is."""
    sent = await visitor.client.get("/favicon.ico")
    icon = await visitor.client.get(sent.headers["location"])
    assert icon.headers["content-type"] == "image/svg+xml"


async def test_files_are_kept_as_long_as_they_are_the_same(visitor: Visitor) -> None:
    """For good by the address that pages have; by the plain one it is asked whether they are."""
    plain = await visitor.client.get("/static/js/site.js")
    assert plain.headers["cache-control"] == "no-cache"
    known = {"If-None-Match": plain.headers["etag"]}
    assert (await visitor.client.get("/static/js/site.js", headers=known)).status_code == 304
    assert (await visitor.client.get("/static/0123456789abcdef/js/site.js")).status_code == 404
    assert (await visitor.client.head("/static/js/site.js")).text == ""
    assert (await visitor.client.post("/static/js/site.js")).status_code == 405


def test_what_a_module_needs_is_found_through_others(tmp_path: Path) -> None:
    """Circles are fine, and what is not there is left to the browser to complain about."""
    for name, text in {
        "js/a.js": 'import "./sub/b.js";\nimport {\n  x,\n} from "./none.js";',
        "js/sub/b.js": 'export { y } from "../../vendor/c.js";\nimport "../a.js";',
        "vendor/c.js": "",
        "js/other.js": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    needed = Modules(Files(tmp_path)).needed_by("js/a.js")
    assert needed == ("js/a.js", "js/sub/b.js", "vendor/c.js")


# Pipeline


async def test_stages_are_listed_with_those_of_most_concern_first(visitor: Visitor) -> None:
    """Each with its state in words, why it failed, and the way to its job."""
    page = await visitor.get("/")
    rows = re.findall(r"<tr data-node.*?</tr>", page.text, re.DOTALL)
    assert ["reply bad" in rows[0], "reply risky" in rows[1], "reply good" in rows[2]] == [True] * 3
    assert 'href="/job/' in rows[0]
    assert "no &lt;script&gt;" in rows[0]
    assert [">failed<" in rows[0], ">waiting<" in rows[1], ">ok<" in rows[2]] == [True] * 3


async def test_stages_are_filtered_by_the_address(visitor: Visitor) -> None:
    """By state, and by a text in label or failure, in any case."""
    assert "3 stages" in text_of(await visitor.get("/"))
    assert "1 stage that match" in text_of(await visitor.get("/?state=failed"))
    assert "1 stage that match" in text_of(await visitor.get("/?text=GOOD"))
    assert "No stage matches" in text_of(await visitor.get("/?text=nobody"))
    assert (await visitor.get("/?state=odd&page=x&unfold=nothing")).status_code == 200


async def test_long_lists_of_stages_have_pages(tmp_path: Path) -> None:
    """Which keep the filter."""
    stages = current.all(
        [current.component(f"s{n}", Reply().get, current.fail("no")) for n in range(450)]
    )
    async with open_site(tmp_path, lambda: stages) as site:
        first = await site.visitor().get("/?state=blocked&text=s")
        assert "1 to 100 of 450" in text_of(first)
        assert 'href="/?state=blocked&amp;text=s&amp;page=2"' in first.text
        assert "401 to 450 of 450" in text_of(await site.visitor().get("/?page=5"))
        assert "No stage" in text_of(await site.visitor().get("/?page=999"))


# Jobs


async def test_active_jobs_say_what_they_wait_for(site: Site, visitor: Visitor) -> None:
    """And can be started, or cancelled, by one click."""
    job = site.job("reply risky")
    page = await visitor.get("/jobs")
    assert "confirmation (its level is dangerous)" in page.text
    assert f'formaction="/job/{job}/approve"' in page.text
    assert f'formaction="/job/{job}/cancel"' in page.text


async def test_jobs_are_started_in_bulk(site: Site, visitor: Visitor) -> None:
    """What can't be is told of, and why."""
    await visitor.get("/jobs")
    risky, bad = site.job("reply risky"), site.job("reply bad")
    page = await visitor.post_and_follow("/jobs/approve", job=[risky, bad, risky, "../../etc"])
    text = text_of(page)
    assert "1 job approved: reply risky; 2 jobs not" in text
    assert "it has ended: failed" in text
    await site.harness.settle()
    assert site.harness.stats.ok == 2
    assert "Nothing is at work" in text_of(await visitor.get("/jobs"))


async def test_jobs_are_cancelled_in_bulk(site: Site, visitor: Visitor) -> None:
    """By name of who asked, in the log."""
    await visitor.get("/jobs")
    risky = site.job("reply risky")
    assert "No job was selected" in text_of(await visitor.post_and_follow("/jobs/cancel"))
    assert "1 job cancelled: reply risky." in text_of(
        await visitor.post_and_follow("/jobs/cancel", job=risky)
    )
    await site.harness.settle()
    assert site.harness.stats.failed == 2
    assert f"Cancelling: by {site.access.owner.user.name}" in site.harness.log("reply risky")


# A job


async def test_a_job_tells_all_that_is_known(site: Site, visitor: Visitor) -> None:
    """What, key, level, who needs it, result, history, and the end of its log in plain text."""
    text = text_of(await visitor.get(f"/job/{site.job('reply bad')}"))
    for part in ("reply bad", "Operation reply", "Key bad", "Build #0", "Level average"):
        assert part in text
    assert "Needed by reply bad" in text
    assert "bad: no <script>alert(1)</script>" in text
    assert "New job: reply bad" in text
    assert "bad <script>alert(1)</script> & done" in text
    assert "\x1b" not in text


async def test_a_job_says_why_it_was_run_and_what_it_waits_for(
    site: Site, visitor: Visitor
) -> None:
    """In the words of the command line."""
    page = text_of(await visitor.get(f"/job/{site.job('reply bad')}"))
    assert "was run because it has not been built yet" in page
    assert "it follows from: the engine was started, at" in page
    page = text_of(await visitor.get(f"/job/{site.job('reply risky')}"))
    assert "waits until somebody approves it: its level is dangerous" in page
    assert "is to run because it has not been built yet" in page


async def test_a_job_is_rebuilt_by_another_one(site: Site, visitor: Visitor) -> None:
    """Whose page one is sent to; both are in the history of the key."""
    old = site.job("reply bad")
    await visitor.get(f"/job/{old}")
    page = await visitor.post_and_follow(f"/job/{old}/rebuild")
    new = site.job("reply bad")
    assert page.request.url.path == f"/job/{new}"
    await site.harness.settle()
    text = text_of(await visitor.get(f"/job/{new}"))
    assert "Build #1" in text
    assert "#0 failed" in text


async def test_a_job_that_has_ended_can_not_be_cancelled(site: Site, visitor: Visitor) -> None:
    """Two people may click at the same time: the second one is told."""
    risky = site.job("reply risky")
    await visitor.get(f"/job/{risky}")
    assert "is approved" in text_of(await visitor.post_and_follow(f"/job/{risky}/approve"))
    await site.harness.settle()
    text = text_of(await visitor.post_and_follow(f"/job/{risky}/cancel"))
    assert "that can't be done: it has ended: ok" in text


async def test_a_job_whose_log_was_removed_still_has_its_page(site: Site, visitor: Visitor) -> None:
    """As after `pycurrent gc`."""
    job = site.job("reply bad")
    site.harness.engine.opened.state.job_path(job).unlink()
    page = await visitor.get(f"/job/{job}")
    assert (page.status_code, "The log has been removed" in page.text) == (200, True)


def entry(build: int, seconds: float, end: JobEnd = JobEnd.OK) -> HistoryEntry:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    ended = began + timedelta(seconds=seconds)
    id = f"2026-01-01/00000{build}-x-000000"
    return HistoryEntry(
        job_id=id,
        op="x",
        key="k",
        build=build,
        level=None,
        end=end,
        failure=None,
        kind=None,
        cause=None,
        created=began,
        started=began,
        finished=ended,
        rebuild=False,
        paths=(),
        labels={},
    )


def test_the_trend_draws_the_last_runs_from_old_to_new() -> None:
    """The longest as high as the drawing; the words say the same."""
    trend = trend_of([entry(2, 30, JobEnd.FAILED), entry(1, 60), entry(0, 10)])
    assert trend is not None
    assert [bar.sign for bar in trend.bars] == ["ok", "ok", "failed"]
    assert [bar.height for bar in trend.bars] == [9.67, HEIGHT - 2, 29.0]
    assert trend.text == "3 runs: 10 s to 1 min 00 s, half of them up to 30 s"
    assert trend_of([entry(0, 1)]) is None
    assert trend_of([entry(1, 0), entry(0, 0)]) is not None


# History


async def test_the_history_is_filtered_by_the_address(visitor: Visitor) -> None:
    """By result, operation, date, and a text; what the form shows is what holds."""
    assert text_of(await visitor.get("/history")).count("#0") == 2
    page = await visitor.get("/history?end=failed&text=BAD&prefix=2026&op=reply&rebuild=false")
    assert text_of(page).count("#0") == 1
    assert '<option value="failed" selected>failed' in page.text
    assert 'value="BAD"' in page.text
    assert "No job matches" in text_of(await visitor.get("/history?op=none"))
    assert "No job matches" in text_of(await visitor.get("/history?text=%25"))


async def test_the_history_has_pages(tmp_path: Path) -> None:
    """The next one begins where this one ended."""
    keys = [f"k{n:03}" for n in range(120)]
    async with open_site(tmp_path, lambda: current.all([reply(key) for key in keys])) as site:
        visitor, seen, path = site.visitor(), list[str](), "/history?ok=true"
        for _ in range(3):
            page = await visitor.get(path)
            seen += re.findall(r"</b> (k\d+)</a>", page.text)
            older = re.search(r'rel="next" href="([^"]+)"', page.text)
            path = older[1].replace("&amp;", "&") if older else ""
        assert sorted(seen) == keys
        assert path == ""


async def test_selected_jobs_of_the_history_are_rebuilt(site: Site, visitor: Visitor) -> None:
    """And one is back at the same filter."""
    jobs = [site.job("reply bad"), site.job("reply good")]
    await visitor.get("/history?op=reply")
    page = await visitor.post_and_follow("/history/rebuild", job=[*jobs, "nonsense"], op="reply")
    assert str(page.request.url).split("&")[0].endswith("/history?op=reply")
    assert "; 1 job not" in text_of(page)
    await site.harness.settle()
    assert [build.build for build in site.harness.history("reply")] == [0, 0, 1, 1]


async def test_all_that_match_are_rebuilt_after_a_question(site: Site, visitor: Visitor) -> None:
    """Which says how many they are."""
    question = await visitor.get("/history/rebuild-matching?ok=false")
    assert "Rebuild 1 result?" in text_of(question)
    assert (await visitor.post("/history/rebuild-matching", ok="false")).status_code == 400
    page = await visitor.post_and_follow("/history/rebuild-matching", ok="false", sure="yes")
    assert "1 job to be rebuilt" in text_of(page)
    await site.harness.settle()
    assert [(build.key, build.build) for build in site.harness.history("reply")][-1] == ("bad", 1)


# Failures


async def test_failures_with_one_cause_are_rebuilt_by_one_button(
    site: Site, visitor: Visitor
) -> None:
    """Filtered by the address, and linked from the page of a job that has failed so."""
    page = await visitor.get("/failures")
    text = text_of(page)
    assert "real bad: no <script>alert(1)</script>" in text
    assert "in reply bad new since" in text
    assert "1 stage 1 time" in text
    assert "Rebuild 1 Mute" in text
    digest = re.findall(r'name="fingerprint" value="(\w+)"', page.text)[0]
    fields = {"kind": "real", "fingerprint": digest}
    page = await visitor.post_and_follow("/failures/rebuild", **fields)
    assert "1 job to be rebuilt" in text_of(page)
    assert (await visitor.post("/failures/rebuild")).status_code == 400
    await site.harness.settle()
    job = await visitor.get(f"/job/{site.job('reply bad')}")
    assert f'<a href="/failures?fingerprint={digest}">2 failures alike</a>' in job.text
    assert "reply bad has failed since" in text_of(job)
    assert "No failure matches" in text_of(await visitor.get("/failures?kind=infra&since=1h"))


# Rules


async def test_rules_are_added_changed_and_removed(site: Site, visitor: Visitor) -> None:
    """What is wrong with one is told, and what was typed is kept."""
    await visitor.get("/rules")
    rule = {"pattern": r"^(bad) <", "report": r"\1 input", "score": "5"}
    await visitor.post_and_follow("/rules", **rule)
    page = await visitor.get("/rules?edit=%5E%28bad%29+%3C")
    assert "Change a rule" in page.text
    await visitor.post_and_follow(
        "/rules", **{**rule, "pattern": "^bad", "report": "x"}, replacing=rule["pattern"]
    )
    assert [(one.pattern, one.report) for one in site.service.rules.list()] == [("^bad", "x")]
    wrong = await visitor.post("/rules", pattern="(", report="kept", score="5")
    assert (wrong.status_code, 'value="kept"' in wrong.text) == (422, True)
    assert (await visitor.post("/rules", pattern="a", report="b", score="1.5")).status_code == 422
    await visitor.post_and_follow("/rules/remove", pattern="^bad")
    assert site.service.rules.list() == ()
    assert (await visitor.post("/rules/remove", pattern="^bad")).status_code == 404


async def test_a_rule_is_tried_on_recent_failures_before_it_is_saved(
    site: Site, visitor: Visitor
) -> None:
    """What it would say beside what is said now; nothing is stored."""
    await visitor.get("/rules")
    page = await visitor.post("/rules/try", pattern="(b.d) <", report=r"so \1", score="5")
    text = text_of(page)
    assert "It matches 1 of the last 1 failure" in text
    assert "so bad" in text
    assert site.service.rules.list() == ()


async def test_rules_are_exported_and_imported(site: Site, visitor: Visitor) -> None:
    """As CSV; all of it, or none where a line is wrong."""
    await visitor.get("/rules")
    table = 'pattern,report,score\r\n"a,""b",r,3\r\nc,d,1\r\n'
    assert "2 rules imported" in text_of(await visitor.post_and_follow("/rules/import", csv=table))
    exported = await visitor.get("/rules.csv")
    assert exported.text == table
    assert exported.headers["content-disposition"].startswith("attachment")
    wrong = await visitor.post("/rules/import", csv="e,f,1\ng,h")
    assert (wrong.status_code, "line 2" in wrong.text) == (422, True)
    assert len(site.service.rules.list()) == 2


# The author's own


async def test_authors_add_pages_and_links(tmp_path: Path) -> None:
    """In the navigation, within the frame; plain text is shown as it is, markup as markup."""

    async def later(visit: Visit) -> str:
        return f"<b>{visit.query['x']}</b>"

    pages = (
        AuthorPage("coverage", "Coverage", lambda visit: Markup("<b>92 %</b>")),
        AuthorPage("plain", "Plain", later),
        AuthorPage("secret", "Secret", lambda visit: "s", role=Role.ADMIN),
        AuthorLink("Docs", "https://docs.example.org/"),
    )
    settings = WebSettings(access=access(tmp_path, allow_anonymous=Role.VIEWER), pages=pages)
    async with open_site(tmp_path, settings=settings) as site:
        site.add_user("alice", Role.ADMIN)
        visitor = site.visitor()
        page = await visitor.get("/page/coverage")
        assert "<b>92 %</b>" in page.text
        assert 'href="/page/coverage" aria-current="page"' in page.text
        assert 'href="https://docs.example.org/"' in page.text
        assert "Secret" not in page.text
        assert "&lt;b&gt;7&lt;/b&gt;" in (await visitor.get("/page/plain?x=7")).text
        assert (await visitor.get("/page/secret")).status_code == 403
        await visitor.log_in("alice")
        assert (await visitor.get("/page/secret")).status_code == 200


async def test_each_line_that_tells_why_a_job_failed_has_a_line(tmp_path: Path) -> None:
    """Those around it, too."""

    @current.builder("bad", level=Level.HARMLESS)
    async def bad(job: current.Job) -> None:
        job.write("collected 3\nerror: vat is not used\nerror: tax neither\n")
        raise current.Failure("2 errors")

    async with open_site(tmp_path, bad) as site:
        await site.harness.settle()
        (run,) = site.harness.history("bad")
        page = await site.visitor().get(f"/job/{run.job_id}")
        (shown,) = re.findall(r'<pre class="excerpt">(.*?)</pre>', page.text, re.DOTALL)[:1]
    told = ["collected 3", "<b>error: vat is not used</b>", "<b>error: tax neither</b>"]
    assert shown.splitlines()[:3] == told


def test_what_can_be_no_page_or_link_is_refused() -> None:
    """When it is made, where its author sees it."""
    with pytest.raises(UsageError, match="name of a page"):
        AuthorPage("../x", "X", lambda visit: "")
    with pytest.raises(UsageError, match="in the navigation"):
        AuthorLink("X", "javascript:alert(1)")


# Words


def test_plain_text_has_nothing_that_a_terminal_obeys() -> None:
    """Colours, titles, links, cursor movements."""
    text = "a\x1b[1;31mb\x1b[0m\x1b]0;title\x07c\x1b]8;;http://x\x1b\\d\x1b(Be\rf\x00\ttab\nend\x9b"
    assert plain(text) == "abcdef\ttab\nend"


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "javascript:x",
        "",
        "/\t/evil",
        "x",
        "/\r\nX: y",
    ],
)
def test_nobody_is_sent_to_another_site(path: str) -> None:
    """By an address that somebody else has made."""
    assert own_path(path) == "/"
    assert own_path("/jobs?a=b#c") == "/jobs?a=b#c"


async def test_a_page_shows_what_is_now(tmp_path: Path) -> None:
    """A stage that has changed is another one at the next look."""
    key: Var[str] = Var("key", "bad")

    def follow() -> Current[str]:
        return current.component("it", Reply().get, key.get())

    async with open_site(tmp_path, follow) as site:
        visitor = site.visitor()
        assert "1 failed" in text_of(await visitor.get("/"))
        key.set("fine")
        await site.harness.settle()
        assert "0 failed" in text_of(await visitor.get("/"))


PATHS_THAT_ARE_ASKED_AGAIN = (
    "/jobs",
    "/failures",
    "/approvals",
    "/history",
    "/help",
    "/stage?path=",
)


@pytest.mark.parametrize("path", PATHS_THAT_ARE_ASKED_AGAIN)
async def test_a_page_that_did_not_change_is_not_sent_again(site: Site, path: str) -> None:
    """To the same browser; and no browser keeps it, as the next reader may be another one."""
    if path.endswith("path="):
        path += next(stage.path for stage in site.service.stages_with("*good", []))
    visitor = site.visitor()
    await visitor.get("/jobs")
    first = await visitor.get(path)
    known = {"If-None-Match": first.headers["etag"]}
    again = await visitor.get(path, headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert first.headers["cache-control"] == "no-store"
    other = await site.visitor().get(path, headers=known)
    assert other.status_code == 200
    site.service.confirmation.set(None, by="ann")
    assert (await visitor.get(path, headers=known)).status_code == 200


async def test_a_log_is_packed_for_who_takes_that(site: Site) -> None:
    """All of it, as it streams; a part of it, which may be one of several, is not."""
    path = f"/api/v1/jobs/{site.job('reply bad')}/log"
    client = site.client()
    packed = await client.get(path, headers={"Accept-Encoding": "gzip"})
    plain = await client.get(path, headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-length" not in packed.headers
    assert "content-encoding" not in plain.headers
    assert "accept-encoding" in plain.headers["vary"].lower()
    assert packed.text == plain.text
    assert "no &lt;script&gt;" in plain.text or "<script>" in plain.text
    asked = {"Accept-Encoding": "gzip", "Range": "bytes=0-9"}
    part = await client.get(path, headers=asked)
    assert (part.status_code, part.content) == (206, plain.content[:10])
    assert "content-encoding" not in part.headers
