"""The service, the settings and the user, as parameters of routes."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import Depends, Request

from pycurrent.service import Service
from pycurrent.web.auth import CurrentUser
from pycurrent.web.settings import WebSettings
from pycurrent.web.state_key import StateKey

SERVICE = StateKey[Service]("service")
SETTINGS = StateKey[WebSettings]("settings")


async def _service(request: Request) -> Service:
    return SERVICE.get(request.app.state)


async def _settings(request: Request) -> WebSettings:
    return SETTINGS.get(request.app.state)


async def _asker(user: CurrentUser) -> str:
    return "somebody at the dashboard" if user is None else user.name


ServiceOf: TypeAlias = Annotated[Service, Depends(_service)]
SettingsOf: TypeAlias = Annotated[WebSettings, Depends(_settings)]
Asker: TypeAlias = Annotated[str, Depends(_asker)]
"""The name of the user, as the logs of jobs have it."""
