"""The settings of `docker` for one job: the user's, plus the job's own login.

`docker login` would write the password into the user's settings or keychain. So each job gets a
folder of its own, with links to everything in the user's except the settings themselves. The folder
`manifests` is left out, because `docker manifest` prefers the drafts in it to the registry.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pycurrent.errors import UsageError
from pycurrent.plugins.docker.image import registry_host

SETTINGS = "config.json"
CWD = "pycurrent-cwd"
"""The empty folder in which a job runs `docker`."""
_OWN = frozenset({SETTINGS, "manifests", CWD})


def users_config(folder: Path | None) -> Path:
    """Return the folder of the user's settings, which need not exist."""
    if folder is not None:
        return folder.absolute()
    named = os.environ.get("DOCKER_CONFIG")
    return Path(named).absolute() if named else Path.home() / ".docker"


def make_config(folder: Path, users: Path, *, logins: bool = True) -> None:
    """Fill the folder of a job that uses the user's own settings, and `logins` if it may."""
    if users.is_dir():
        for entry in users.iterdir():
            if entry.name not in _OWN and not os.path.lexists(folder / entry.name):
                (folder / entry.name).symlink_to(entry)
    if (users / SETTINGS).exists():
        settings = _settings(users)
        _write(folder, settings if logins else _without_secrets(settings))


def prepare_login(folder: Path, users: Path, server: str) -> None:
    """Prepare a login that stays in the folder: no helper may store its password."""
    settings = _settings(users)
    store = settings.pop("credsStore", None)
    helpers = dict(settings.get("credHelpers", {}))
    if store is not None:
        # The user's other logins stay available.
        helpers = {**dict.fromkeys(settings.get("auths", {}), store), **helpers}
    # Older versions of docker name a registry by an address with its scheme.
    others = {at: helper for at, helper in helpers.items() if not _is_same(at, server)}
    _write(folder, {**settings, "credHelpers": others})


def _without_secrets(settings: dict[str, Any]) -> dict[str, Any]:
    kept = ("aliases", "builder", "cliPluginsExtraDirs", "currentContext", "plugins")
    return {name: settings[name] for name in kept if name in settings}


def _is_same(address: str, server: str) -> bool:
    try:
        return registry_host(address) == server
    except UsageError:
        return False


def _settings(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / SETTINGS).read_text()))
    except FileNotFoundError:
        return {}


def _write(folder: Path, settings: dict[str, Any]) -> None:
    descriptor = os.open(folder / SETTINGS, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(settings, file)
