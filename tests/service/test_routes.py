"""Routes, as plugins and authors make them."""

import re

import pytest

from pycurrent.errors import UsageError
from pycurrent.service.login import Role
from pycurrent.service.routes import Route, RouteAnswer, RouteRequest


async def answer(request: RouteRequest) -> RouteAnswer:
    return RouteAnswer()


class Shop:
    async def __call__(self, request: RouteRequest) -> RouteAnswer:
        return RouteAnswer()

    async def hook(self, request: RouteRequest) -> RouteAnswer:
        return RouteAnswer()


def test_a_route() -> None:
    """Unless it says otherwise, only admins get to it."""
    route = Route("POST", "/hooks/shop", answer)
    assert (route.role, route.limit) == (Role.ADMIN, 1 << 20)
    assert Route("GET", "/shops/{shop}/x", answer).pattern == "/shops/{}/x"


@pytest.mark.parametrize("handler", [answer, Shop(), Shop().hook])
def test_handlers(handler: object) -> None:
    """Functions, methods and objects will do, if they are async."""
    Route("POST", "/hooks/shop", handler)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "post"}, "the method is one of GET, POST"),
        ({"path": "hooks"}, "expected a path"),
        ({"path": "/hooks/"}, "expected a path"),
        ({"path": "/"}, "expected a path"),
        ({"path": "/a/../b"}, "expected a path"),
        ({"path": "/a b"}, "expected a path"),
        ({"path": "/{x}/{x}"}, "two parts of the path have the same name"),
        ({"handler": lambda request: RouteAnswer()}, "async"),
        ({"handler": None}, "async"),
        ({"limit": 26 << 20}, "from 0 to 26,214,400 bytes, not 27,262,976"),
        ({"seconds": 0}, "more than 0 s"),
    ],
)
def test_a_route_that_can_not_be(changes: dict[str, object], message: str) -> None:
    """It is refused where it is made, by its name."""
    of = {"method": "POST", "path": "/hooks/shop", "handler": answer, **changes}
    with pytest.raises(UsageError, match=re.escape(message)) as raised:
        Route(**of)  # type: ignore[arg-type]
    assert f"the route {of['method']} {of['path']}: " in str(raised.value)


def test_answers() -> None:
    """Texts are UTF-8, and JSON is what `json` writes."""
    assert RouteAnswer.text("ü", 201) == RouteAnswer(
        201, {"Content-Type": "text/plain; charset=utf-8"}, "ü".encode()
    )
    assert RouteAnswer.json({"a": 1}).body == b'{"a": 1}'
    assert RouteAnswer.html("<p>").headers == {"Content-Type": "text/html; charset=utf-8"}
