"""Errors of reading reports."""


class ReportError(Exception):
    """A report can't be read; the message completes "can't be read:"."""


class OtherReport(ReportError):
    """The file is well-formed, but not a report of this kind; the message completes "it is"."""
