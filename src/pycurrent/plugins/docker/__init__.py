"""Docker engines and registries: pull, build, run, push and deploy images."""

from pycurrent.plugins.docker.auth import Auth
from pycurrent.plugins.docker.context import DEFAULT, Context
from pycurrent.plugins.docker.image import Image

__all__ = ["DEFAULT", "Auth", "Context", "Image"]
