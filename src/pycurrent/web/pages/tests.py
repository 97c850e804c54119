"""The tests of a job: the failed ones on its page, and all of them on one of their own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from fastapi import FastAPI, Request, Response
from msgspec import Struct

from pycurrent.service import Service
from pycurrent.store import TestCase, TestCounts, TestResult, TestTables
from pycurrent.store.test_cases import BAD
from pycurrent.web.context import ServiceOf
from pycurrent.web.pages import routing
from pycurrent.web.pages.pages import pages_of
from pycurrent.web.users import Role

SHOWN = 10
"""How many failed tests are on the page of a job."""
AT_ONCE = 200
"""How many tests are on a page of them."""

_LONGEST_SKIP = 10**9


class ShownTests(Struct, frozen=True):
    """Some tests of a job, and how all of them ended."""

    counts: TestCounts
    cases: list[TestCase]


class _Choice(Struct, frozen=True):
    """A selection that the page offers."""

    word: str
    results: tuple[TestResult, ...] = ()
    flaky: bool = False
    slowest: bool = False


_CHOICES: Mapping[str, _Choice] = MappingProxyType(
    {
        "": _Choice("all"),
        "failed": _Choice("failed", results=BAD),
        "flaky": _Choice("flaky", flaky=True),
        "skipped": _Choice("skipped", results=(TestResult.SKIPPED,)),
        "slowest": _Choice("the slowest first", slowest=True),
    }
)
"""By what the address calls them."""


def add_tests_pages(app: FastAPI) -> None:
    """Before the page of the job, whose address could have any end."""
    routing.page(app, "/job/{job_id:path}/tests", _tests, Role.VIEWER)


async def tests_of(service: Service, job_id: str) -> ShownTests | None:
    """The first failed tests of a job; None if it has reported none."""

    def read(tests: TestTables) -> ShownTests | None:
        counts = tests.counts(job_id)
        if counts is None:
            return None
        return ShownTests(counts, tests.of_job(job_id, results=BAD, limit=SHOWN))

    return await service.archive.tests(read)


async def _tests(request: Request, job_id: str, service: ServiceOf) -> Response:
    detail = service.jobs.detail(job_id)
    show = request.query_params.get("show", "")
    show = show if show in _CHOICES else ""
    choice, skip = _CHOICES[show], _skip(request.query_params.get("skip", ""))

    def read(tests: TestTables) -> ShownTests:
        cases = tests.of_job(
            job_id,
            results=choice.results,
            flaky=choice.flaky,
            slowest=choice.slowest,
            limit=AT_ONCE + 1,
            skip=skip,
        )
        return ShownTests(tests.counts(job_id) or TestCounts(), cases)

    found = await service.archive.tests(read)
    return pages_of(request).render(
        request,
        "tests.html",
        job=detail,
        id=job_id,
        tests=found,
        cases=found.cases[:AT_ONCE],
        choices=[(name, one.word, name == show) for name, one in _CHOICES.items()],
        show=show,
        first=skip + 1,
        next=skip + AT_ONCE if len(found.cases) > AT_ONCE else None,
        before=max(0, skip - AT_ONCE) if skip else None,
    )


def _skip(text: str) -> int:
    return min(int(text), _LONGEST_SKIP) if text.isdecimal() and len(text) < 12 else 0
