"""The HTTP API: what it shows, does and refuses."""

import asyncio
import getpass
import json
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
from prometheus_client.parser import text_string_to_metric_families

import pycurrent as current
from pycurrent import Config, Level, Pool
from pycurrent.service import WHOLE, Window
from pycurrent.term import State
from pycurrent.web.api.models import SnapshotModel
from pycurrent.web.api.snapshots import Snapshots
from pycurrent.web.badges import badge_of
from pycurrent.web.settings import WebSettings

from .api import NO_JOB, Tasks, api_of


def all_of(tasks: Tasks, *keys: str) -> current.Current[None]:
    return current.all([tasks.stage(key) for key in keys])


async def test_the_overview_shows_what_is_of_interest(tmp_path: Path) -> None:
    """Failures first; of a result that is ok only that it is."""
    tasks = Tasks()
    async with api_of(lambda: all_of(tasks, "quick", "slow", "bad"), tmp_path) as api:
        overview = await api.get("/overview")
        assert overview["result"] == {"state": "failed", "failure": "bad: <b>no good</b>"}
        assert overview["counts"] | {"ok": 1, "running": 1, "failed": 1} == overview["counts"]
        assert [(s["label"], s["state"]) for s in overview["stages"]] == [
            ("task bad", "failed"),
            ("task slow", "running"),
        ]
        assert (await api.get("/overview", limit=1))["stages"] == overview["stages"][:1]


async def test_the_pipeline_is_a_graph(tmp_path: Path) -> None:
    """As data and as text; each edge between boxes that there are."""
    tasks = Tasks()
    async with api_of(lambda: tasks.stage("quick").gate(on=tasks.stage("bad")), tmp_path) as api:
        graph = await api.get("/pipeline")
        nodes = {node["id"]: node for node in graph["nodes"]}
        assert {node["label"]: node["state"] for node in nodes.values()} == {
            "task quick": "ok",
            "task bad": "failed",
            "": "blocked",
        }
        assert {edge["kind"] for edge in graph["edges"]} == {"value", "control"}
        ends = {edge[end] for edge in graph["edges"] for end in ("source", "target")}
        assert ends == set(range(len(nodes)))
        dot = (await api.client.get("/api/v1/pipeline.dot")).text
        assert dot.startswith("digraph pipeline {")
        assert all(id in dot for id in nodes)


async def test_folds_are_opened_by_the_address(tmp_path: Path) -> None:
    """Values may have colons in them."""
    tasks = Tasks()

    def pipeline() -> current.Current[str]:
        start = current.constant(1)
        inside = tasks.stage("quick")
        return inside.collapse(key="part", value="a:b", input=start)

    async with api_of(pipeline, tmp_path) as api:
        folded = await api.get("/pipeline")
        assert [node["fold"] for node in folded["nodes"]] == [{"key": "part", "value": "a:b"}]
        opened = await api.get("/pipeline", unfold="part:a:b")
        assert [node["label"] for node in opened["nodes"]] == ["task quick"]
        opened = await api.get("/pipeline", unfold="all")
        assert [node["label"] for node in opened["nodes"]] == ["task quick"]
        assert (await api.call("GET", "/pipeline?unfold=part"))[0] == 422


async def test_a_fold_says_what_has_failed_inside(tmp_path: Path) -> None:
    """Although the failure is caught, and the fold is ok."""
    tasks = Tasks()

    def pipeline() -> current.Current[object]:
        start = current.constant(1)
        return tasks.stage("bad").catch().collapse(key="k", value="v", input=start)

    async with api_of(pipeline, tmp_path) as api:
        (fold,) = (await api.get("/pipeline"))["nodes"]
        assert fold["state"] == "ok"
        assert fold["failed_inside"]["stages"] == 1
        assert fold["failed_inside"]["failure"]
        dot = (await api.client.get("/api/v1/pipeline.dot")).text
        assert "+ &#x2717; 1" in dot


async def test_a_large_diagram_is_compressed_when_asked_for(tmp_path: Path) -> None:
    """It says the same."""
    tasks = Tasks()
    keys = [f"quick {n}" for n in range(1000)]
    async with api_of(lambda: all_of(tasks, *keys), tmp_path, client="203.0.113.7") as api:
        plain = await api.client.get("/api/v1/pipeline", headers={"Accept-Encoding": "identity"})
        packed = await api.client.get("/api/v1/pipeline", headers={"Accept-Encoding": "gzip"})
        assert "Content-Encoding" not in plain.headers
        assert packed.headers["Content-Encoding"] == "gzip"
        assert int(packed.headers["Content-Length"]) < len(plain.content) / 4
        assert packed.json() == plain.json()


async def test_the_fast_way_to_write_a_diagram_is_the_true_one(tmp_path: Path) -> None:
    """The document describes a model: what is sent is what that would write."""
    tasks = Tasks()

    def pipeline() -> current.Current[object]:
        start = current.constant("quick é")
        inside = current.constant(["bad", "slow"]).list_map(tasks.each)
        folded = tasks.each(start).collapse(key="k", value="ü", input=start)
        caught = tasks.stage("bad").catch().collapse(key="k", value="x", input=start)
        with current.labels(repo="ü\udce9", branch=start):
            labelled = tasks.stage("quick 2")
        return current.pair(
            current.pair(inside, labelled),
            current.pair(folded, caught).gate(on=tasks.stage("x \udce9").state()),
        )

    async with api_of(pipeline, tmp_path) as api:
        kinds = set[str]()
        for window in (WHOLE, Window.of({}, depth=0)):
            snapshot = await api.service.pipeline.snapshot(window)
            slow = SnapshotModel.of(snapshot).model_dump(mode="json", exclude_none=True)
            assert json.loads(await Snapshots().plain(snapshot)) == slow
            kinds.update(node["kind"] for node in slow["nodes"])
        assert kinds >= {"item", "fold", "gate", "state", "list"}


async def test_a_window_closes_lists(tmp_path: Path) -> None:
    """The box of a closed list says what it hides, its id opens it, and other ids open nothing."""
    tasks = Tasks()
    names = current.Var("names", ["quick", "bad"])
    async with api_of(lambda: names.get().list_map(tasks.each, label="tasks"), tmp_path) as api:
        whole = await api.get("/pipeline")
        assert await api.get("/pipeline", fold=True) | {"last_event": ""} == whole | {
            "last_event": ""
        }
        window = await api.get("/pipeline", depth=0, open="%list:others")
        (box,) = [node for node in window["nodes"] if node["kind"] == "list"]
        assert (box["label"], box["inside"]["items"]) == ("tasks", 2)
        assert sum(box["inside"]["stages"].values()) == 2
        opened = await api.get("/pipeline", depth=0, open=box["id"])
        assert {node["id"] for node in opened["nodes"]} == {node["id"] for node in whole["nodes"]}
        for wrong in ({"depth": -1}, {"depth": "x"}, {"fold": "maybe"}, {"open": ""}):
            answer = await api.client.get("/api/v1/pipeline", params=wrong)
            assert answer.status_code == 422
            assert f"query.{next(iter(wrong))}" in answer.json()["detail"]


async def test_a_diagram_is_encoded_once_but_for_what_changes(tmp_path: Path) -> None:
    """All who look at it at once get the same bytes; the next one is as if encoded anew."""
    tasks = Tasks()
    async with api_of(lambda: all_of(tasks, "quick", "slow", "bad"), tmp_path) as api:
        snapshots = Snapshots()
        before = await api.service.pipeline.snapshot()
        one, other = await asyncio.gather(snapshots.plain(before), snapshots.plain(before))
        assert one is other
        tasks.end("slow")
        await api.harness.settle()
        after = await api.service.pipeline.snapshot()
        assert after.graph.edges is before.graph.edges
        assert await snapshots.plain(after) == await Snapshots().plain(after) != one


async def test_a_page_of_jobs_is_encoded_once_for_all(tmp_path: Path) -> None:
    """Whether it is compressed or not; another one as soon as a job is otherwise."""
    tasks = Tasks()
    names = [f"slow {number}" for number in range(100)]
    async with api_of(lambda: all_of(tasks, *names), tmp_path) as api:
        one, other = [await api.client.get("/api/v1/jobs") for _ in range(2)]
        assert one.headers["Content-Encoding"] == "gzip"
        assert one.headers["ETag"] == other.headers["ETag"]
        plain = await api.client.get("/api/v1/jobs", headers={"Accept-Encoding": "identity"})
        assert plain.json() == one.json()
        tasks.end("slow 7")
        await api.harness.settle()
        after = await api.client.get("/api/v1/jobs")
        assert len(after.json()["jobs"]) == len(names) - 1
        for wrong in ({"limit": -1}, {"limit": 1001}, {"limit": "all"}, {"after": "no id"}):
            refused = await api.client.get("/api/v1/jobs", params=wrong)
            assert refused.status_code == 422
            assert f"query.{next(iter(wrong))}" in refused.json()["detail"]


async def test_jobs_say_what_they_wait_for(tmp_path: Path) -> None:
    """A person, or a resource and at which place."""
    tasks, risky = Tasks(pool=Pool("machines", 1)), Tasks(level=Level.DANGEROUS)
    config = Config(confirm=Level.DANGEROUS)
    pipeline = lambda: current.all([all_of(tasks, "a", "b"), risky.stage("c")])  # noqa: E731
    async with api_of(pipeline, tmp_path, config=config) as api:
        jobs = (await api.get("/jobs"))["jobs"]
        assert {job["description"]: (job["state"], job["wait"]) for job in jobs} == {
            "task a": ("running", None),
            "task b": ("queued", {"reason": "queue", "pool": "machines", "place": 1}),
            "task c": (
                "waiting-for-confirmation",
                {"reason": "confirmation", "level": "dangerous"},
            ),
        }


async def test_jobs_come_by_pages(tmp_path: Path) -> None:
    """Each says where the next one begins, and how many jobs there are."""
    tasks = Tasks(pool=Pool("machines", 1))
    async with api_of(lambda: all_of(tasks, "a", "b", "c"), tmp_path) as api:
        first = await api.get("/jobs", limit=2)
        assert [job["description"] for job in first["jobs"]] == ["task a", "task b"]
        assert (first["total"], first["next"]) == (3, first["jobs"][1]["id"])
        last = await api.get("/jobs", limit=2, after=first["next"])
        assert [job["wait"]["place"] for job in last["jobs"]] == [2]
        assert last["next"] is None
        assert (await api.get("/jobs", limit=0))["jobs"] == []
        unknown = await api.client.get("/api/v1/jobs?after=2026-01-01/000000-none-000000")
        assert unknown.status_code == 404
        for refused in ("limit=1001", "limit=-1", "after=last"):
            assert (await api.client.get(f"/api/v1/jobs?{refused}")).status_code == 422


async def test_a_job_is_shown_with_its_past(tmp_path: Path) -> None:
    """Times, result, level, who needs it, what can be done, and earlier jobs of its key."""
    tasks = Tasks()
    async with api_of(lambda: tasks.stage("a"), tmp_path) as api:
        first = api.job("task a")
        running = await api.get(f"/jobs/{first}")
        assert running["active"]["state"] == "running"
        assert (running["actions"], running["entry"]["end"]) == (["cancel"], None)
        await api.harness.advance(timedelta(seconds=7))
        tasks.end("a")
        await api.harness.settle()
        ended = await api.get(f"/jobs/{first}")
        assert (ended["active"], ended["actions"], ended["stages"]) == (
            None,
            ["rebuild"],
            ["task a"],
        )
        assert (ended["entry"]["took"], ended["entry"]["level"]) == (7.0, "average")
        assert ended["estimate"] is None
        assert ended["log_size"] == len(api.harness.log("task a"))
        status, outcome = await api.call("POST", f"/jobs/{first}/rebuild")
        assert (status, outcome["outcome"]) == (200, "done")
        await api.harness.settle()
        tasks.end("a")
        await api.harness.settle()
        again = await api.get(f"/jobs/{outcome['new_job']}")
        assert [entry["build"] for entry in again["same_work"]] == [1, 0]
        assert again["estimate"] == {"took": 7.0, "cpu": None, "memory": None}


async def test_a_job_of_another_key_is_estimated_by_its_stage(tmp_path: Path) -> None:
    """As each commit is another key. Only good runs count, and what their commands have used."""
    commit = current.Var("commit", 0)

    @current.builder("compile", level=Level.HARMLESS)
    async def compile_(job: current.Job, key: int) -> None:
        await job.exec(["true"])
        if key == 1:
            raise current.Failure("it does not compile")

    def stage() -> current.Current[None]:
        return compile_(commit.get())

    async with api_of(stage, tmp_path) as api:
        estimates = []
        for key in range(3):
            commit.set(key)
            await api.harness.settle()
            (last, *_) = api.harness.engine.history()
            estimates.append((await api.get(f"/jobs/{last.job_id}"))["estimate"])
        assert estimates[0] is None
        assert estimates[1] == estimates[2]
        assert estimates[1]["took"] == 0
        assert estimates[1]["cpu"] >= 0
        assert estimates[1]["memory"] > 0


async def test_commands_that_can_not_be_done_are_conflicts(tmp_path: Path) -> None:
    """The problem says why."""
    tasks = Tasks()
    async with api_of(lambda: all_of(tasks, "quick", "slow"), tmp_path) as api:
        quick, slow = api.job("task quick"), api.job("task slow")
        for job, command, why in [
            (quick, "cancel", "it has ended: ok"),
            (quick, "approve", "it has ended: ok"),
            (slow, "approve", "it does not wait for confirmation: it is running"),
            (slow, "rebuild", "it has not ended"),
        ]:
            status, answer = await api.call("POST", f"/jobs/{job}/{command}")
            assert (status, answer["detail"]) == (409, why)
        assert (await api.call("POST", f"/jobs/{slow}/cancel"))[0] == 200
        await api.harness.settle()
        assert f"Cancelling: by {getpass.getuser()}" in api.harness.log("task slow")


async def test_a_route_goes_on_under_its_old_name(tmp_path: Path) -> None:
    """Its headers say that it is deprecated, since when, and what takes its place."""
    tasks, config = Tasks(level=Level.DANGEROUS), Config(confirm=Level.DANGEROUS)
    async with api_of(lambda: tasks.stage("quick"), tmp_path, config=config) as api:
        path = f"/api/v1/jobs/{api.job('task quick')}"
        answer = await api.client.post(f"{path}/start", json={})
        assert (answer.status_code, answer.json()["outcome"]) == (200, "done")
        assert answer.headers["Deprecation"] == "@1795651200"
        assert answer.headers["Link"] == f'<{path}/approve>; rel="successor-version"'
        routes = (await api.get("/openapi.json"))["paths"]
        old = {name for name, route in routes.items() if route.get("post", {}).get("deprecated")}
        assert old == {"/api/v1/jobs/{day}/{name}/start"}


async def test_who_has_let_a_job_go_is_in_its_log(tmp_path: Path) -> None:
    """Whether it was approved, released by another level, or asked for again."""
    tasks = Tasks(level=Level.DANGEROUS)
    config = Config(confirm=Level.DANGEROUS)
    who = getpass.getuser()
    async with api_of(lambda: all_of(tasks, "quick a", "quick b"), tmp_path, config=config) as api:
        a, b = api.job("task quick a"), api.job("task quick b")
        await api.call("POST", f"/jobs/{a}/approve")
        await api.harness.settle()
        await api.call("PUT", "/confirm", {"level": None})
        await api.harness.settle()
        assert f"Approved by {who}" in api.harness.log("task quick a")
        assert "Released" not in api.harness.log("task quick a")
        assert f"Released: {who} set the level to none" in api.harness.log("task quick b")
        await api.call("POST", f"/jobs/{a}/rebuild")
        await api.call("POST", "/rebuild", {"ids": [b]})
        await api.harness.settle()
        for key in "ab":
            assert f"Runs because {who} asked for a rebuild" in api.harness.log(f"task quick {key}")


async def test_many_are_rebuilt_by_ids_or_by_a_filter(tmp_path: Path) -> None:
    """It is said of each what has become of it."""
    tasks = Tasks()
    async with api_of(lambda: all_of(tasks, "quick", "bad", "slow"), tmp_path) as api:
        ids = [api.job(f"task {key}") for key in ("quick", "slow")]
        status, answer = await api.call("POST", "/rebuild", {"ids": [*ids, NO_JOB]})
        assert (status, answer["complete"]) == (200, True)
        assert [one["outcome"] for one in answer["outcomes"]] == ["done", "refused", "refused"]
        assert answer["outcomes"][2]["why"].startswith(
            f"job '{NO_JOB}' does not exist, or not any more"
        )
        await api.harness.settle()
        status, answer = await api.call("POST", "/rebuild", {"filter": {"ok": False}})
        (one,) = answer["outcomes"]
        assert (one["outcome"], one["new_job"]) == ("done", api.job("task bad"))
        wrong: list[object] = [
            {},
            {"ids": ["../x"]},
            {"ids": [], "filter": {}},
            {"filter": {"no": 1}},
            3,
        ]
        for body in wrong:
            assert (await api.call("POST", "/rebuild", body))[0] == 422


def in_repos(tasks: Tasks, **repos: str) -> current.Current[None]:
    """A stage for each repository, with its label."""
    stages = []
    for repo, key in repos.items():
        with current.labels(repo=repo):
            stages.append(tasks.stage(key))
    return current.all(stages)


async def test_living_jobs_are_listed_and_cancelled_by_labels(tmp_path: Path) -> None:
    """After a dry run; by ids, too. Labels by which nothing is found are said to be so."""
    tasks = Tasks()
    repos = {"web": "one", "web-2": "two", "api": "three", "old": "quick"}
    async with api_of(lambda: in_repos(tasks, **repos), tmp_path) as api:
        one, two, three = (api.job(f"task {key}") for key in ("one", "two", "three"))
        listed = await api.get("/jobs", label=["repo=web*", "repo!=web-2"])
        assert ([job["id"] for job in listed["jobs"]], listed["total"]) == ([one], 1)
        first = await api.get("/jobs", label="repo=web*", limit=1)
        assert (first["jobs"][0]["id"], first["next"], first["total"]) == (one, one, 2)
        rest = await api.get("/jobs", label="repo=web*", after=one)
        assert [job["id"] for job in rest["jobs"]] == [two]
        assert (await api.get("/jobs", label="repo=old"))["jobs"] == []
        web = {"filter": {"label": ["repo=web*"]}}
        _, answer = await api.call("POST", "/cancel", {**web, "dry_run": True})
        assert [(each["job"], each["outcome"]) for each in answer["outcomes"]] == [
            (one, "would-be-done"),
            (two, "would-be-done"),
        ]
        assert answer["outcomes"][0]["description"] == "task one"
        _, answer = await api.call("POST", "/cancel", {**web, "limit": 1, "reason": "moved"})
        assert ([each["job"] for each in answer["outcomes"]], answer["complete"]) == ([one], False)
        await api.harness.settle()
        assert not api.service.jobs.is_active(one)
        assert api.service.jobs.is_active(two)
        assert [act.reason for act in api.harness.engine.opened.store.audit()] == ["moved"]
        _, answer = await api.call("POST", "/cancel", {"ids": [one, three]})
        assert [each["outcome"] for each in answer["outcomes"]] == ["refused", "done"]
        status, answer = await api.call("POST", "/cancel", {"filter": {"label": ["repo=old"]}})
        assert (status, answer["detail"]) == (
            404,
            "no job that has not ended is of a stage with repo=old",
        )
        status, answer = await api.call("POST", "/cancel", {"filter": {"label": ["old"]}})
        assert status == 422
        assert "'old' is not a condition on a label: expected NAME=VALUE" in answer["detail"]
        wrong: list[object] = [{}, {"ids": [], "filter": {}}, {"filter": {"op": "task"}}]
        for body in wrong:
            assert (await api.call("POST", "/cancel", body))[0] == 422


async def test_ended_jobs_are_rebuilt_by_labels(tmp_path: Path) -> None:
    """All that match, or the failures among them; a dry run says which."""
    tasks = Tasks()
    repos = {"web": "bad", "api": "bad 2", "docs": "quick"}
    async with api_of(lambda: in_repos(tasks, **repos), tmp_path) as api:
        bad, quick = api.job("task bad"), api.job("task quick")
        (group,) = (await api.get("/failures", label="repo=web"))["groups"]
        assert (group["newest"], group["count"]) == (bad, 1)
        assert (await api.get("/failures", path="task bad", label="repo!=web"))["groups"] == []
        asked: list[tuple[str, dict[str, object], str]] = [
            ("/failures/rebuild", {"label": ["repo=web"]}, bad),
            ("/failures/rebuild", {"path": "task bad"}, bad),
            ("/rebuild", {"filter": {"label": ["repo!=web", "repo!=api"]}}, quick),
            ("/rebuild", {"filter": {"ok": True}}, quick),
            ("/rebuild", {"ids": [quick]}, quick),
        ]
        for path, which, found in asked:
            status, answer = await api.call("POST", path, {**which, "dry_run": True})
            assert status == 200
            (one,) = answer["outcomes"]
            assert (one["job"], one["outcome"]) == (found, "would-be-done")
        assert api.job("task bad") == bad
        status, answer = await api.call("POST", "/failures/rebuild", {"label": ["repo=web"]})
        assert [each["job"] for each in answer["outcomes"]] == [bad]
        for path, body in [
            ("/failures/rebuild", {"label": ["repo=docs"]}),
            ("/rebuild", {"filter": {"label": ["repo=docs"], "ok": False}}),
        ]:
            status, answer = await api.call("POST", path, body)
            assert status == 404
            assert answer["detail"].endswith("that passes the filter is of a stage with repo=docs")
        assert (await api.call("POST", "/failures/rebuild", {"kind": "infra"}))[0] == 200


async def test_failures_are_shown_by_cause_and_rebuilt_together(tmp_path: Path) -> None:
    """Those that count still: a dry run says which. All that is started follows from one change."""
    tasks = Tasks()
    async with api_of(lambda: all_of(tasks, "bad 1", "bad 2", "quick"), tmp_path) as api:
        (group,) = (await api.get("/failures"))["groups"]
        assert (group["kind"], group["count"]) == ("real", 2)
        assert group["form"].startswith("bad …: <b>no good")
        assert group["newest"] == api.job("task bad 2")
        assert group["stages"] == ["task bad 1", "task bad 2"]
        assert await api.get("/failures", fingerprint=group["fingerprint"][:4]) == {
            "groups": [group]
        }
        for query in ({"kind": "infra"}, {"since": "2099-01-01T00:00:00Z"}, {"fingerprint": "0"}):
            assert (await api.get("/failures", **query))["groups"] == []
        which = {"kind": "real", "reason": "again"}
        status, answer = await api.call("POST", "/failures/rebuild", {**which, "dry_run": True})
        listed = [(one["job"], one["outcome"]) for one in answer["outcomes"]]
        assert (status, listed) == (
            200,
            [(api.job(f"task bad {n}"), "would-be-done") for n in (2, 1)],
        )
        _, answer = await api.call("POST", "/failures/rebuild", which)
        assert [one["outcome"] for one in answer["outcomes"]] == ["done", "done"]
        await api.harness.settle()
        store = api.harness.engine.opened.store
        changes = [store.changes_of_job(one["new_job"]) for one in answer["outcomes"]]
        assert len({change.id for of_job in changes for change in of_job}) == 1
        acts = store.audit(what="rebuild")
        assert [act.reason for act in acts] == ["again", "again"]
        (group,) = (await api.get("/failures"))["groups"]
        assert group["count"] == 4
        _, answer = await api.call("POST", "/failures/rebuild", {"dry_run": True, "limit": 1})
        assert (len(answer["outcomes"]), answer["complete"]) == (1, False)
        for wrong in ({"kind": "cancelled"}, {"fingerprint": "x"}, {"since": 3}, {"no": 1}):
            assert (await api.call("POST", "/failures/rebuild", wrong))[0] == 422


async def test_the_history_is_filtered_and_paged(tmp_path: Path) -> None:
    """Each job is on one page."""
    tasks = Tasks()
    keys = [f"quick {n}" for n in range(5)]
    async with api_of(lambda: all_of(tasks, *keys, "bad"), tmp_path) as api:
        page = await api.get("/history", limit=4)
        rest = await api.get("/history", limit=4, before=page["next"])
        seen = [entry["key"] for entry in page["entries"] + rest["entries"]]
        assert (sorted(seen), rest["next"]) == (["bad", *keys], None)
        failed = (await api.get("/history", ok=False))["entries"]
        assert [(entry["key"], entry["failure"]) for entry in failed] == [
            ("bad", "bad: <b>no good</b>")
        ]
        assert len((await api.get("/history", text="quick", prefix="2026-01"))["entries"]) == 5
        assert (await api.get("/history", op="nothing"))["entries"] == []
        assert (await api.get("/ops")) == {"ops": ["task"]}


async def test_log_rules_are_kept_and_tried(tmp_path: Path) -> None:
    """Added, changed, tried, removed; and carried over as a table."""
    tasks = Tasks()
    rule = {"pattern": "doing (.*)", "report": "was \\1", "score": 5, "kind": "infra"}
    async with api_of(lambda: tasks.stage("bad"), tmp_path) as api:
        status, trial = await api.call("POST", "/rules/try", rule)
        assert [(one["report"], one["wins"]) for one in trial["tried"]] == [
            ("was bad <script>alert(1)</script>", True)
        ]
        assert (await api.get("/rules")) == {"rules": []}
        assert (await api.call("PUT", "/rules", rule)) == (200, {"rules": [rule]})
        applied = {"looked_at": 1, "changed": 1, "reworded": 1, "complete": True}
        assert await api.call("POST", "/rules/apply?limit=5") == (200, applied)
        cancelled = {**rule, "kind": "cancelled"}
        assert (await api.call("PUT", "/rules", cancelled))[0] == 422
        new = {**rule, "pattern": "new"}
        status, rules = await api.call("PUT", "/rules", {**new, "replacing": rule["pattern"]})
        assert (status, rules) == (422, rules), "there is no group in it"
        new["report"] = "new"
        await api.call("PUT", "/rules", {**new, "replacing": rule["pattern"]})
        table = (await api.client.get("/api/v1/rules.csv")).text
        assert table == "pattern,report,score,kind\r\nnew,new,5,infra\r\n"
        assert (await api.call("DELETE", "/rules?pattern=new")) == (200, {"rules": []})
        assert (await api.call("DELETE", "/rules?pattern=new"))[0] == 404
        headers = {"Content-Type": "text/csv"}
        answer = await api.client.put("/api/v1/rules.csv", content=table, headers=headers)
        assert answer.json() == {"rules": [new]}
        answer = await api.client.put("/api/v1/rules.csv", content=b"\xff", headers=headers)
        assert answer.status_code == 422


async def test_the_confirmation_level_is_changed(tmp_path: Path) -> None:
    """Each choice says how many jobs it would start."""
    tasks = Tasks()
    async with api_of(
        lambda: tasks.stage("slow"), tmp_path, config=Config(confirm=Level.HARMLESS)
    ) as api:
        confirm = await api.get("/confirm")
        assert (confirm["level"], len(confirm["waiting"])) == ("harmless", 1)
        assert [(one["level"], one["starts"]) for one in confirm["choices"]] == [
            ("harmless", 0),
            ("mostly-harmless", 0),
            ("average", 0),
            ("above-average", 1),
            ("dangerous", 1),
            (None, 1),
        ]
        status, confirm = await api.call("PUT", "/confirm", {"level": "dangerous"})
        await api.harness.settle()
        assert (status, (await api.get("/confirm"))["waiting"]) == (200, [])
        assert (await api.call("PUT", "/confirm", {"level": "terrible"}))[0] == 422
        assert (await api.call("PUT", "/confirm", {"level": None}))[1]["level"] is None


LOG_TRICKS = [
    "../../../etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/etc/passwd",
    "2026-11-22/../../../db/pycurrent.db",
    "2026-11-22/%2e%2e%2f%2e%2e%2fusers",
    "2026-11-22/084703-..%2f..%2fx-1a2b3c",
    "//etc/passwd",
    "2026-11-22/084703-x-1a2b3c%00",
    "2026-11-22/084703-x-1a2b3c%0a",
    NO_JOB,
]


@pytest.mark.parametrize("trick", LOG_TRICKS)
@pytest.mark.parametrize("what", ["", "/log", "/lines", "/log/search?q=root", "/log/stream"])
async def test_there_is_no_way_out_of_the_folder_of_the_logs(
    trick: str, what: str, tmp_path: Path
) -> None:
    """Whatever an id looks like, and however it is written."""
    (tmp_path / "job" / "2026-11-22").mkdir(parents=True)
    (tmp_path / "users.log").write_text("secret")
    tasks = Tasks()
    async with api_of(lambda: tasks.stage("quick"), tmp_path) as api:
        answer = await api.client.get(f"/api/v1/jobs/{trick}{what}")
        assert answer.status_code in {404, 422}
        assert "secret" not in answer.text


async def test_errors_are_problems(tmp_path: Path) -> None:
    """As RFC 9457 has them, for what is not there, not allowed, or not as it should be."""
    tasks = Tasks()
    async with api_of(lambda: tasks.stage("quick"), tmp_path) as api:
        for method, path, status in [
            ("GET", "/nothing", 404),
            ("DELETE", "/jobs", 405),
            ("GET", f"/jobs/{NO_JOB}", 404),
            ("GET", f"/jobs/{NO_JOB}/cancel", 405),
            ("GET", "/overview?limit=many", 422),
            ("GET", "/history?before=x", 422),
            ("GET", "/history?label=web", 422),
        ]:
            found, problem = await api.call(method, path)
            assert (found, problem["title"] != "") == (status, True)
        _, problem = await api.call("GET", "/overview?limit=many")
        assert [error["where"] for error in problem["errors"]] == ["query.limit"]


async def test_only_who_may_is_let_in(tmp_path: Path) -> None:
    """A wrong token is refused, and so is none."""
    tasks = Tasks()
    async with api_of(lambda: tasks.stage("slow"), tmp_path) as api:
        job = api.job("task slow")
        nobody = {"Authorization": ""}
        answer = await api.client.post(f"/api/v1/jobs/{job}/cancel", headers=nobody)
        assert answer.status_code == 401
        wrong = {"Authorization": "Bearer nonsense"}
        answer = await api.client.get("/api/v1/overview", headers=wrong)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert (await api.get("/jobs"))["jobs"][0]["cancelled"] is None


async def test_logs_come_in_parts(tmp_path: Path) -> None:
    """As bytes, by offset or by the ranges of HTTP; or as lines."""
    tasks = Tasks()
    async with api_of(lambda: tasks.stage("slow"), tmp_path) as api:
        job = tasks.jobs["slow"]
        job.write("".join([f"line {n}\n" for n in range(1000)]))
        path, text = f"/api/v1/jobs/{job.id}/log", api.harness.log("task slow")
        whole = await api.client.get(path)
        assert (whole.text, whole.headers["content-type"]) == (text, "text/plain; charset=utf-8")
        part = await api.client.get(path, params={"offset": 10, "limit": 20})
        assert (part.status_code, part.text) == (200, text[10:30])
        for asked, found in [
            ("bytes=0-4", text[:5]),
            ("bytes=-5", text[-5:]),
            (f"bytes={len(text) - 3}-", text[-3:]),
            ("bytes=5-99999999", text[5:]),
        ]:
            part = await api.client.get(path, headers={"Range": asked})
            assert (part.status_code, part.text) == (206, found)
            assert part.headers["Content-Range"].endswith(f"/{len(text)}")
        beyond = await api.client.get(path, headers={"Range": "bytes=99999999-"})
        assert (beyond.status_code, beyond.headers["Content-Range"]) == (
            416,
            f"bytes */{len(text)}",
        )
        assert (await api.client.get(path, headers={"Range": "lines=1-2"})).text == text
        window = await api.get(f"/jobs/{job.id}/lines", count=2)
        assert [line["text"] for line in window["lines"]] == ["line 998", "line 999"]
        window = await api.get(f"/jobs/{job.id}/lines", **{"from": window["first"], "count": 1})
        assert [line["text"] for line in window["lines"]] == ["line 998"]
        found = await api.get(f"/jobs/{job.id}/log/search", q="LINE 99", limit=2)
        assert [match["line"]["text"] for match in found["matches"]] == ["line 99", "line 990"]
        query = {"q": "(", "syntax": "pattern"}
        answer = await api.client.get(f"/api/v1/jobs/{job.id}/log/search", params=query)
        assert answer.status_code == 422


async def test_texts_that_are_no_unicode_are_sent(tmp_path: Path) -> None:
    """A key may have come from the name of a file."""

    @current.builder("odd")
    async def odd(job: current.Job, key: str) -> str:
        raise current.Failure(f"{key} \ud800")

    async with api_of(lambda: odd("caf\udce9"), tmp_path) as api:
        for path in ("/overview", "/pipeline"):
            assert "caf\ufffd" in str(await api.get(path))
        # The store has spelt it out.
        assert "caf\\udce9" in (await api.get("/history"))["entries"][0]["key"]
        job = next(iter(api.harness.jobs))
        assert "caf\ufffd" in str(await api.get(f"/jobs/{job}"))
        assert (await api.client.get("/api/v1/pipeline.dot")).status_code == 200
        assert (await api.client.get("/metrics")).status_code == 200


async def test_metrics_follow_the_conventions(tmp_path: Path) -> None:
    """They can be read, have units, and count what there is."""
    tasks = Tasks(pool=Pool("machines", 1))
    async with api_of(lambda: all_of(tasks, "a", "b", "c"), tmp_path) as api:
        await api.harness.advance(timedelta(seconds=20))
        tasks.end("a")
        await api.harness.settle()
        text = (await api.client.get("/metrics")).text
        families = {family.name: family for family in text_string_to_metric_families(text)}
        values = {
            (sample.name, *sample.labels.values()): sample.value
            for family in families.values()
            for sample in family.samples
        }
        assert values["pycurrent_stages", "ok"] == 1
        assert values["pycurrent_stages", "waiting-for-confirmation"] == 0
        assert values["pycurrent_jobs", "running"] == 1
        assert values["pycurrent_jobs", "queued"] == 1
        assert values["pycurrent_pool_queue_length", "machines"] == 1
        assert values["pycurrent_pool_used", "machines"] == 1
        assert values["pycurrent_pool_capacity", "machines"] == 1
        assert values["pycurrent_pool_wait_seconds_sum", "machines"] == 20
        assert values["pycurrent_pool_wait_seconds_count", "machines"] == 2
        assert values["pycurrent_cache_items",] == 3
        assert values["pycurrent_deliveries_unfinished",] == 0
        assert values["pycurrent_evaluation_seconds_count",] == api.harness.engine.steps
        assert values["pycurrent_evaluations_total",] == api.harness.engine.steps
        ours = [name for name in families if name.startswith("pycurrent")]
        assert all(re.fullmatch(r"[a-z_]+", name) and families[name].documentation for name in ours)


async def test_the_figures_of_a_pool_stay_when_nobody_uses_it(tmp_path: Path) -> None:
    """At 0, also of one that was used between two looks: an alert on it has data."""
    tasks = Tasks(pool=Pool("machines", 2))
    async with api_of(lambda: all_of(tasks, "quick"), tmp_path) as api:
        for _ in range(2):
            text = (await api.client.get("/metrics")).text
            assert 'pycurrent_pool_queue_length{pool="machines"} 0.0' in text
            assert 'pycurrent_pool_used{pool="machines"} 0.0' in text
            assert 'pycurrent_pool_capacity{pool="machines"} 2.0' in text


@pytest.mark.parametrize(
    "path",
    [
        "/overview",
        "/pipeline",
        "/pipeline.dot",
        "/jobs",
        "/jobs/{job}",
        "/jobs/{job}/log",
        "/jobs/{job}/lines",
        "/history",
        "/ops",
        "/rules",
        "/rules.csv",
        "/confirm",
        "/events",
        "",
    ],
)
async def test_a_parameter_that_there_is_not_is_refused(tmp_path: Path, path: str) -> None:
    """By its name, wherever it is given: a misspelt filter would be no filter."""
    tasks = Tasks()
    async with api_of(lambda: tasks.stage("quick"), tmp_path) as api:
        path = path.format(job=api.job("task quick"))
        status, answer = await api.call("GET", f"{path}?bogus=1&limmit=2")
        assert status == 422
        assert [error["where"] for error in answer["errors"]] == ["query.bogus", "query.limmit"]
        assert "bogus" in answer["detail"]


async def test_other_things_happen_while_the_api_is_described(tmp_path: Path) -> None:
    """The first time that takes long."""
    tasks = Tasks()
    async with api_of(lambda: tasks.stage("quick"), tmp_path) as api:
        asked = asyncio.create_task(api.client.get("/docs"))
        turns = 0
        while not asked.done():
            await asyncio.sleep(0)
            turns += 1
        assert asked.result().status_code == 200
        assert turns > 200


async def test_the_address_of_the_api_leads_to_what_describes_it(tmp_path: Path) -> None:
    """For programs and for people."""
    tasks = Tasks()
    async with api_of(lambda: tasks.stage("quick"), tmp_path) as api:
        moved = await api.client.get("/api")
        assert (moved.status_code, moved.headers["location"]) == (307, "/api/v1")
        index = await api.get("")
        assert (await api.client.get(index["openapi"])).json()["openapi"].startswith("3.")
        page = await api.client.get(index["documentation"])
        assert page.status_code == 200
        assert "/api/v1/jobs/{day}/{name}/cancel" in page.text
        assert (await api.client.get("/robots.txt")).text.startswith("User-agent: *")


async def test_what_the_client_has_already_is_not_sent_again(tmp_path: Path) -> None:
    """The tag is another one as soon as there is something new."""
    tasks = Tasks()
    async with api_of(lambda: tasks.stage("slow"), tmp_path) as api:
        for path in ("/api/v1/pipeline", "/api/v1/overview", "/api/v1/jobs", "/api/v1/rules"):
            first = await api.client.get(path)
            known = {"If-None-Match": f'"other", {first.headers["etag"]}'}
            again = await api.client.get(path, headers=known)
            assert (again.status_code, again.content) == (304, b""), path
            assert again.headers["etag"] == first.headers["etag"]
            assert "no-store" not in first.headers["cache-control"]
            assert "private" in first.headers["cache-control"]
        known = {"If-None-Match": (await api.client.get("/api/v1/pipeline")).headers["etag"]}
        tasks.end("slow")
        await api.harness.settle()
        changed = await api.client.get("/api/v1/pipeline", headers=known)
        assert changed.status_code == 200
        assert changed.json()["nodes"][0]["state"] == "ok"


@pytest.mark.parametrize(
    ("takes", "packed"),
    [
        ("gzip", True),
        ("br;q=1.0, GZIP;q=0.8, *;q=0.1", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip;q=0.0, *", False),
        ("br", False),
        ("identity", False),
        ("", False),
    ],
)
async def test_answers_are_packed_for_who_takes_that(
    tmp_path: Path, takes: str, packed: bool
) -> None:
    """Pages, files, and the API; short ones and streams are not."""
    tasks = Tasks()
    keys = [f"quick {n}" for n in range(20)]
    async with api_of(lambda: all_of(tasks, *keys), tmp_path) as api:
        headers = {"Accept-Encoding": takes}
        for path in ("/", "/static/js/jobs.js", "/api/v1/pipeline", "/api/v1/openapi.json"):
            answer = await api.client.get(path, headers=headers)
            assert (answer.headers.get("content-encoding") == "gzip") is packed, path
            assert "accept-encoding" in answer.headers["vary"].lower()
            plain = await api.client.get(path, headers={"Accept-Encoding": "identity"})
            if path != "/":
                assert answer.content == plain.content, path
        for path in ("/healthz", "/api/v1/confirm"):
            answer = await api.client.get(path, headers=headers)
            assert "content-encoding" not in answer.headers


async def test_metrics_count_the_ends_of_jobs(tmp_path: Path) -> None:
    """By result, each of which is there from the beginning, so that a rate of it is right."""
    tasks = Tasks()
    async with api_of(lambda: all_of(tasks, "quick", "quick 2", "bad", "slow"), tmp_path) as api:
        api.service.jobs.cancel(api.job("task slow"), by="alice")
        await api.harness.settle()
        text = (await api.client.get("/metrics")).text
        ended = dict(re.findall(r'^pycurrent_jobs_ended_total{end="([\w-]+)"} (.*)$', text, re.M))
        assert ended == {
            "ok": "2.0",
            "failed": "1.0",
            "cancelled": "1.0",
            "timed-out": "0.0",
            "superseded": "0.0",
            "interrupted": "0.0",
        }


async def test_each_way_to_end_is_told_apart(tmp_path: Path) -> None:
    """By one word in the history, its filter, the pages and the metrics."""
    tasks, wanted = Tasks(), current.Var("wanted", "old")

    @current.builder("tardy", level=Level.HARMLESS, timeout=5)
    async def tardy(job: current.Job, key: str) -> None:
        await asyncio.Event().wait()

    @current.builder("replaced", level=Level.HARMLESS, auto_cancel=True)
    async def replaced(job: current.Job, key: str) -> None:
        if key == "old":
            await asyncio.Event().wait()

    def pipeline() -> current.Current[object]:
        return current.all(
            [tardy("key"), replaced(wanted.get()), tasks.stage("bad"), tasks.stage("slow")]
        )

    async with api_of(pipeline, tmp_path) as api:
        await api.call("POST", f"/jobs/{api.job('task slow')}/cancel")
        wanted.set("new")
        await api.harness.advance(timedelta(seconds=6))
        ends = {
            "cancelled": "task slow",
            "superseded": "replaced old",
            "timed-out": "tardy key",
            "failed": "task bad",
            "ok": "replaced new",
        }
        for end, what in ends.items():
            (entry,) = (await api.get("/history", end=end))["entries"]
            assert (entry["end"], f"{entry['op']} {entry['key']}") == (end, what)
            assert entry["finished"] is not None
            page = (await api.client.get("/history", params={"end": end})).text
            assert page.count("<tr>") == 2
            assert f"<span>{end.replace('-', ' ')}</span>" in page
        listed = (await api.get("/history"))["entries"]
        assert {entry["end"] for entry in listed} == ends.keys() - {"superseded"}
        both = (await api.get("/history", end=["cancelled", "superseded"]))["entries"]
        assert len(both) == 2
        assert (await api.call("GET", "/history?end=discarded"))[0] == 422


async def test_all_that_match_a_way_to_end_are_rebuilt(tmp_path: Path) -> None:
    """And no others: what the page asks about goes with the answer."""
    tasks = Tasks()
    async with api_of(lambda: all_of(tasks, "quick", "bad"), tmp_path) as api:
        bad = api.job("task bad")
        page = (await api.client.get("/history/rebuild-matching?end=failed")).text
        assert '<input type="hidden" name="end" value="failed">' in page
        _, answer = await api.call("POST", "/rebuild", {"filter": {"end": ["failed"]}})
        assert [outcome["job"] for outcome in answer["outcomes"]] == [bad]


async def test_metrics_name_stages_that_ask_for_a_person(tmp_path: Path) -> None:
    """If it was said how many: those first that have been so for longest, and since when."""
    tasks = Tasks(level=Level.DANGEROUS)
    config, settings = Config(confirm=Level.DANGEROUS), WebSettings(metrics_stages=2)
    keys = ("bad 1", "bad 2", "bad 3", "quick")
    async with api_of(
        lambda: all_of(tasks, *keys), tmp_path, config=config, settings=settings
    ) as api:
        first = api.harness.clock.now().timestamp()
        for key in keys[:3]:
            await api.harness.advance(timedelta(minutes=1))
            api.harness.find(f"task {key}").approve()
            await api.harness.settle()
        text = (await api.client.get("/metrics")).text
        since = {
            (sample.labels["stage"], sample.labels["state"]): sample.value - first
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "pycurrent_stage_timestamp_seconds"
        }
        assert since == {
            ("task bad 1", "failed"): pytest.approx(60),
            ("task bad 2", "failed"): pytest.approx(120),
            ("task quick", "waiting-for-confirmation"): pytest.approx(0),
        }
    async with api_of(lambda: tasks.stage("bad"), tmp_path / "other") as api:
        assert "pycurrent_stage_timestamp" not in (await api.client.get("/metrics")).text


async def test_two_engines_have_their_own_metrics(tmp_path: Path) -> None:
    """There is no registry of the process."""
    one, other = Tasks(), Tasks()
    async with (
        api_of(lambda: one.stage("quick"), tmp_path / "one") as a,
        api_of(lambda: all_of(other, "quick", "slow"), tmp_path / "other") as b,
    ):
        running = 'pycurrent_stages{state="running"} '
        assert f"{running}0.0" in (await a.client.get("/metrics")).text
        assert f"{running}1.0" in (await b.client.get("/metrics")).text


async def test_health_needs_no_rights(tmp_path: Path) -> None:
    """Whatever watches the process has no token; a crash of the engine is not ready."""
    tasks = Tasks()
    with pytest.raises(RuntimeError, match="a bug"):  # noqa: PT012 - at the harness's end
        async with api_of(lambda: tasks.stage("quick"), tmp_path) as api:
            for path in ("/healthz", "/readyz"):
                assert (await api.client.get(path)).json() == {"status": "ok"}
            api.harness.engine.opened.crash(RuntimeError("a bug"))
            assert (await api.client.get("/healthz")).status_code == 200
            assert (await api.client.get("/readyz")).status_code == 503


async def test_badges_show_the_whole_and_components(tmp_path: Path) -> None:
    """Of several with one label, the worst."""
    tasks = Tasks()
    async with api_of(lambda: all_of(tasks, "quick", "bad"), tmp_path) as api:
        for path, said in [
            ("/badge.svg", "pipeline: failed"),
            ("/badge.svg?title=my <ci>", "my <ci>: failed"),
            ("/badge.svg?label=repo!=web", "repo!=web: failed"),
            ("/badge/task quick.svg", "task quick: ok"),
            ("/badge/task bad.svg", "task bad: failed"),
        ]:
            answer = await api.client.get(path)
            assert answer.headers["content-type"] == "image/svg+xml"
            assert ElementTree.fromstring(answer.content).attrib["aria-label"] == said
        for path in ("/badge/nothing.svg", "/badge.svg?label=repo=web"):
            answer = await api.client.get(path)
            assert answer.status_code == 404


@pytest.mark.parametrize(
    "title", ['"><script>', "\x00\x1f", "x" * 500, "", "ü \u202e \ud800"], ids=ascii
)
def test_a_badge_can_have_any_title(title: str) -> None:
    """It is a well-formed snapshot whatever a label holds."""
    svg = badge_of(title, State.WAITING_FOR_CONFIRMATION)
    assert "waiting for confirmation" in ElementTree.fromstring(svg).attrib["aria-label"]


def test_the_core_imports_none_of_it() -> None:
    """`import pycurrent` is for every script; neither it nor a look at history needs the web."""
    code = (
        "import sys, pycurrent, pycurrent.cli.app, pycurrent.cli.pipelines, pycurrent.cli.history\n"
        "names = {'fastapi', 'uvicorn', 'pydantic', 'starlette', 'jinja2', 'prometheus_client'}\n"
        "print(sorted(names & set(sys.modules)), 'pycurrent.web' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "[] False\n"


def test_settings_are_named_without_the_framework() -> None:
    """A script that says how its site is starts no slower for it, nor does adding a user."""
    code = (
        "import sys, pycurrent.web, pycurrent.cli.access\n"
        "names = {'fastapi', 'uvicorn', 'pydantic', 'starlette', 'jinja2', 'prometheus_client'}\n"
        "print(sorted(names & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"


def test_the_site_loads_when_it_is_asked_for() -> None:
    """`Site` is a public name, and scripts that don't use it load nothing for it."""
    code = (
        "import sys, pycurrent\n"
        "pycurrent.Engine, pycurrent.main\n"
        "loaded = ['pycurrent.web' in sys.modules, 'pycurrent.service' in sys.modules]\n"
        "pycurrent.Site\n"
        "names = {'fastapi', 'uvicorn', 'pydantic', 'starlette', 'prometheus_client'}\n"
        "print(loaded, 'pycurrent.web' in sys.modules, sorted(names & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "[False, False] True []\n"
