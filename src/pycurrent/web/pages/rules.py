"""The page of the log rules."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fastapi import FastAPI, Request, Response

from pycurrent.engine import LogRule
from pycurrent.engine.logrules import RULE_KINDS
from pycurrent.errors import PycurrentError, UsageError
from pycurrent.service import Service, Trial, kind_named, rules_from_csv, rules_to_csv
from pycurrent.view.formatting import applied as words_of
from pycurrent.view.formatting import plural
from pycurrent.web.context import AskerOf, ServiceOf
from pycurrent.web.forms import FormFields, read_form
from pycurrent.web.pages import routing
from pycurrent.web.pages.notes import Note
from pycurrent.web.pages.pages import pages_of
from pycurrent.web.users import Role

TRIED_ON = 50
"""How many of the last failures a rule is tried on."""
APPLIED_TO = 1000
"""How many of the last failures get the kinds of the rules, by one click."""
_SCORE = re.compile(r"[+-]?\d{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Draft:
    """A rule as somebody has typed it."""

    pattern: str = ""
    report: str = ""
    score: str = "1"
    kind: str = ""
    replacing: str = ""
    """The pattern of the rule that is changed; empty for a new one."""

    @classmethod
    def of(cls, form: FormFields) -> Draft:
        return cls(
            form.text("pattern"),
            form.text("report"),
            form.text("score"),
            form.text("kind"),
            form.text("replacing"),
        )

    @property
    def rule(self) -> LogRule:
        """Raises `UsageError` if it is none."""
        if not self.pattern:
            raise UsageError("a rule needs a pattern")
        if not _SCORE.fullmatch(self.score.strip()):
            raise UsageError(f"the score must be a whole number, not {self.score!r}")
        return LogRule(self.pattern, self.report, int(self.score), kind_named(self.kind))


def add_rules_pages(app: FastAPI) -> None:
    routing.page(app, "/rules", _rules, Role.VIEWER)
    routing.page(app, "/rules.csv", _export, Role.VIEWER)
    routing.action(app, "/rules", _put, Role.ADMIN)
    routing.action(app, "/rules/try", _try, Role.ADMIN)
    routing.action(app, "/rules/remove", _remove, Role.ADMIN)
    routing.action(app, "/rules/apply", _apply, Role.ADMIN)
    routing.action(app, "/rules/import", _import, Role.ADMIN)


async def _rules(request: Request, service: ServiceOf) -> Response:
    editing = request.query_params.get("edit")
    for rule in service.rules.list():
        if rule.pattern == editing:
            kind = "" if rule.kind is None else rule.kind.value
            draft = Draft(rule.pattern, rule.report, str(rule.score), kind, rule.pattern)
            return _show(request, service, draft)
    asked = request.query_params
    return _show(request, service, Draft(asked.get("pattern", ""), asked.get("report", "")))


def _show(
    request: Request,
    service: Service,
    draft: Draft,
    *,
    trial: Trial | None = None,
    wrong: str | None = None,
    csv: str = "",
) -> Response:
    pages = pages_of(request)
    return pages.render(
        request,
        "rules.html",
        status=200 if wrong is None else 422,
        rules=service.rules.list(),
        draft=draft,
        trial=trial,
        tried_on=TRIED_ON,
        kinds=[kind.value for kind in RULE_KINDS],
        wrong=wrong,
        csv=csv,
        may_change=pages.may(request, Role.ADMIN),
    )


async def _put(request: Request, service: ServiceOf, asker: AskerOf) -> Response:
    draft = Draft.of(await read_form(request))
    try:
        service.rules.put(draft.rule, by=asker, replacing=draft.replacing or None)
    except PycurrentError as error:
        return _show(request, service, draft, wrong=str(error))
    return pages_of(request).go("/rules", Note("The rule holds from now on."))


async def _try(request: Request, service: ServiceOf) -> Response:
    draft = Draft.of(await read_form(request))
    try:
        trial = await service.rules.try_out(draft.rule, limit=TRIED_ON)
    except UsageError as error:
        return _show(request, service, draft, wrong=str(error))
    return _show(request, service, draft, trial=trial)


async def _remove(request: Request, service: ServiceOf, asker: AskerOf) -> Response:
    form = await read_form(request)
    service.rules.remove(form.text("pattern"), by=asker)
    return pages_of(request).go("/rules", Note("The rule was removed."))


async def _apply(request: Request, service: ServiceOf, asker: AskerOf) -> Response:
    applied = await service.rules.apply(limit=APPLIED_TO, by=asker)
    rest = "" if applied.complete else ", whose logs were not all looked at"
    done = words_of(applied.looked_at, applied.changed, applied.reworded)
    note = Note(f"{done[0].upper()}{done[1:]}{rest}.")
    return pages_of(request).go("/rules", note)


async def _import(request: Request, service: ServiceOf, asker: AskerOf) -> Response:
    text = (await read_form(request)).text("csv")
    try:
        rules = rules_from_csv(text)
        service.rules.put_all(rules, by=asker)
    except UsageError as error:
        return _show(request, service, Draft(), wrong=str(error), csv=text)
    return pages_of(request).go("/rules", Note(f"{plural(len(rules), 'rule')} imported."))


async def _export(service: ServiceOf) -> Response:
    return Response(
        rules_to_csv(service.rules.list()).encode(),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="log-rules.csv"'},
    )
