"""Logs, and what was found in them."""

from __future__ import annotations

from pydantic import Field

from pycurrent.store import AnnotationLevel
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
    markers: int = Field(description="It grows when there is more in `/log/markers`.")


class LogGroupModel(Model):
    """Lines that belong together."""

    name: Text
    first: int = Field(description="The number of its heading; the log's first line is 0.")
    end: int | None = Field(description="The first line behind it; null while it has not ended.")
    collapsed: bool = Field(description="Whether it is to be shown folded.")


class LogMarkModel(Model):
    """A line that is an annotation."""

    number: int
    level: AnnotationLevel


class LogMarkersModel(Model):
    """The groups of lines in a log, and the lines that are annotations."""

    groups: list[LogGroupModel]
    lines: list[LogMarkModel]
    changes: int = Field(description="The `markers` of a window of lines is the same.")


class LogMatchModel(Model):
    """A line in which it was found."""

    number: int
    line: LogLineModel


class LogMatchesModel(Model):
    """The result of a search."""

    matches: list[LogMatchModel]
    next: int | None = Field(description="The line to go on from; null at the log's end.")
