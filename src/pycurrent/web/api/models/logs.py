"""Logs, and what was found in them."""

from __future__ import annotations

from pydantic import Field

from pycurrent.web.api.models.model import Model, Text


class LogLineModel(Model):
    """A line of a log."""

    text: Text
    cut: int = Field(description="How many bytes of it are left out.")


class LogWindowModel(Model):
    """Some lines of a log."""

    first: int = Field(description="The number of the first one; the log's first is 0.")
    lines: list[LogLineModel]
    style: str = Field(description="Control sequences: the colours that the first one begins in.")
    total: int = Field(description="How many lines there are.")
    complete: int = Field(description="How many of them have ended, and will not change.")
    size: int = Field(description="Of the log, in bytes.")


class LogMatchModel(Model):
    """A line in which it was found."""

    number: int
    line: LogLineModel


class LogMatchesModel(Model):
    """The result of a search."""

    matches: list[LogMatchModel]
    next: int | None = Field(description="The line to go on from; null at the log's end.")
