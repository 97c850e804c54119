"""A forge in a pipeline: its repositories, their refs, and what is done for each of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from types import UnionType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, Unpack

from pycurrent.cache import OfEngine, OfStage, ResultCache, Retry
from pycurrent.engine import Clock, Level
from pycurrent.engine.site_links import SiteLinks
from pycurrent.errors import WrongKind
from pycurrent.plugins.forge.api import ForgeApi
from pycurrent.plugins.forge.comment import CommentKey, ForgeComment, checked_topic
from pycurrent.plugins.forge.inbox import Inbox
from pycurrent.plugins.forge.links import ForgeLink, ForgeLinks
from pycurrent.plugins.forge.selection import RefSelection
from pycurrent.plugins.forge.status import ForgeStatus, StatusKey
from pycurrent.plugins.forge.values import (
    Branch,
    Change,
    MergeGroup,
    Ref,
    Repository,
    Tag,
    commit_id,
)
from pycurrent.plugins.forge.verdicts import status_of
from pycurrent.plugins.git import Commit
from pycurrent.plugins.git.address import RepositoryAddress
from pycurrent.plugins.git.credentials import RepositoryAccess
from pycurrent.plugins.git.fetch import FetchKey, GitFetch
from pycurrent.plugins.git.mirror_work import in_mirror
from pycurrent.plugins.options import Options, limits_of, operation_component, with_options
from pycurrent.service.routes import LARGEST_LIMIT, Route, RouteAnswer, RouteRequest
from pycurrent.term import (
    Current,
    Failure,
    Ok,
    Output,
    Primitive,
    StageRef,
    Trust,
    Trusted,
    Untrusted,
    labels,
    shown,
    untrusted,
)

if TYPE_CHECKING:
    from pycurrent.facade import Engine

T = TypeVar("T")
U = TypeVar("U")

_RETRY = Retry(infra=6, timeout=2)
_REFS = Branch | Tag | Change | MergeGroup


class Forge(ABC):
    """A forge, seen with one identity: GitHub, GitLab, Forgejo.

    It can be made before any engine, and by several engines at once: each has its own connection.
    """

    kind: ClassVar[str]
    """`github`, `gitlab` or `forgejo`."""
    site: str
    """The address of its pages, without a slash at the end."""

    @abstractmethod
    def connect(self, clock: Clock) -> ForgeApi:
        """Make the API that an engine uses. Called in its loop."""

    # Inputs

    def repositories(
        self, where: Callable[[Repository], bool] | None = None, *, label: str | None = None
    ) -> Current[tuple[Repository, ...]]:
        """The repositories that we are let in to, by path; those for which `where` is true.

        The list is read at the start, every ten minutes, and when the forge says that it has
        changed. While the forge can't be reached the last list stays. `label` is the text in the
        diagram.
        """

        def on_values() -> Primitive[tuple[Repository, ...]]:
            found = self._of_engine(lambda link: link.repositories.get())
            return found if where is None else found.map_output(partial(_those, where))

        default = f"repositories of {self.site}"
        return operation_component(label, default, on_values).latch(infra=True)

    def refs(
        self,
        repository: Repository | Current[Repository],
        *,
        branches: str | None = "*",
        tags: str | None = None,
        changes: bool = True,
        label: str | None = None,
    ) -> Current[tuple[Ref, ...]]:
        """The refs of a repository, with their commits: branches, then tags, then open changes.

        `branches` and `tags` are patterns of their names, in which `*` stands for any text; None
        for none of them. `changes` are pull requests, drafts too, and what a merge queue is about
        to merge. They are read as `repositories` are. Raises `UsageError` for a malformed pattern.
        """
        wanted = RefSelection.of(branches, tags, changes=changes)

        def on_values(repository: Repository) -> Primitive[tuple[Ref, ...]]:
            _check(repository, Repository, "forge.refs", "a Repository")
            found = self._of_engine(lambda link: link.refs(repository).get())
            return found.map_output(partial(_those, wanted.has))

        default = "refs of {repository}"
        return operation_component(label, default, on_values, repository).latch(infra=True)

    # For each

    def each_repository(
        self,
        fn: Callable[[Current[Repository]], Current[U]],
        *,
        where: Callable[[Repository], bool] | None = None,
    ) -> Current[list[U]]:
        """Apply a sub-pipeline to each repository. Its stages have the label `repo`."""

        def labelled(repository: Current[Repository]) -> Current[U]:
            with labels(repo=repository.map(str)):
                return fn(repository)

        return self.repositories(where).list_map(labelled, key=str)

    def each_ref(
        self,
        repository: Repository | Current[Repository],
        fn: Callable[[Current[Ref]], Current[U]],
        *,
        branches: str | None = "*",
        tags: str | None = None,
        changes: bool = True,
    ) -> Current[list[U]]:
        """Apply a sub-pipeline to each ref of a repository; a new commit goes through the same one.

        Its stages have the labels `ref` (`main`, `tags/v1`, `pull/7`), `commit`, and of a change
        `change` and `author`. The stages of changes from forks are untrusted (docs/untrusted.md).
        """

        def labelled(ref: Current[Ref]) -> Current[U]:
            about = labels(
                ref=ref.map(_key_of),
                commit=ref.map(_hash_of),
                change=ref.map(_number_of),
                author=ref.map(_author_of),
            )
            with about, untrusted(ref.map(trust_of)):
                return fn(ref)

        refs = self.refs(repository, branches=branches, tags=tags, changes=changes)
        return refs.list_map(labelled, key=_key_of)

    @with_options(level=Level.MOSTLY_HARMLESS)
    def fetch(self, ref: Ref | Current[Ref], **options: Unpack[Options]) -> Current[Commit]:
        """The commit of a ref, fetched as `git.fetch` does, with a token of the forge."""
        limits = limits_of(options)

        def on_values(ref: Ref) -> Primitive[Commit]:
            _check(ref, _REFS, "forge.fetch", "a ref of a repository")
            id = commit_id(ref)

            def work(link: ForgeLink) -> Primitive[Commit]:
                address = RepositoryAddress.of(id.repository)
                access = RepositoryAccess(address, link.token(ref.repository))
                fetching = partial(GitFetch, access=access, limits=limits, seen_on=id.ref)
                key = FetchKey(id.repository, id.hash)
                return in_mirror(fetching, key, id.ref, retry=options["retry"])

            return self._of_engine(work)

        return operation_component(options["label"], "fetch {ref}", on_values, ref)

    # Publishers

    @with_options(level=Level.MOSTLY_HARMLESS, retry=_RETRY)
    def status(
        self,
        ref: Ref | Current[Ref],
        name: str,
        result: Current[Any],
        *,
        url: str | Current[str] | None = None,
        **options: Unpack[Options],
    ) -> Current[None]:
        """Show on the forge, under a name, what a current amounts to: a status of the ref's commit.

        It is pending, running, a success, or a failure with the first line of its message; an
        error, if that is the infrastructure's. `url` is where the forge leads people: by default to
        the page of this stage, if the site has a public address. A status is set once, whatever is
        killed meanwhile. Once the ref is gone from the pipeline, one that is not completed is
        cancelled.
        """
        limits = limits_of(options)

        def on_values(ref: Ref, name: str, url: str | None, output: Output[Any]) -> Primitive[None]:
            _check(ref, _REFS, "forge.status", "a ref of a repository")
            key, value = StatusKey.of(ref, name), status_of(name, url, output)

            def work(link: ForgeLink, page: Callable[[], str | None]) -> Primitive[None]:
                return ForgeStatus(link, limits, page).set(key, value, retry=options["retry"])

            return self._with_page(work)

        output = result.state(hidden=True)
        default = "status {name} of {ref}"
        return operation_component(options["label"], default, on_values, ref, name, url, output)

    @with_options(level=Level.MOSTLY_HARMLESS, retry=_RETRY)
    def comment(
        self,
        ref: Ref | Current[Ref],
        topic: str,
        text: str | Current[str],
        **options: Unpack[Options],
    ) -> Current[str]:
        """Keep one comment for each topic on a change up to date: written once, then edited.

        The text is Markdown; a link to the page of its stage stands below it, if that is known.
        Returns the address of the comment; empty for a ref that is not a change, which gets no
        comment. Raises `UsageError` for a topic that is not a short name.
        """
        limits, topic = limits_of(options), checked_topic(topic)

        def on_values(ref: Ref, topic: str, text: str) -> Primitive[str]:
            _check(ref, _REFS, "forge.comment", "a change")
            if not isinstance(ref, Change):
                return Primitive.constant("")
            key = CommentKey(ref.repository.site, ref.repository.path, ref.number, topic)
            return self._with_page(
                lambda link, page: ForgeComment(link.api, ref, limits, page).set(
                    key, text, retry=options["retry"]
                )
            )

        default = "comment {topic} on {ref}"
        return operation_component(options["label"], default, on_values, ref, topic, text)

    # Deliveries

    def webhook(self, path: str | None = None) -> Route:
        """The route of the site to which the forge sends its webhooks, by default `/hooks/forgejo`,
        say: for `WebSettings(routes=[...])`. Unsigned and forged ones are refused. Repositories
        that were changed are read again at once; commands in comments are obeyed.

        Raises `UsageError` for a malformed path.
        """
        at = f"/hooks/{self.kind}" if path is None else path

        def begin(engine: Engine) -> None:
            engine.service(Inbox).open(self, at, engine)

        async def take(request: RouteRequest) -> RouteAnswer:
            inbox = request.engine.service(Inbox)
            return await inbox.take(self, at, request.headers, request.body, request.engine)

        return Route("POST", at, take, role=None, limit=LARGEST_LIMIT, on_open=begin)

    def _with_page(
        self, make: Callable[[ForgeLink, Callable[[], str | None]], Primitive[T]]
    ) -> Primitive[T]:
        """`make` is given a function, too, that tells the address of the stage's page."""

        def made(cache: ResultCache, stage: StageRef) -> Primitive[T]:
            links, path = cache.engine.service(SiteLinks), str(stage)
            link = cache.engine.service(ForgeLinks).of(self)
            return make(link, lambda: links.stage(path))

        return OfStage(made)

    def _of_engine(self, make: Callable[[ForgeLink], Primitive[T]]) -> Primitive[T]:
        def made(cache: ResultCache, _: Trust) -> Primitive[T]:
            return make(cache.engine.service(ForgeLinks).of(self))

        return OfEngine(made)


def trust_of(ref: Ref) -> Trust:
    """Changes from forks are untrusted; all else is of people who may write to the repository."""
    if not isinstance(ref, Change) or not ref.is_from_fork:
        return Trusted()
    host = ref.repository.site.partition("://")[2]
    # Of a fork that is gone, or hidden, only the change itself is known.
    source = ref.source or f"{ref.repository.path}/pull/{ref.number}"
    return Untrusted(source=f"{host}/{source}", commit=ref.hash)


def _those(where: Callable[[T], bool], output: Output[tuple[T, ...]]) -> Output[tuple[T, ...]]:
    return Ok(tuple(filter(where, output.value))) if isinstance(output, Ok) else output


def _key_of(ref: Ref) -> str:
    return ref.key


def _hash_of(ref: Ref) -> str:
    return ref.hash


def _number_of(ref: Ref) -> str:
    if not isinstance(ref, Change):
        raise Failure("only changes have a number")  # So it has no such label.
    return str(ref.number)


def _author_of(ref: Ref) -> str:
    if not isinstance(ref, Change):
        raise Failure("only changes have an author")
    return ref.author


def _check(value: object, kinds: type | UnionType, where: str, what: str) -> None:
    if not isinstance(value, kinds):
        raise WrongKind(f"{where} takes {what}, not {shown(value)}")
