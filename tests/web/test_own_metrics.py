"""Metrics by operation, and the author's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

import pycurrent as current
from pycurrent.errors import UsageError
from pycurrent.service.metrics import MOST_OPERATIONS
from pycurrent.web.server import check_settings
from pycurrent.web.settings import WebSettings

from .sites import FOR_ALL
from .visits import Site, open_site


async def metrics_of(site: Site) -> dict[tuple[str, ...], float]:
    text = (await site.client().get("/metrics")).text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@current.builder("nap", level=current.Level.HARMLESS)
async def nap(job: current.Job, seconds: int) -> None:
    if not seconds:
        raise current.Failure("not tired")


async def test_jobs_by_operation(tmp_path: Path) -> None:
    """How they ended, and how long they worked."""
    async with open_site(tmp_path, lambda: current.all([nap(0), nap(1), nap(2)])) as site:
        values = await metrics_of(site)
        assert values["pycurrent_operation_jobs_total", "nap", "ok"] == 2
        assert values["pycurrent_operation_jobs_total", "nap", "failed"] == 1
        assert values["pycurrent_operation_seconds_count", "nap"] == 3
        assert values["pycurrent_operation_seconds_sum", "nap"] == 0


@current.builder("compile", level=current.Level.HARMLESS)
async def compile_(job: current.Job, key: str) -> None:
    await job.exec(["python3", "-c", "import time\nwhile time.process_time() < 0.1: pass"])


async def test_processors_by_operation(tmp_path: Path) -> None:
    """The time that the commands of its jobs have used; the page of a job says it, too."""
    async with open_site(tmp_path, lambda: current.all([compile_("a"), compile_("b")])) as site:
        values = await metrics_of(site)
        assert 0.2 <= values["pycurrent_operation_cpu_seconds_total", "compile"] < 2
        (job, _) = site.harness.engine.history()
        page = (await site.client().get(f"/job/{job.job_id}")).text
        assert "<dt>Processors</dt>" in page
        assert "of its largest process" in page
        assert "<dt>As a rule</dt>" not in page


async def test_there_are_only_so_many_series(tmp_path: Path) -> None:
    """Operations that an author makes of data count together beyond a limit."""

    def one(number: int) -> current.Current[None]:
        @current.builder(f"op-{number}", level=current.Level.HARMLESS)
        async def work(job: current.Job, key: int) -> None:
            job.log(f"op {key}")

        return work(number)

    many = MOST_OPERATIONS + 3
    async with open_site(tmp_path, lambda: current.all([one(n) for n in range(many)])) as site:
        values = await metrics_of(site)
        counts = {key[1]: value for key, value in values.items() if "operation_jobs" in key[0]}
        assert len(counts) == MOST_OPERATIONS + 1
        assert counts["other"] == 3


async def test_the_authors_metrics(tmp_path: Path) -> None:
    """They stand beside ours, as they are at each look."""
    registry = CollectorRegistry()
    orders = Counter("shop_orders", "Orders.", ["item"], registry=registry)
    settings = WebSettings(access=FOR_ALL, metrics=registry)
    async with open_site(tmp_path, settings=settings) as site:
        orders.labels("tea").inc(2)
        values = await metrics_of(site)
        assert values["shop_orders_total", "tea"] == 2
        assert values["pycurrent_stages", "ok"] == 1


class Broken(Collector):
    def __init__(self) -> None:
        self.is_broken = True

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        if self.is_broken:
            raise ValueError("no figures")
        return iter(())


async def test_metrics_that_fail(tmp_path: Path) -> None:
    """Ours are there all the same, and the problem names the author's line until it has gone."""
    registry = CollectorRegistry()
    settings = WebSettings(access=FOR_ALL, metrics=registry)
    async with open_site(tmp_path, settings=settings) as site:
        broken = Broken()
        registry.register(broken)
        assert (await metrics_of(site))["pycurrent_stages", "ok"] == 1
        (problem,) = site.harness.engine.problems
        assert "ValueError: no figures (test_own_metrics.py:" in problem.message
        broken.is_broken = False
        await metrics_of(site)
        assert list(site.harness.engine.problems) == []


def test_names_of_ours() -> None:
    """They are refused before anything runs, each by its name."""
    registry = CollectorRegistry()
    Gauge("pycurrent_jobs", "Mine.", registry=registry)
    with pytest.raises(UsageError, match="like pycurrent_jobs itself"):
        check_settings(WebSettings(metrics=registry))
    with pytest.raises(UsageError, match="process_"):
        check_settings(WebSettings(metrics=REGISTRY))
    with pytest.raises(UsageError, match="expected a CollectorRegistry"):
        check_settings(WebSettings(metrics=1))  # type: ignore[arg-type]


async def test_all_our_names_begin_so(tmp_path: Path) -> None:
    """So that authors can tell which names are free."""
    async with open_site(tmp_path) as site:
        names = {key[0].split("_")[0] for key in await metrics_of(site)}
        assert names == {"pycurrent", "process", "python"}
