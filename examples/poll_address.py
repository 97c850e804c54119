"""A copy of what an address serves, which is kept up to date.

    python examples/poll_address.py --url https://example.org/data.json --file data.json

Nothing tells of a change over there, so the address is asked every so often. As long as its ETag is
the same it sends nothing, and nothing below it runs.
"""

import asyncio
from datetime import timedelta
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from pycurrent import Current, Failure, FailureKind, Level, Monitor, component, main
from pycurrent.plugins import fs


class Address:
    """Asks an address for its text, which is sent only if it is another one."""

    def __init__(self, url: str, every: timedelta) -> None:
        self.url = url
        self._etag: str | None = None
        self._text = ""
        self._monitor = Monitor(read=self.read, every=every, describe=url)

    def get(self) -> Current[str]:
        return component(self.url, self._monitor.get)

    async def read(self) -> str:
        return await asyncio.to_thread(self._ask)  # urllib blocks

    def _ask(self) -> str:
        request = Request(self.url)
        if self._etag is not None:
            request.add_header("If-None-Match", self._etag)
        try:
            with urlopen(request, timeout=30) as response:
                self._text = response.read().decode()
                self._etag = response.headers["ETag"]
        except HTTPError as error:
            if error.code != 304:  # not modified
                raise Failure(f"{self.url}: {error}") from error
        except URLError as error:
            raise Failure(f"{self.url}: {error.reason}", kind=FailureKind.INFRA) from error
        return self._text


def copy(url: str, file: Path = Path("copy"), every: int = 300) -> Current[None]:
    """Keep a copy of what an address serves.

    Args:
        url: the address
        file: where the copy is kept
        every: seconds between two looks at the address
    """
    address = Address(url, timedelta(seconds=every))
    return fs.save(file.absolute(), address.get(), level=Level.HARMLESS)


if __name__ == "__main__":
    main(copy)
