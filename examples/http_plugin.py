"""A plugin for an HTTP API: it follows a resource by its ETag, and sets another one.

    python examples/http_plugin.py --url https://deploy.example.org/api

The wanted version is at `wanted/NAME`, its status at `status/NAME`, the token in API_TOKEN.
"""

import os
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar

import aiohttp

import pycurrent as current
from pycurrent import Current, Failure, FailureKind, Job, Level, Monitor, Primitive, Publisher


@dataclass(frozen=True)
class Answer:
    status: int = 200
    etag: str = ""
    text: str = ""


@dataclass(frozen=True)
class Api:
    url: str
    token: str = field(repr=False)

    async def ask(self, method: str, path: str, etag: str = "", body: str = "") -> Answer:
        headers = {"Authorization": f"Bearer {self.token}", "If-None-Match": etag}
        asked = aiohttp.request(method, f"{self.url}/{path}", headers=headers, data=body)
        try:
            async with asked as got:
                answer = Answer(got.status, got.headers.get("ETag", ""), await got.text())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Failure(f"{self.url}: {error}", kind=FailureKind.INFRA) from error
        if answer.status >= 400:
            kind = FailureKind.INFRA if answer.status >= 500 else FailureKind.REAL
            raise Failure(f"{method} {path}: status {answer.status}: {answer.text}", kind=kind)
        return answer

    def wanted(self, name: str, every: timedelta = timedelta(minutes=1)) -> Current[str]:
        last = Answer()

        async def read() -> str:
            nonlocal last
            answer = await self.ask("GET", f"wanted/{name}", etag=last.etag)
            last = last if answer.status == 304 else answer
            return last.text

        monitor = Monitor(read=read, every=every, describe=f"wanted {name} at {self.url}")
        return current.component(f"wanted {name}", monitor.get)

    def set_status(self, name: str, status: Current[str]) -> Current[None]:
        @current.component("status of {name}")
        def set_status(name: str, status: str) -> Primitive[None]:
            return SetStatus(self).set(name, status)

        return set_status(name, status)


@dataclass(frozen=True)
class SetStatus(Publisher[str, str, None]):
    id: ClassVar[str] = "set-status"
    limits: ClassVar[current.Limits] = current.Limits(Level.AVERAGE)
    retry: ClassVar[current.Retry] = current.Retry(infra=3)
    api: Api

    async def publish(self, job: Job, key: str, value: str) -> None:
        await self.api.ask("PUT", f"status/{key}", body=value)


def pipeline(url: str = "https://deploy.example.org/api", name: str = "shop") -> Current[None]:
    api = Api(url, os.environ.get("API_TOKEN", ""))
    return api.set_status(name, api.wanted(name).map(lambda version: f"{version} is wanted"))


if __name__ == "__main__":
    current.main(pipeline)
