"""The plugins that are documented: all."""

from pycurrent.plugins import (
    command,
    docker,
    forge,
    forgejo,
    fs,
    git,
    github,
    gitlab,
    login,
    ray,
    slack,
    slurm,
    ssh,
)

PLUGINS = (command, docker, forge, forgejo, fs, git, github, gitlab, login, ray, slack, slurm, ssh)
