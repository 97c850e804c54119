"""Figures for Prometheus, named as its conventions ask (prometheus.io/docs/practices/naming)."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import (
    CollectorRegistry,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from pycurrent.engine import Effect, Problem
from pycurrent.errors import UsageError, WrongKind
from pycurrent.service import MetricsReading, Service
from pycurrent.service.login import Role
from pycurrent.service.metrics import RetentionMetrics
from pycurrent.term import State, Stats, located, shown
from pycurrent.web.api.names import name_of
from pycurrent.web.auth import require_unless
from pycurrent.web.context import SERVICE, SETTINGS
from pycurrent.web.problems import may_answer
from pycurrent.web.sendable import sendable
from pycurrent.web.state_key import StateKey

REGISTRY = StateKey[CollectorRegistry]("metrics")

router = APIRouter(
    tags=["metrics"],
    dependencies=[Depends(require_unless(Role.MONITOR, lambda access: access.open_metrics))],
)

_NAMED = (State.FAILED, State.WAITING_FOR_CONFIRMATION)
"""The states whose stages may be named by their paths."""
_EVALUATIONS = (0.0001, 0.001, 0.01, 0.05, 0.1, 0.5, 1, 5)
_WAITS = (0.1, 1, 10, 60, 300, 900, 3600, 4 * 3600)
_WORK = (1, 5, 15, 60, 300, 900, 1800, 3600, 2 * 3600, 4 * 3600, 8 * 3600, 24 * 3600)
"""The limits of the buckets, in seconds."""
_FIRST_PARTS = ("pycurrent_", "process_", "python_")
"""Of the names of our metrics."""

_log = logging.getLogger(__name__)


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **may_answer(400, 401, 403),
    },
)
async def metrics(request: Request) -> Response:
    """Figures about the engine and its process, in the text format of Prometheus."""
    ours = generate_latest(REGISTRY.get(request.app.state))
    theirs = _authors(SERVICE.get(request.app.state), SETTINGS.get(request.app.state).metrics)
    return Response(ours + theirs, media_type=CONTENT_TYPE_PLAIN_0_0_4)


def check_metrics(registry: CollectorRegistry | None) -> None:
    """Raise `UsageError` if the author's metrics have names of ours."""
    if registry is None:
        return
    if not isinstance(registry, CollectorRegistry):
        raise WrongKind(
            f"WebSettings(metrics=): expected a CollectorRegistry of prometheus_client, not"
            f" {shown(registry)}"
        )
    names = [family.name for family in registry.collect() if family.name.startswith(_FIRST_PARTS)]
    if names:
        raise UsageError(
            f"WebSettings(metrics=): the site has metrics like {', '.join(sorted(names))} itself:"
            " use a CollectorRegistry() of your own, and names that begin otherwise"
        )


def _authors(service: Service, registry: CollectorRegistry | None) -> bytes:
    """The metrics of the author; none, and a problem, if their code raises."""
    if registry is None:
        return b""
    topic, problems = "metrics", service.engine.problems
    try:
        text = generate_latest(registry)
    except Exception as error:
        _log.error("the author's metrics failed", exc_info=error)
        message = f"the metrics of WebSettings(metrics=) can't be read: {located(error)}"
        problems.report(topic, Problem("metrics are missing", message, Effect.TOLD))
        return b""
    problems.clear(topic)
    return text


def metrics_of(service: Service, *, stages: int = 0) -> CollectorRegistry:
    """The figures of one engine, which count from now on.

    At most so many `stages` of each state that asks for a person are named.
    """
    registry = CollectorRegistry()
    registry.register(_Now(service, stages))
    evaluations = Histogram(
        "pycurrent_evaluation_seconds",
        "How long the evaluations of the pipeline took.",
        buckets=_EVALUATIONS,
        registry=registry,
    )
    waits = Histogram(
        "pycurrent_pool_wait_seconds",
        "How long jobs waited in the queue of a pool.",
        ["pool"],
        buckets=_WAITS,
        registry=registry,
    )
    works = Histogram(
        "pycurrent_operation_seconds",
        "How long the jobs of an operation worked.",
        ["operation"],
        buckets=_WORK,
        registry=registry,
    )
    service.metrics.on_worked(lambda op, seconds: works.labels(sendable(op)).observe(seconds))
    service.metrics.on_evaluated(evaluations.observe)
    service.metrics.on_waited(lambda pool, seconds: waits.labels(sendable(pool)).observe(seconds))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry


class _Now(Collector):
    """The metrics of the engine, read at each request."""

    def __init__(self, service: Service, named: int) -> None:
        self._service = service
        self._named = named

    def describe(self) -> Iterator[Metric]:
        """Nothing is measured to find out what there is to measure."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        measures = self._service.metrics.read()
        yield _stages(measures.stages)
        if self._named:
            yield self._named_stages()
        yield CounterMetricFamily(
            "pycurrent_evaluations",
            "Evaluations of the pipeline since the engine started.",
            measures.evaluations,
        )
        yield from _jobs(measures)
        yield from _operations(measures)
        yield _places(measures)
        yield from _pools(measures)
        yield GaugeMetricFamily(
            "pycurrent_cache_items",
            "Results that are kept in memory, or are being made.",
            measures.cache_items,
        )
        problems = _gauge(
            "pycurrent_problems",
            "Problems of the engine itself: told, or held, when it begins nothing new.",
            "effect",
        )
        for effect, number in measures.problems:
            problems.add_metric([name_of(effect)], number)
        yield problems
        yield GaugeMetricFamily(
            "pycurrent_deliveries_unfinished",
            "Deliveries of webhooks whose work is still to be done.",
            measures.deliveries,
        )
        yield from _retention(measures.retention)
        yield GaugeMetricFamily(
            "pycurrent_event_followers",
            "Connections that follow the live events.",
            measures.followers,
        )

    def _named_stages(self) -> Metric:
        since = GaugeMetricFamily(
            "pycurrent_stage_timestamp_seconds",
            "Since when a stage has been in a state that asks for a person, by its path.",
            labels=["stage", "state"],
        )
        for state in _NAMED:
            for path, time in self._service.stages.longest(state, self._named):
                since.add_metric([sendable(path), name_of(state)], time.timestamp())
        return since


def _stages(stats: Stats) -> Metric:
    stages = _gauge("pycurrent_stages", "Stages of the pipeline, by their state.", "state")
    for field in stats.__struct_fields__:
        stages.add_metric([field.replace("_", "-")], getattr(stats, field))
    return stages


def _jobs(measures: MetricsReading) -> Iterator[Metric]:
    jobs = _gauge("pycurrent_jobs", "Jobs that have not ended, by their state.", "state")
    for state, number in measures.jobs:
        jobs.add_metric([name_of(state)], number)
    yield jobs
    ended = CounterMetricFamily(
        "pycurrent_jobs_ended",
        "Jobs that have ended since the engine started, by how they ended.",
        labels=["end"],
    )
    for end, number in measures.ended:
        ended.add_metric([name_of(end)], number)
    yield ended


def _operations(measures: MetricsReading) -> Iterator[Metric]:
    jobs = CounterMetricFamily(
        "pycurrent_operation_jobs",
        "Jobs that have ended since the engine started, by operation and how they ended.",
        labels=["operation", "result"],
    )
    for operation, end, number in measures.operations:
        jobs.add_metric([sendable(operation), name_of(end)], number)
    yield jobs
    processors = CounterMetricFamily(
        "pycurrent_operation_cpu_seconds",
        "Seconds of all processors that the commands of ended jobs have used, by operation.",
        labels=["operation"],
    )
    for operation, seconds in measures.processors:
        processors.add_metric([sendable(operation)], seconds)
    yield processors


def _places(measures: MetricsReading) -> Metric:
    jobs = CounterMetricFamily(
        "pycurrent_place_jobs",
        "Jobs that have ended since the engine started, by their place and how they ended.",
        labels=["place", "result"],
    )
    for place, end, number in measures.places:
        jobs.add_metric([sendable(place), name_of(end)], number)
    return jobs


def _pools(measures: MetricsReading) -> Iterator[Metric]:
    queues = _gauge("pycurrent_pool_queue_length", "Jobs that wait for a resource.", "pool")
    used = _gauge("pycurrent_pool_used", "Resources that are in use.", "pool")
    capacity = _gauge("pycurrent_pool_capacity", "Resources that there are.", "pool")
    for pool in measures.pools:
        queues.add_metric([sendable(pool.label)], pool.queue)
        if pool.used is not None and pool.capacity is not None:
            used.add_metric([sendable(pool.label)], pool.used)
            capacity.add_metric([sendable(pool.label)], pool.capacity)
    yield from (queues, used, capacity)


def _retention(measures: RetentionMetrics) -> Iterator[Metric]:
    removed = CounterMetricFamily(
        "pycurrent_retention_removed_total",
        "Jobs that have lost a part by the rules of retention.",
        labels=["part"],
    )
    for part, number in measures.removed:
        removed.add_metric([part], number)
    yield removed
    yield CounterMetricFamily(
        "pycurrent_retention_removed_bytes_total",
        "Bytes of logs and files that were removed by the rules of retention.",
        measures.bytes,
    )
    if measures.last is not None:
        yield GaugeMetricFamily(
            "pycurrent_retention_last_run_timestamp_seconds",
            "When the last removal by the rules of retention began.",
            measures.last,
        )


def _gauge(name: str, help: str, label: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help, labels=[label])
