"""Keep an output for each file of a folder, as make does: only what has changed is made again.

python examples/make_like.py --sources src --outputs out
"""

from hashlib import sha256
from pathlib import Path

from pycurrent import Current, FileMonitor, Job, Level, component, main, publisher


async def there(results: list[tuple[Path, Path, None]]) -> list[bool]:
    return [target.exists() for _, target, _ in results]


async def remove(job: Job, source: Path, target: Path, outcome: None) -> None:
    target.unlink(missing_ok=True)


@publisher("convert", level=Level.HARMLESS, still_there_many=there, retire=remove, label="convert")
async def convert(job: Job, source: Path, target: Path, *, digest: str) -> None:
    target.write_text(source.read_text().upper())


def pipeline(sources: Path = Path("src"), outputs: Path = Path("out")) -> Current[None]:
    """Keep an output for each source: `sources` and `outputs` are folders."""
    outputs.mkdir(exist_ok=True)

    def read() -> dict[str, str]:
        return {p.name: sha256(p.read_bytes()).hexdigest() for p in sorted(sources.iterdir())}

    def output(found: Current[tuple[str, str]]) -> Current[None]:
        return convert(
            found.map(lambda f: sources / f[0]),
            found.map(lambda f: outputs / f[0]),
            digest=found.map(lambda f: f[1]),
        )

    found = FileMonitor(read=read, paths=lambda: [sources], describe=f"files of {sources}")
    digests = component("sources", found.get).map(lambda found: list(found.items()))
    return digests.list_iter(output, key=lambda found: found[0], label="files")


if __name__ == "__main__":
    main(pipeline)
