"""The pages of the site: HTML, made by the server, that works without a script."""

from pycurrent.web.pages.add import add_pages
from pycurrent.web.pages.errors import error_page
from pycurrent.web.pages.static import add_files

__all__ = ["add_files", "add_pages", "error_page"]
