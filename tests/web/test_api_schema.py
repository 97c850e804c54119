"""The OpenAPI document is true: what it allows is answered as it says, and what it does not is
refused. A fuzzer tries both, on a real server.
"""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import schemathesis
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.specs.openapi.checks import positive_data_acceptance

import pycurrent as current
from pycurrent import Engine
from pycurrent.service import Service
from pycurrent.web.api.routing import query_parameters
from pycurrent.web.app import _ROUTERS as ROUTERS
from pycurrent.web.server import Website
from pycurrent.web.settings import WebSettings

from ..effort import examples
from .api import Tasks
from .sites import running_site

EXAMPLES = 10
"""For each route. The same ones each time."""

STREAMS = ["/api/v1/events", "/api/v1/streams", "/api/v1/jobs/{day}/{name}/log/stream"]
"""They end only with the server: `test_api_streams` is about them."""
NOT_IN_A_SCHEMA = [
    "/api/v1/rules",
    "/api/v1/rules.csv",
    "/api/v1/rules/try",
    "/api/v1/jobs/{day}/{name}/log/search",
    "/api/v1/pauses/pause",
    "/api/v1/pauses/resume",
    "/api/v1/approvals/approve",
    "/api/v1/approvals/withdraw",
    "/api/v1/failures/mute",
    "/api/v1/mutes/set",
    "/api/v1/mutes/remove",
    "/api/v1/timeline",
]
"""No schema can say what a pattern of RE2 is, that one of several things is given, that a time is
to come, or what is approved: there more may be refused than the schema says.
"""

ACCEPTANCE: list[Any] = [positive_data_acceptance]


def document() -> dict[str, Any]:
    async def described() -> dict[str, Any]:
        with TemporaryDirectory() as folder:
            async with (
                Engine(lambda: current.constant(1), state_dir=folder) as engine,
                Website(Service(engine.opened), WebSettings()).open() as app,
            ):
                return app.openapi()

    return asyncio.run(described())


DOCUMENT = document()
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT).exclude(path=STREAMS)


def test_each_route_takes_the_parameters_that_the_document_has() -> None:
    """Those of its query; it refuses all others."""
    routes = {
        (route.path_format, method.lower()): query_parameters(route)
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    described = {
        (path, method): {
            one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"
        }
        for path, operations in DOCUMENT["paths"].items()
        for method, operation in operations.items()
    }
    assert described
    assert {place: routes[place] for place in described} == described


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A site in a thread of its own, with jobs that have failed, succeeded, and still run."""
    found: list[str] = []
    begun, done = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(
        target=loop.run_until_complete,
        args=(serve(tmp_path_factory.mktemp("state"), found, begun, done),),
    )
    thread.start()
    begun.wait(20)
    yield found[0]
    loop.call_soon_threadsafe(done.set)
    thread.join()
    loop.close()


async def serve(
    state_dir: Path, found: list[str], begun: threading.Event, done: asyncio.Event
) -> None:
    tasks = Tasks()
    stages = [tasks.stage(key) for key in ("quick", "bad", "slow")]
    async with running_site(lambda: current.all(stages), state_dir) as site:
        await tasks.begun("slow")
        found.append(site.url)
        begun.set()
        await done.wait()


@SCHEMA.parametrize()
@settings(
    max_examples=examples(EXAMPLES),
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_answers_are_as_the_document_says(case: Case[Any], url: str) -> None:
    """No answer is off its schema, or undocumented; no bug shows; what is wrong is refused."""
    excluded = ACCEPTANCE if case.operation.path in NOT_IN_A_SCHEMA else None
    case.call_and_validate(base_url=url, excluded_checks=excluded)
