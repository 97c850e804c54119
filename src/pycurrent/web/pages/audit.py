"""The page of the audit: who has asked for what."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response

from pycurrent.store import AuditFilters
from pycurrent.web.api.routing import JOB_ID
from pycurrent.web.context import ServiceOf
from pycurrent.web.pages import routing
from pycurrent.web.pages.pages import pages_of
from pycurrent.web.pages.times import TIMES, since_of
from pycurrent.web.users import Role

PER_PAGE = 100
_FIELDS = ("who", "what", "subject", "since")
_LARGEST = 2**53


def add_audit_page(app: FastAPI) -> None:
    routing.page(app, "/audit", _audit, Role.ADMIN)


async def _audit(request: Request, service: ServiceOf) -> Response:
    query = request.query_params
    fields = {name: text for name in _FIELDS if (text := query.get(name, "").strip())}
    filters: AuditFilters = {"limit": PER_PAGE + 1}
    if "who" in fields:
        filters["who"] = fields["who"]
    if "what" in fields:
        filters["what"] = fields["what"]
    if "subject" in fields:
        filters["subject"] = fields["subject"]
    if (since := since_of(fields.get("since", ""), service.engine.clock)) is not None:
        filters["since"] = since
    before = query.get("before", "")
    if before.isascii() and before.isdigit() and int(before) <= _LARGEST:
        filters["before"] = int(before)
    rows = service.engine.audit.rows(**filters)
    shown = rows[:PER_PAGE]
    older = urlencode({**fields, "before": shown[-1].id}) if rows[PER_PAGE:] else None
    return pages_of(request).render(
        request,
        "audit.html",
        acts=[(act, re.match(JOB_ID, act.subject) is not None) for act in shown],
        times=TIMES,
        fields=fields,
        newest=f"/audit?{urlencode(fields)}".rstrip("?") if "before" in filters else None,
        older=None if older is None else f"/audit?{older}",
    )
