"""Clones without files that share the objects of the repository."""

from __future__ import annotations

import shlex
from pathlib import Path

from pycurrent.plugins.git.environment import GIT
from pycurrent.plugins.git.mirror import Mirror

# The user has named the repository, which is on this machine.
_ITS_OWN = ("-c", "protocol.file.allow=always", "-c", "clone.rejectShallow=false")


def shared_clone(repository: Path, folder: Path) -> str:
    """Return the shell command that makes such a clone in a new folder."""
    mirror = Mirror.around(repository)
    shallow = repository / "shallow"
    if mirror is None or (mirror.depth is None and not shallow.exists()):
        command = [
            "clone",
            "--quiet",
            "--shared",
            "--no-checkout",
            "--template=",
            "--origin=origin",
        ]
        return shlex.join([*GIT, *_ITS_OWN, *command, "--", str(repository), str(folder)])
    # Git does not share the objects of a shallow repository: it would copy them all. A mirror never
    # loses the commits at which its history begins.
    steps = [sharing(repository, folder, mirror.object_format)]
    if shallow.exists():
        steps.append(shlex.join(["cp", str(shallow), str(folder / ".git" / "shallow")]))
    return " && ".join(steps)


def sharing(repository: Path, folder: Path, object_format: str) -> str:
    """Return the shell command that makes an empty repository with the objects of another one."""
    info = folder / ".git" / "objects" / "info"
    init = ["init", "--quiet", "--template=", f"--object-format={object_format}"]
    share = (
        f"echo {shlex.quote(str(repository / 'objects'))} > {shlex.quote(str(info / 'alternates'))}"
    )
    make = [[*GIT, *init, "--", str(folder)], ["mkdir", "-p", str(info)]]
    return " && ".join([*map(shlex.join, make), share])
