"""The stages that show checks: what `github.App.check` builds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from pycurrent.cache import OfStage, ResultCache
from pycurrent.engine.job_details import DetailsReader
from pycurrent.engine.site_links import SiteLinks
from pycurrent.errors import WrongKind
from pycurrent.plugins.forge.links import Connects, ForgeLink, ForgeLinks
from pycurrent.plugins.forge.status import StatusKey
from pycurrent.plugins.forge.values import Branch, Change, MergeGroup, Ref, Tag
from pycurrent.plugins.github.api import api_at
from pycurrent.plugins.github.check import GithubCheck
from pycurrent.plugins.github.check_api import CheckApi
from pycurrent.plugins.github.check_values import MOST_STAGES, CheckPart, ShownCheck
from pycurrent.plugins.github.orphans import OrphanedChecks
from pycurrent.plugins.options import Options, limits_of, operation_component
from pycurrent.term import (
    Current,
    FailedStages,
    Metadata,
    Ok,
    Output,
    Primitive,
    StageRef,
    failed_stages,
    metadata,
    seq,
    shown,
)
from pycurrent.term import (
    map as map_currents,
)

_REFS = Branch | Tag | Change | MergeGroup
_Told: TypeAlias = tuple[Output[Any], Metadata | None, FailedStages]


@dataclass(frozen=True, slots=True)
class CheckStages:
    """Builds the stages of one call."""

    app: Connects
    ref: Ref | Current[Ref]
    url: str | Current[str] | None
    options: Options

    def one(
        self, name: str | Current[str], result: Current[Any], *, only_failed: bool = False
    ) -> Current[None]:
        """A check of one current; with `only_failed` only once it has failed for the commit."""

        def on_values(ref: Ref, name: str, url: str | None, told: _Told) -> Primitive[None]:
            part = CheckPart.of(name, *told)
            return self._show(ref, name, ShownCheck((part,), url=url), only_failed=only_failed)

        return operation_component(
            self.options["label"],
            "check {name} of {ref}",
            on_values,
            self.ref,
            name,
            self.url,
            _told(result),
        )

    def summary(self, name: str, results: Mapping[str, Current[Any]]) -> Current[None]:
        """A check that tells of all of them."""
        names = [str(key) for key in results]

        def on_values(ref: Ref, name: str, url: str | None, told: list[_Told]) -> Primitive[None]:
            parts = tuple(CheckPart.of(key, *of) for key, of in zip(names, told, strict=True))
            return self._show(ref, name, ShownCheck(parts, is_summary=True, url=url))

        told = seq([_told(result) for result in results.values()])
        label = self.options["label"]
        return operation_component(
            label, "check {name} of {ref}", on_values, self.ref, name, self.url, told
        )

    def _show(
        self, ref: Ref, name: str, value: ShownCheck, *, only_failed: bool = False
    ) -> Primitive[None]:
        if not isinstance(ref, _REFS):
            raise WrongKind(f"github.App.check takes a ref of a repository, not {shown(ref)}")
        key = StatusKey.of(ref, name)

        def made(cache: ResultCache, stage: StageRef) -> Primitive[None]:
            engine = cache.engine
            link = engine.service(ForgeLinks).of(self.app)
            checks_at = partial(_checks_at, link)
            engine.service(OrphanedChecks).watch(link, checks_at(self.app.site), GithubCheck.id)
            links, details = engine.service(SiteLinks), engine.service(DetailsReader)
            work = GithubCheck(checks_at, limits_of(self.options), str(stage), links, details)
            if only_failed and not value.failed and not cache.has_run(work, key, stage.trust):
                return Primitive.constant(None)
            return work.set(key, value, retry=self.options["retry"]).map_output(_without_id)

        return OfStage(made)


def _checks_at(link: ForgeLink, site: str) -> CheckApi:
    return api_at(link, site).checks


def _told(result: Current[Any]) -> Current[_Told]:
    """The output of a current, what is known of the job behind it, and of others that failed it."""
    return map_currents(
        _together,
        result.state(hidden=True),
        metadata(result),
        failed_stages(result, MOST_STAGES),
    )


def _together(output: Output[Any], found: Metadata | None, failed: FailedStages) -> _Told:
    return output, found, failed


def _without_id(output: Output[int]) -> Output[None]:
    return Ok(None) if isinstance(output, Ok) else output
