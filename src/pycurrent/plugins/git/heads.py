"""The refs of a repository, as inputs: all branches, all tags, or the head of one ref."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TypeVar

from pycurrent.cache import OfEngine, ResultCache
from pycurrent.engine.arguments import check_watching
from pycurrent.errors import UsageError, WrongKind
from pycurrent.plugins.git.address import RepositoryAddress
from pycurrent.plugins.git.commit import Commit, CommitId, checked_ref
from pycurrent.plugins.git.credentials import RepositoryAccess, SshKey, Token, token_of
from pycurrent.plugins.git.listing import Listing, Listings, LocalListing, RemoteListing
from pycurrent.plugins.git.local import Local, commit_monitor
from pycurrent.plugins.git.refs import RefOrder, RefPattern, Refs
from pycurrent.plugins.options import operation_component
from pycurrent.term import Current, Failed, Ok, Output, Primitive, Trust, shown

EVERY = timedelta(minutes=1)
"""How often a remote repository is asked, by default."""

T = TypeVar("T")
ListingOf = Callable[[str | Local, str], Listing]


def heads(
    repository: str | Local | Current[str],
    pattern: str | Current[str] = "refs/heads/*",
    *,
    every: timedelta | None = None,
    token: Token | str | None = None,
    ssh_key: SshKey | None = None,
    label: str | None = None,
) -> Current[tuple[CommitId, ...]]:
    """All refs of a repository that match a pattern, with their commits, in the order of names.

    Names are full ones, and `*` in the pattern stands for any text, slashes too: by default, these
    are all branches. Give them to `list_map` with `key=lambda head: head.ref`, and each ref has a
    sub-pipeline of its own.

    A remote repository is asked `every` so often, by default each minute, by one `git ls-remote`:
    nothing is fetched, no job runs, and nothing is recorded unless a ref has changed. While the
    repository can't be reached the last list stays. A `Local` repository is watched instead.
    `token` and `ssh_key` are as with `fetch`, and `label` is the text in the diagram.
    """
    listing = _checked("git.heads", RefOrder.NAMES, repository, pattern, every, token, ssh_key)
    default = "{pattern} of {repository}"
    return _list_component(label, default, listing, repository, pattern)


def tags(
    repository: str | Local | Current[str],
    pattern: str | Current[str] = "refs/tags/*",
    *,
    every: timedelta | None = None,
    token: Token | str | None = None,
    ssh_key: SshKey | None = None,
    label: str | None = None,
) -> Current[tuple[CommitId, ...]]:
    """The tags of a repository that match a pattern, the newest version first.

    A version is what follows the first digit of a name: `v1.10` is newer than `v1.9`, and `v1.0`
    is newer than `v1.0-rc1` and `v1.0b2`. Tags without a digit come last. An annotated tag has the
    hash of its commit. All else is as with `heads`.
    """
    listing = _checked("git.tags", RefOrder.VERSIONS, repository, pattern, every, token, ssh_key)
    default = "{pattern} of {repository}, by version"
    return _list_component(label, default, listing, repository, pattern)


def head_of(
    repository: str | Local | Current[str],
    ref: str | Current[str] = "HEAD",
    *,
    every: timedelta | None = None,
    token: Token | str | None = None,
    ssh_key: SshKey | None = None,
    label: str | None = None,
) -> Current[CommitId]:
    """The commit that a ref leads to, by its full name; HEAD is the main branch.

    It fails as long as the repository does not have the ref. All else is as with `heads`.
    """
    listing = _checked("git.head_of", RefOrder.NAMES, repository, ref, every, token, ssh_key)

    def on_values(repository: str | Local, ref: str) -> Primitive[CommitId]:
        if isinstance(repository, Local):
            input = commit_monitor(repository, checked_ref(ref))
            return input.get().map_output(partial(_known_as, str(repository.path), ref))
        found = _followed(listing(repository, ref))
        return found.map_output(partial(_only, repository, ref))

    default = "{ref} of {repository}"
    return operation_component(label, default, on_values, repository, ref).latch(infra=True)


def _list_component(
    label: str | None,
    default: str,
    listing: ListingOf,
    repository: str | Local | Current[str],
    pattern: str | Current[str],
) -> Current[Refs]:
    def on_values(repository: str | Local, pattern: str) -> Primitive[Refs]:
        return _followed(listing(repository, pattern))

    return operation_component(label, default, on_values, repository, pattern).latch(infra=True)


def _followed(listing: Listing) -> Primitive[Refs]:
    def of_engine(cache: ResultCache, trust: Trust) -> Primitive[Refs]:
        return cache.engine.service(Listings).monitor(listing).get()

    return OfEngine(of_engine)


def _checked(
    where: str,
    order: RefOrder,
    repository: str | Local | Current[str],
    pattern: str | Current[str],
    every: timedelta | None,
    token: Token | str | None,
    ssh_key: SshKey | None,
) -> ListingOf:
    """Return the function that makes the list of such values. Raises UsageError for mistakes in
    those that are known now.
    """
    _check_given(where, repository, pattern)
    known_token = token_of(token)
    if every is not None:
        check_watching(where, None, every)
    if isinstance(repository, Local) and (every, token, ssh_key) != (None, None, None):
        raise UsageError(
            f"{where}: a git.Local is watched, and read as files: leave out every=, token= and"
            f" ssh_key=, or give its path as an address: {where}({str(repository.path)!r}, ...)"
        )

    def listing(repository: str | Local, pattern: str) -> Listing:
        if where == "git.head_of":
            checked_ref(pattern)
        elif pattern == "HEAD":
            raise UsageError(f"{where} lists refs, which HEAD is not: write git.head_of(...)")
        if isinstance(repository, Local):
            return LocalListing(repository.path, RefPattern(pattern), order)
        access = RepositoryAccess(RepositoryAddress.of(repository), known_token, ssh_key)
        return RemoteListing(access, RefPattern(pattern), order, every or EVERY)

    if not isinstance(repository, Current) and not isinstance(pattern, Current):
        listing(repository, pattern)
    return listing


def _check_given(where: str, repository: object, pattern: object) -> None:
    if not isinstance(repository, str | Local | Current):
        raise WrongKind(
            f"{where} takes the address of a repository, or git.Local(path), not"
            f' {shown(repository)}: write {where}("https://git.example.org/team/shop.git")'
        )
    if not isinstance(pattern, str | Current):
        what = "the name of a ref" if where == "git.head_of" else "a pattern of refs"
        raise WrongKind(
            f"{where} takes {what} as a text, not {shown(pattern)}: write one like refs/heads/main"
        )


def _known_as(repository: str, ref: str, output: Output[Commit]) -> Output[CommitId]:
    """A commit of a repository on this machine, as others know it."""
    return Ok(CommitId(repository, ref, output.value.hash)) if isinstance(output, Ok) else output


def _only(repository: str, ref: str, output: Output[Refs]) -> Output[CommitId]:
    if not isinstance(output, Ok):
        return output
    for found in output.value:
        return Ok(found)
    return Failed(f"{repository} has no ref {ref}")
