"""The page of the rules of retention: how long the parts of jobs are kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from msgspec import Struct

from pycurrent.files.values import size_text
from pycurrent.service import Service
from pycurrent.view.formatting import plural
from pycurrent.web.context import ServiceOf
from pycurrent.web.pages import routing
from pycurrent.web.pages.pages import pages_of
from pycurrent.web.users import Role

if TYPE_CHECKING:
    from pycurrent.facade.upkeep import Upkeep
    from pycurrent.store.gc import GcReport


class Removal(Struct, frozen=True):
    """The things that one rule removes, each in words."""

    rule: str
    taken: list[str]
    is_for_nothing: bool
    """No job is recorded of the operation that the rule is for."""


class Removals(Struct, frozen=True):
    """A run, or a look at what one would do, in words."""

    by_rule: list[Removal]
    contents: str | None
    """The saved files that go from the disk with it."""
    failures: list[str]


def add_retention_pages(app: FastAPI) -> None:
    routing.page(app, "/retention", _rules, Role.VIEWER)
    # It looks at all jobs, which takes the machine some time.
    routing.page(app, "/retention/next", _next, Role.BUILDER)


async def _rules(request: Request, service: ServiceOf) -> Response:
    return _show(request, service, None)


async def _next(request: Request, service: ServiceOf) -> Response:
    return _show(request, service, await _upkeep(service).would_remove())


def _show(request: Request, service: Service, would: GcReport | None) -> Response:
    upkeep, pages = _upkeep(service), pages_of(request)
    rules = [str(rule) for rule in upkeep.retention.rules]
    limit, last = upkeep.retention.max_size, upkeep.last
    return pages.render(
        request,
        "retention.html",
        rules=rules,
        limit=None if limit is None else size_text(limit),
        would=None if would is None else _removals(rules, would),
        ran=None if last is None else last.at,
        removed=None if last is None else _removals(rules, last.report),
        next=upkeep.next,
        at_work=upkeep.is_at_work,
        may_look=pages.may(request, Role.BUILDER),
    )


def _removals(rules: list[str], report: GcReport) -> Removals:
    contents = None
    if report.contents:
        contents = f"{plural(report.contents, 'saved file')}{_sized(report.content_bytes)}"
    return Removals([*_by_rule(rules, report)], contents, report.failures)


def _by_rule(rules: list[str], report: GcReport) -> Iterator[Removal]:
    """In the order of the rules. The limit, of which only the report tells, comes last."""
    for name in [*rules, *sorted({rule for rule, _, _ in report.taken} - {*rules})]:
        taken = [
            f"the {part.value} of {plural(one.jobs, 'job')} of {op}{_sized(one.bytes)}"
            for (rule, part, op), one in report.taken.items()
            if rule == name
        ]
        yield Removal(name, sorted(taken), name in report.unmatched)


def _sized(bytes: int) -> str:
    return f" ({size_text(bytes)})" if bytes else ""


def _upkeep(service: Service) -> Upkeep:
    from pycurrent.facade.upkeep import Upkeep  # few engines have rules

    return service.engine.service(Upkeep)
