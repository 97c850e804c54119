"""Where somebody gets who tries the address of the API itself."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter
from fastapi.responses import RedirectResponse
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


# For everybody: it tells nothing.
@above.get("/api", response_class=RedirectResponse)
async def latest() -> str:
    """There is only one version."""
    return PREFIX
