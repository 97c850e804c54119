"""Judges what is asked of a fake, and what it answers, by descriptions of what it stands for."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from .description import Description, Operation


class Judge:
    """Collects what is wrong below a path, until the end. What any of the descriptions calls wrong
    is. Without one, only handlers that fail are.
    """

    def __init__(self, prefix: str = "", *descriptions: Description) -> None:
        self._prefix = prefix
        self._descriptions = descriptions
        self.wrong: list[str] = []

    @property
    def knows_something(self) -> bool:
        """True if there is a description."""
        return bool(self._descriptions)

    def end(self) -> None:
        """Raise what was wrong, once."""
        wrong, self.wrong = self.wrong, []
        assert not wrong, "\n".join(dict.fromkeys(wrong))

    @web.middleware
    async def middle(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """The innermost one: only what the fake itself answers is judged."""
        here = self._operations(request)
        body = await request.read()
        values = list(request.match_info.values())
        for description, operation in here:
            for fault in operation.faults(values, request.query, body):
                self._add(request, fault, description)
        try:
            answer: web.StreamResponse = await handler(request)
        except web.HTTPException as error:
            self._judge_answer(request, error, here)
            raise
        except Exception as error:
            self._add(request, f"{type(error).__name__} in the fake: {error}")
            raise
        self._judge_answer(request, answer, here)
        return answer

    def _operations(self, request: web.Request) -> list[tuple[Description, Operation]]:
        """Of each description. One that does not have it is wrong."""
        resource = request.match_info.route.resource
        template = request.path if resource is None else resource.canonical
        found = list[tuple[Description, Operation]]()
        if not request.path.startswith(f"{self._prefix}/"):
            return found
        for description in self._descriptions:
            operation = description.operation(request.method, template.removeprefix(self._prefix))
            if operation is None:
                self._add(request, "there is no such path and method", description)
            else:
                found.append((description, operation))
        return found

    def _judge_answer(
        self, request: web.Request, answer: Any, here: list[tuple[Description, Operation]]
    ) -> None:
        for description, operation in here:
            if answer.body:
                whole = operation.whole(answer.status, json.loads(answer.body))
                answer.body = json.dumps(whole).encode()
            for fault in operation.answer_faults(answer.status, answer.body or b""):
                self._add(request, f"answer {answer.status}: {fault}", description)

    def _add(self, request: web.Request, fault: str, by: Description | None = None) -> None:
        source = "" if by is None else f" ({by.name})"
        self.wrong.append(f"{request.method} {request.path_qs}: {fault}{source}")
