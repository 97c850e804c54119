"""The packages of `pycurrent[gitlab]`. Only this module imports them.

If one is missing, importing this plugin raises UsageError; the rest of pycurrent works without.
"""

from pycurrent.errors import UsageError

try:
    import requests
    from gitlab import Gitlab
    from gitlab.exceptions import GitlabError, GitlabParsingError
except ModuleNotFoundError as error:
    package = (error.name or "a package").partition(".")[0]
    raise UsageError(
        f'GitLab needs {package}, which is missing: pip install "pycurrent[gitlab]"'
    ) from error

__all__ = ["Gitlab", "GitlabError", "GitlabParsingError", "requests"]
