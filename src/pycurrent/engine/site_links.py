"""Addresses of the site's pages, for what is shown elsewhere: statuses, checks, messages.

The engine knows of no site: the site that serves it says at which public address people reach it.
"""

from __future__ import annotations

from urllib.parse import quote, urlencode


def stage_url(path: str) -> str:
    """The page of the stage with this path, on its site."""
    return f"/stage?{urlencode({'path': path}, errors='replace', quote_via=quote)}"


def item_url(path: str) -> str:
    """The page of all stages below a path, on its site."""
    return f"/items?{urlencode({'path': path}, errors='replace', quote_via=quote)}"


def label_url(name: str, value: str) -> str:
    """The page of all stages with a value of a label, on its site."""
    query = {"label": name, "value": value}
    return f"/items?{urlencode(query, errors='replace', quote_via=quote)}"


def job_url(job_id: str, *, line: int | None = None) -> str:
    """The page of a job, on its site; at a line of its log, from 1."""
    return f"/job/{quote(job_id, safe='/')}{'' if line is None else f'#L{line}'}"


class SiteLinks:
    """The public addresses of an engine's pages: a service of it. Ask when you show one, and not
    before: the site may begin after the first step. All are None as long as nobody has said where
    people reach the site.
    """

    def __init__(self, engine: object) -> None:
        self.public_url: str | None = None
        """`https://ci.example.org`, without a slash at its end."""

    def stage(self, path: str) -> str | None:
        """The address of a stage's page."""
        return self._at(stage_url(path))

    def job(self, job_id: str, *, line: int | None = None) -> str | None:
        """The address of a job's page, at a line of its log."""
        return self._at(job_url(job_id, line=line))

    def _at(self, page: str) -> str | None:
        return None if self.public_url is None else f"{self.public_url}{page}"
