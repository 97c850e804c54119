"""Commands in comments on changes: `/rebuild`, `/why`, `/cancel`, `/ok-to-test SHA`.

They are obeyed for people who may write to the repository, as the forge says at that moment, and
answered by a comment, one for all commands of theirs. The answer has a mark with the id of their
comment: what was answered is not obeyed again, whatever is delivered twice, also after a restart.

    noted with its delivery ──► begun, in the commit that has the acts ──► told ──► answered

An engine that is killed in between leaves to the next one what comes then. So nothing is done
twice: what was begun is only answered.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Self

import msgspec
from msgspec.structs import replace

from pycurrent.cache.handle import Handle
from pycurrent.engine import Asker
from pycurrent.engine.deliveries import DueWork
from pycurrent.engine.site_links import SiteLinks
from pycurrent.errors import PycurrentError
from pycurrent.plugins.forge.built import built
from pycurrent.plugins.forge.comment import mark_of
from pycurrent.plugins.forge.links import ForgeLink
from pycurrent.plugins.forge.values import Change, Command, Permission
from pycurrent.term import State

if TYPE_CHECKING:
    from pycurrent.facade import Engine
    from pycurrent.term import Stage

_KNOWN = ("rebuild", "why", "cancel", "ok-to-test")
_FEW = 10
"""How many stages an answer explains."""
_SHORTEST = 7
"""The digits of a commit that `/ok-to-test` takes at least."""
_MOST = 10
"""How many commands of one comment are obeyed."""

_log = logging.getLogger(__name__)


class CommandWork(msgspec.Struct, frozen=True, tag_field="kind", tag="commands"):
    """The commands of one comment that are for us, and how far they were obeyed."""

    commands: tuple[Command, ...]
    is_begun: bool = False
    told: str = ""
    """The answer, once that is known."""

    @classmethod
    def of(cls, commands: Sequence[Command]) -> Self | None:
        """The work that a delivery with commands asks for; None if it asks for none."""
        ours = [command for command in commands if command.words[0] in _KNOWN]
        if len(ours) > _MOST:
            _log.warning("too many commands at once: some of %s are dropped", ours[0].author)
        return cls(tuple(ours[:_MOST])) if ours else None

    @property
    def text(self) -> str:
        """The same as JSON."""
        return msgspec.json.encode(self).decode()


async def obey_commands(link: ForgeLink, engine: Engine, due: DueWork, work: CommandWork) -> None:
    """Obey the commands of a comment, and answer them; unless they were answered. Raises `Failure`:
    of kind INFRA, it is to be called again.
    """
    first = work.commands[0]
    repository = await link.find(first.repository)
    if repository is None:
        return
    refs = await link.api.refs(repository)
    change = next(
        (ref for ref in refs if isinstance(ref, Change) and ref.number == first.number), None
    )
    if change is None:
        return
    mark = mark_of(f"answer to {first.comment}")
    if await link.api.comment(change, mark) is not None:
        return
    if not work.is_begun:
        permission = await link.api.permission(repository, first.author)
        await built(link, repository, engine, lambda: any(True for _ in _stages(change, engine)))
        work = _begun(work, change, permission, Asker(first.author, via=link.api.kind), engine, due)
    told = work.told or "That was done before the engine was started again."
    await link.api.write_comment(change, f"{told}\n\n{mark}", None)


def _begun(
    work: CommandWork,
    change: Change,
    permission: Permission,
    asker: Asker,
    engine: Engine,
    due: DueWork,
) -> CommandWork:
    """Obey, and note that, in one go. Approvals are written at once: so it is noted before."""
    work = replace(work, is_begun=True)
    due.note(work.text)
    answers = []
    for command in work.commands:
        if permission < Permission.WRITE:
            told = f"`/{command.words[0]}` is for people who may write to {change.repository}."
        else:
            told = _obeyed(command, change, engine, asker)
        answers.append(f"> `/{' '.join(command.words)}`\n\n{told}")
    work = replace(work, told="\n\n".join(answers))
    due.note(work.text)
    return work


def _obeyed(command: Command, change: Change, engine: Engine, asker: Asker) -> str:
    try:
        match command.words:
            case ("rebuild", *_):
                return _rebuild(change, engine, asker)
            case ("cancel", *_):
                return _cancel(change, engine, asker)
            case ("ok-to-test", *rest):
                return _approve(change, "".join(rest[:1]), engine, asker)
            case _:
                return _why(change, engine)
    except PycurrentError as error:
        return f"That can't be done: {error}"


def _rebuild(change: Change, engine: Engine, asker: Asker) -> str:
    handles = [
        handle
        for stage, _ in _stages(change, engine)
        if stage.state is State.FAILED and (handle := _handle(stage, engine)) is not None
    ]
    found: dict[str, str] = {}
    for handle in {one.id: one for one in handles}.values():
        op, digest, reason = handle.op, handle.digest, f"/rebuild on {change}"
        run = handle.acts.rebuild(op, digest, job_id=handle.id, by=asker, reason=reason)
        found[handle.description] = handle.id if run is None else run.job.id
    told = _named("is built again", "are built again", found, engine)
    return told or "Nothing here has failed."


def _cancel(change: Change, engine: Engine, asker: Asker) -> str:
    handles = [
        handle
        for stage, _ in _stages(change, engine)
        if (handle := _handle(stage, engine)) is not None and handle.job is not None
    ]
    for handle in {one.id: one for one in handles}.values():
        if (job := handle.job) is not None:
            handle.acts.cancel(job, by=asker, reason=f"/cancel on {change}")
    found = {handle.description: handle.id for handle in handles}
    return _named("is cancelled", "are cancelled", found, engine) or "No job is at work here."


def _approve(change: Change, digits: str, engine: Engine, asker: Asker) -> str:
    if len(digits) < _SHORTEST or not change.hash.startswith(digits.lower()):
        return (
            f"The head is {change.hash}. Look at exactly that commit, and write"
            f" `/ok-to-test {change.hash[:12]}`."
        )
    engine.approve_commit(change.hash, by=asker, reason=f"/ok-to-test on {change}")
    return f"The work of {change.hash} may begin. The next commit waits again."


def _why(change: Change, engine: Engine) -> str:
    paths = [
        path
        for stage, path in _stages(change, engine)
        if stage.state in (State.FAILED, State.WAITING_FOR_CONFIRMATION, State.READY)
    ]
    told = [_explained(path, engine) for path in paths[:_FEW]]
    if len(paths) > _FEW:
        told.append(f"And {len(paths) - _FEW} more.")
    return "\n\n".join(told) or "Nothing here has failed or waits."


def _explained(path: str, engine: Engine) -> str:
    why, links = engine.why(path), engine.service(SiteLinks)
    log = None if why.job is None else links.job(why.job)
    pages = {"Stage": links.stage(path), "Log": log}
    told = [f"[{name}]({address})" for name, address in pages.items() if address is not None]
    return "\n\n".join(filter(None, [f"```text\n{_plain(str(why))}\n```", " · ".join(told)]))


def _plain(text: str) -> str:
    """Text that can't end its block."""
    return text.replace("```", "'''")


def _stages(change: Change, engine: Engine) -> Iterator[tuple[Stage, str]]:
    """The stages that `each_ref` has built for a change. Looks at all stages."""
    wanted = {"repo": change.repository.path, "change": str(change.number)}
    opened = engine.opened
    opened.finish_step()
    for stage in list(opened.live.stages()):
        ref = opened.live.ref(stage)
        if wanted.items() <= dict(ref.labels).items():
            yield stage, str(ref)


def _handle(stage: Stage, engine: Engine) -> Handle | None:
    job_id = stage.status.job_id
    found = None if job_id is None else engine.jobs.get(job_id)
    return found if isinstance(found, Handle) else None


def _named(one: str, many: str, jobs: dict[str, str], engine: Engine) -> str:
    """The list of jobs, which are given by their descriptions; empty if there are none."""
    if not jobs:
        return ""
    links = engine.service(SiteLinks)
    found = sorted(jobs.items())
    lines = [f"- `{_plain(text)}`{_link(links.job(job))}" for text, job in found[:_FEW]]
    if len(found) > _FEW:
        lines.append(f"- and {len(found) - _FEW} more")
    return "\n".join([f"{len(found)} {one if len(found) == 1 else many}:", *lines])


def _link(address: str | None) -> str:
    return "" if address is None else f" ([log]({address}))"
