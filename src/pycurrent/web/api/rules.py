"""Log rules: what the log of a failed job says, in a line."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import ConfigDict, Field

from pycurrent.engine import LogRule
from pycurrent.errors import UsageError
from pycurrent.service import Applied, Service, Trial, rules_from_csv, rules_to_csv
from pycurrent.web.api.models import AppliedModel, RuleModel, RulesModel, TrialModel, Whole
from pycurrent.web.api.routing import FOR_ADMINS, api_router
from pycurrent.web.context import AskerOf, ServiceOf
from pycurrent.web.problems import may_answer
from pycurrent.web.sendable import sendable

router = api_router("rules")

_CSV = {"text/csv": {"schema": {"type": "string"}}}
_TABLE = {"text/csv": {"schema": {"type": "string", "minLength": 1}}}


class NewRule(RuleModel):
    """A rule, in place of the one with the same pattern."""

    model_config = ConfigDict(strict=True)

    replacing: str | None = Field(
        default=None, max_length=2000, description="The pattern of one more that goes."
    )


class RuleToTry(RuleModel):
    """A rule, and on how many failed jobs to try it."""

    model_config = ConfigDict(strict=True)

    limit: Whole = Field(default=20, ge=1, le=200)


@router.get("/rules")
async def rules(service: ServiceOf) -> RulesModel:
    """All rules."""
    return _all(service)


@router.put("/rules", dependencies=FOR_ADMINS, responses=may_answer(404))
async def put_rule(service: ServiceOf, rule: NewRule, asker: AskerOf) -> RulesModel:
    """Add or change a rule. It holds for failures from now on."""
    service.rules.put(_rule(rule), by=asker, replacing=rule.replacing)
    return _all(service)


@router.delete("/rules", dependencies=FOR_ADMINS, responses=may_answer(404))
async def delete_rule(
    service: ServiceOf, pattern: Annotated[str, Query(max_length=2000)], asker: AskerOf
) -> RulesModel:
    """Remove the rule with this pattern."""
    service.rules.remove(pattern, by=asker)
    return _all(service)


@router.post("/rules/try", response_model=TrialModel)
async def try_rule(service: ServiceOf, rule: RuleToTry) -> Trial:
    """Try a rule on the last failed jobs, without storing it."""
    return await service.rules.try_out(_rule(rule), limit=rule.limit)


@router.post("/rules/apply", response_model=AppliedModel, dependencies=FOR_ADMINS)
async def apply_rules(
    service: ServiceOf,
    asker: AskerOf,
    limit: Annotated[int, Query(ge=1, le=10_000, description="How many failures at most.")] = 1000,
) -> Applied:
    """Record the last failures with the messages and kinds that the rules say."""
    return await service.rules.apply(limit=limit, by=asker)


@router.get("/rules.csv", response_class=Response, responses={200: {"content": _CSV}})
async def rules_csv(service: ServiceOf) -> Response:
    """All rules as a table."""
    return Response(
        sendable(rules_to_csv(service.rules.list())),
        media_type="text/csv",
        headers={"Content-Disposition": 'attachment; filename="log-rules.csv"'},
    )


@router.put(
    "/rules.csv",
    dependencies=FOR_ADMINS,
    openapi_extra={"requestBody": {"required": True, "content": _TABLE}},
)
async def put_rules_csv(service: ServiceOf, request: Request, asker: AskerOf) -> RulesModel:
    """Add or change the rules in a table: all of them, or none if one is wrong."""
    body = await request.body()
    if not body:
        raise UsageError("the body is empty: send the rules as CSV")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"the table is not UTF-8: {error.reason}") from error
    service.rules.put_all(rules_from_csv(text), by=asker)
    return _all(service)


def _all(service: Service) -> RulesModel:
    return RulesModel(rules=[RuleModel.model_validate(rule) for rule in service.rules.list()])


def _rule(rule: RuleModel) -> LogRule:
    return LogRule(rule.pattern, rule.report, rule.score, rule.kind)
