"""GitHub's own description of its API, as tests use it."""

from __future__ import annotations

import json
import os
import shutil
from functools import cache
from pathlib import Path

from ...node import require_files
from ..forge.description import Description
from ..forge.judge import Judge

FOLDER = Path(__file__).parent / "npm" / "openapi"
_FILES = ("generated/api.github.com.json", "generated/ghes-3.17.json")
"""That of GitHub itself, and of the oldest Enterprise Server that is described."""
_MAY_BE_NULL = (("pull-request-simple", "head", "repo"),)
"""Fields that GitHub leaves out where its description says that they are there: a fork that was
deleted.
"""


def judge() -> Judge:
    """Knows each path under /api/v3. Without npm everything is right, but not in CI."""
    if shutil.which("npm") is None and not os.environ.get("CI"):
        return Judge()
    files = require_files(FOLDER, "@octokit/openapi", _FILES)
    return Judge("/api/v3", *(_corrected(file) for file in files))


@cache
def _corrected(file: Path) -> Description:
    """What a file describes, read once."""
    document = json.loads(file.read_bytes())
    for schema, *fields in _MAY_BE_NULL:
        told = document["components"]["schemas"][schema]
        for field in fields[:-1]:
            told = told["properties"][field]
        last = fields[-1]
        told["properties"][last] = {"nullable": True, "allOf": [told["properties"][last]]}
    return Description(document, file.stem)
