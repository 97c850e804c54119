"""Puts the pages into an application."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI

from pycurrent.service import Service
from pycurrent.web.extensions import AuthorEntry
from pycurrent.web.pages.approvals import add_approvals
from pycurrent.web.pages.audit import add_audit_page
from pycurrent.web.pages.changes import add_changes_pages
from pycurrent.web.pages.failures import add_failures_pages
from pycurrent.web.pages.help import add_help_page
from pycurrent.web.pages.history import add_history_pages
from pycurrent.web.pages.inputs import add_inputs_page
from pycurrent.web.pages.items import add_items_page
from pycurrent.web.pages.job import add_job_pages
from pycurrent.web.pages.jobs import add_jobs_pages
from pycurrent.web.pages.login import add_login_pages
from pycurrent.web.pages.mutes import add_mutes_page
from pycurrent.web.pages.pages import PAGES, Pages
from pycurrent.web.pages.pauses import add_pauses_page
from pycurrent.web.pages.pipeline import add_pipeline_page
from pycurrent.web.pages.pools import add_pools_page
from pycurrent.web.pages.retention import add_retention_pages
from pycurrent.web.pages.rules import add_rules_pages
from pycurrent.web.pages.search import add_search_page
from pycurrent.web.pages.site import add_site_pages
from pycurrent.web.pages.stage import add_stage_page
from pycurrent.web.pages.static import Files
from pycurrent.web.pages.timeline import add_timeline_page


def add_pages(
    app: FastAPI, service: Service, files: Files, *, name: str, extra: Sequence[AuthorEntry] = ()
) -> None:
    """Have the application show the pages, and what its author has added."""
    PAGES.put(app.state, Pages(service, files, name=name, extra=extra))
    add_pipeline_page(app)
    add_jobs_pages(app)
    add_job_pages(app)
    add_stage_page(app)
    add_items_page(app)
    add_history_pages(app)
    add_retention_pages(app)
    add_failures_pages(app)
    add_changes_pages(app)
    add_search_page(app)
    add_timeline_page(app)
    add_audit_page(app)
    add_rules_pages(app)
    add_inputs_page(app)
    add_pools_page(app)
    add_pauses_page(app)
    add_mutes_page(app)
    add_approvals(app)
    add_login_pages(app)
    add_help_page(app)
    add_site_pages(app)
