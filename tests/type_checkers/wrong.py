# pyright: strict, reportUnusedFunction=false
"""What type checkers must refuse: each line that is marked, and no other."""

import pycurrent as current
from pycurrent import (
    Cache,
    Job,
    Level,
    Primitive,
    Schedule,
    Secret,
    builder,
    component,
    inputs,
    publisher,
)
from pycurrent.plugins import command, git, ssh

from .right import count, deploy, join, nothing, now, number, raw, text

# A wrong type.
count(7)  # error
count(number)  # error
count(text, "4")  # error
count(text, text)  # error
count(text, number, deep="yes")  # error
deploy(7, version="1")  # error
deploy("here", version=7)  # error
deploy(number, version=text)  # error
join(text, text)  # error
join(raw, raw)  # error

# A missing argument.
count()  # error
deploy(version="1")  # error
join()  # error
join(text)  # error
join("a")  # error

# A surplus one.
count(text, number, True)  # error
now(text)  # error
nothing(1)  # error
join(text, raw, number, number)  # error
deploy("here", "1")  # error

# An unknown keyword.
count(text, lest=4)  # error
count(txt="text")  # error
deploy("here", versoin="1")  # error
join(text, raw, fourth=4)  # error

# The value that comes back.
count(count(text))  # error
number.map(lambda value: value.upper())  # error
now().map(len)  # error

# Lists of refs.
git.heads(7)  # error
git.heads("/repo", number)  # error
git.heads("/repo", every=5)  # error
git.head_of("/repo", pattern="refs/heads/*")  # error
git.fetch(git.heads("/repo"))  # error

# Functions of several currents.
inputs(text, number).map(lambda a: a)  # error
inputs(text, number).map(lambda a, b: a + b)  # error
inputs(text, 7)  # error


@builder  # error
async def without_id(job: Job, key: str) -> str:
    return key


@builder("plain")  # error
def not_async(job: Job, key: str) -> str:
    return key


@builder("nothing")  # error
async def without_job() -> str:
    return ""


@component("value")  # error
def not_a_primitive(key: str) -> str:
    return key


@builder("late", level="harmless")  # error
async def with_a_text_as_level(job: Job, key: str) -> str:
    return key


@publisher("late", level=Level.HARMLESS, pool=2)  # error
async def with_a_number_as_pool(job: Job, key: str, *, value: str) -> None: ...


@component("fine {key}")
def fine(key: str) -> Primitive[str]:
    return Primitive.constant(key)


current.all({"fine": fine(text), "raw": 7})  # error

commit = git.Local("/repo").head_commit()
git.tree(commit, 7)  # error
git.tree("HEAD", "packages/a")  # error
git.info("HEAD")  # error
command.run(commit, ["true"], secrets={"TOKEN": "secret"})  # error
command.run(commit, ["true"], cache="pip")  # error
command.run(commit, ["true"], schedule="daily")  # error
command.run(commit, ["true"], timout=60)  # error
command.set(commit, ["true"])  # error
ssh.run(ssh.Host("web"), ["true"])  # error
ssh.run(ssh.Host("web"), ["true"], key="a", outputs="x")  # error
Secret("secret")  # error
Cache(7)  # error
Schedule(cron="0 2 * * *")  # error
current.constnat(3)  # error


@builder("newest", level=Level.HARMLESS, lookup="yes")  # error
async def newest(job: Job, name: str) -> str:
    return name


def not_async_either(name: str, outcome: str) -> bool:
    return True


@builder("made", level=Level.HARMLESS, still_there=not_async_either)  # error
async def made(job: Job, name: str) -> str:
    return name
