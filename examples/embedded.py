"""Engine, site and own code in one program: a shop sends its prices, which are checked.

SHOP_SECRET=... python examples/embedded.py [PORT]
"""

import asyncio
import hmac
import os
import sys

from prometheus_client import CollectorRegistry, Counter

from pycurrent import Engine, Job, Level, LogRule, Ok, Site, Var, builder
from pycurrent.web import AuthorPage, Route, RouteAnswer, RouteRequest, Visit, WebSettings

price, registry = Var("price", 5), CollectorRegistry()
sent = Counter("shop_prices", "Prices that the shop has sent.", registry=registry)


@builder("check", level=Level.HARMLESS)
async def check(job: Job, price: int) -> int:
    await job.exec(["sh", "-c", f"echo price: {price}; test {price} -gt 0"])
    return price


async def priced(request: RouteRequest) -> RouteAnswer:
    signature = hmac.digest(os.environb[b"SHOP_SECRET"], request.body, "sha256").hex()
    if not hmac.compare_digest(signature.encode(), (request.header("X-Sign") or "").encode()):
        return RouteAnswer.text("the signature is wrong", 403)
    price.set(int(request.body))
    sent.inc()
    return RouteAnswer.text("noted", 202)


def page(visit: Visit) -> str:
    shown = price.output.value if isinstance(price.output, Ok) else "not known"
    return f"The price is {shown}; {visit.engine.steps} steps were taken."


async def serve(port: int = 8080) -> None:
    route = Route("POST", "/hooks/price", priced, role=None)
    pages = (AuthorPage("price", "Price", page),)
    settings = WebSettings(port=port, routes=[route], pages=pages, metrics=registry)
    checked = check(price.get())
    async with Engine(lambda: checked, state_dir="shop") as engine, Site(engine, settings) as site:
        engine.log_rules.add(LogRule(r"price: (0|-.*)", r"nothing costs \1", score=1))
        engine.observe(checked, lambda output: print("checked:", output, flush=True))
        print("serving", site.way_in, flush=True)
        await engine.failed()


if __name__ == "__main__":
    asyncio.run(serve(*map(int, sys.argv[1:])))
