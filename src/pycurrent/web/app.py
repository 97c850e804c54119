"""The application that serves a running engine."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request, Response
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException
from starlette.routing import Route

from pycurrent.service import Service
from pycurrent.web import badges, health, metrics
from pycurrent.web.api import (
    annotated,
    approvals,
    audit,
    changes,
    compare,
    confirm,
    coverage,
    events,
    explain,
    failures,
    files,
    history,
    index,
    inputs,
    jobs,
    logs,
    many,
    mutes,
    pauses,
    pins,
    pipeline,
    pools,
    retention,
    rules,
    search,
    stages,
    streams,
    tests,
    timeline,
    triggers,
    verify,
    why,
)
from pycurrent.web.api.encoding import ENCODERS, Encoders
from pycurrent.web.auth import Access, SiteAddress, check_access
from pycurrent.web.auth.access import ACCESS
from pycurrent.web.context import SERVICE, SETTINGS
from pycurrent.web.middleware import protect
from pycurrent.web.pages import add_files, add_pages, error_page
from pycurrent.web.problems import ProblemDetails, answer_errors, is_for_machines, render_problem
from pycurrent.web.routes import ROUTES, AuthorRoutes
from pycurrent.web.settings import WebSettings

_ROUTERS = (
    index.router,
    index.above,
    pipeline.router,
    stages.router,
    jobs.router,
    explain.router,
    annotated.router,
    logs.router,
    compare.router,
    history.router,
    failures.router,
    changes.router,
    timeline.router,
    search.router,
    tests.router,
    coverage.router,
    files.router,
    many.router,
    verify.router,
    rules.router,
    why.router,
    inputs.router,
    pins.router,
    triggers.router,
    pools.router,
    pauses.router,
    approvals.router,
    mutes.router,
    retention.router,
    audit.router,
    confirm.router,
    events.router,
    streams.router,
    metrics.router,
    health.router,
    badges.router,
)
_BEARER = {
    "type": "http",
    "scheme": "bearer",
    "description": "A token, made by `pycurrent token create`. Not needed where anybody may read.",
}


def create_app(
    service: Service, settings: WebSettings, access: Access, registry: CollectorRegistry
) -> FastAPI:
    """The application of an engine that is open. `registry` holds the engine's metrics."""
    app = FastAPI(
        title="pycurrent",
        summary="Looks at a pipeline that is kept up to date, and acts on it.",
        version=version("pycurrent"),
        # FastAPI's own would make the document on the loop: see `index`.
        openapi_url=None,
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
    )
    SERVICE.put(app.state, service)
    SETTINGS.put(app.state, settings)
    ACCESS.put(app.state, access)
    metrics.REGISTRY.put(app.state, registry)
    ENCODERS.put(app.state, Encoders(service.events))
    static = add_files(app)
    routes = AuthorRoutes(settings.routes, service)
    ROUTES.put(app.state, routes)
    # First: webhooks come by the thousand, and none of these can be one of the site's own.
    routes.add_to(app)
    for router in _ROUTERS:
        # `include_router` would have the first request make all of them again: 0.2 s.
        app.router.routes.extend(router.routes)
    answer_errors(app, _render)
    protect(app, access.site, _render, routes.limit_of)
    add_pages(app, service, static, name=settings.name, extra=settings.pages)
    _describe(app)
    return app


def site_of(settings: WebSettings) -> SiteAddress:
    """How the site is reached. Raises `UsageError` if others get there, and nobody can log in."""
    access = settings.access
    site = SiteAddress.at(
        settings.host, public_url=access.public_url, allowed_hosts=access.allowed_hosts
    )
    check_access(access, site)
    return site


async def _render(request: Request, error: HTTPException) -> Response:
    if is_for_machines(request) or ROUTES.get(request.app.state).is_for_program(request):
        return render_problem(_with_methods(request, error))
    return await error_page(request, error)


def _with_methods(request: Request, error: HTTPException) -> HTTPException:
    """A refusal of a method that names all those that the address knows (RFC 9110, 15.5.6).

    Starlette names those of the first route only.
    """
    if error.status_code != HTTPStatus.METHOD_NOT_ALLOWED:
        return error
    routes = [route for router in _ROUTERS for route in router.routes]
    methods = {
        method
        for route in routes
        if isinstance(route, Route) and route.path_regex.match(request.url.path)
        for method in route.methods or ()
    }
    if "GET" in methods:
        methods.add("HEAD")
    return HTTPException(error.status_code, error.detail, {"Allow": ", ".join(sorted(methods))})


def _describe(app: FastAPI) -> None:
    """Add to the OpenAPI document what FastAPI can't know."""
    generate = app.openapi

    @cache
    def openapi() -> dict[str, Any]:
        document = generate()
        components = document.setdefault("components", {})
        schema = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
        components.setdefault("schemas", {}).update(schema.pop("$defs", {}), ProblemDetails=schema)
        components["securitySchemes"] = {"token": _BEARER}
        document["security"] = [{}, {"token": []}]
        return document

    app.openapi = openapi  # type: ignore[method-assign]
