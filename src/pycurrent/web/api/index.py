"""Where somebody gets who tries the address of the API itself."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import Field

from pycurrent.web.api.models import Model
from pycurrent.web.api.routing import PREFIX, api_router

router = api_router("index")
above = APIRouter(include_in_schema=False)


class IndexModel(Model):
    """List where to read about the API."""

    version: str = Field(description="Of pycurrent.")
    openapi: str = Field(description="Where all of it is described, for programs.")
    documentation: str = Field(description="The same, for people.")


@router.get("")
async def index() -> IndexModel:
    """Where to go on."""
    return IndexModel(
        version=version("pycurrent"), openapi=f"{PREFIX}/openapi.json", documentation="/docs"
    )


# For everybody: it tells nothing of the pipeline.
@above.get(f"{PREFIX}/openapi.json")
async def openapi(request: Request) -> JSONResponse:
    """The description of the API, for programs."""
    return JSONResponse(await described(request.app))


async def described(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document. The first time it takes half a second and more, in a thread."""
    return await asyncio.to_thread(app.openapi)


# For everybody: it tells nothing.
@above.get("/api", response_class=RedirectResponse)
async def latest() -> str:
    """There is only one version."""
    return PREFIX
