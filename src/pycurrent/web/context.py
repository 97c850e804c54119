"""The service, the settings and the user, as parameters of routes."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import Depends, Request

from pycurrent.engine import Asker
from pycurrent.service import Service
from pycurrent.web.auth import access_of, caller_of
from pycurrent.web.settings import WebSettings
from pycurrent.web.state_key import StateKey

SERVICE = StateKey[Service]("service")
SETTINGS = StateKey[WebSettings]("settings")


async def _service(request: Request) -> Service:
    service = SERVICE.get(request.app.state)
    # Readers of the stages would have to finish an unfinished step in one go.
    await service.engine.between_steps()
    return service


async def _settings(request: Request) -> WebSettings:
    return SETTINGS.get(request.app.state)


async def _asker(request: Request) -> Asker:
    return access_of(request).asker(request, caller_of(request))


ServiceOf: TypeAlias = Annotated[Service, Depends(_service)]
SettingsOf: TypeAlias = Annotated[WebSettings, Depends(_settings)]
AskerOf: TypeAlias = Annotated[Asker, Depends(_asker)]
"""The sender of the request, as the logs of jobs and the audit have it."""
