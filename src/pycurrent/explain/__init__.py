"""Explaining failures: the lines of a log that tell why, the kind, and what fails alike.

The functions here take texts and logs. They know neither an engine nor a database.
"""

from pycurrent.explain.error_lines import (
    ErrorLines,
    Excerpt,
    FoundBy,
    LogLine,
    find_error_lines,
)
from pycurrent.explain.fingerprints import Fingerprint, fingerprint
from pycurrent.explain.kinds import kind_of

__all__ = [
    "ErrorLines",
    "Excerpt",
    "Fingerprint",
    "FoundBy",
    "LogLine",
    "find_error_lines",
    "fingerprint",
    "kind_of",
]
