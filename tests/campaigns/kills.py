"""Kills engines at any moment, starts them again at once, and looks what is left of the promises.

    python tests/campaigns/kills.py --seconds 60 --seed 1 --size 20

or `make campaign SECONDS=60`. A real `pycurrent run` works in a real state directory, on pieces of
work that note when they begin and end (`killed_pipeline.py`); one of them takes ten seconds to end.
Each round something more may go wrong, as drawn from the seed: few open files, a full disk (the
state directory is on a small tmpfs, which needs root), a database that another program has locked,
damaged files (in a copy of the state directory). What must hold:

- no piece of work ever runs twice at once;
- what was recorded stays recorded, and is not made again; no failure is recorded, as no work fails;
- each recorded job has its log;
- at the end all work can be done, and nothing of any engine is left running;
- damaged files are told in words, whatever is damaged.

Prints a table. The exit status is 1 if anything did not hold.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

PIPELINE = Path(__file__).with_name("killed_pipeline.py")
LINGER = 10.0
TROUBLES = ("none", "none", "few files", "full disk", "locked database", "damaged file")
REFUSED = ("full disk", "locked database")
"""With these an engine can't be started."""
SIZE_OF_DISK = "48m"


@dataclass(frozen=True)
class Record:
    """A finished job, as the database has it."""

    key: str
    job_id: str
    ok: bool
    outcome: str
    log: bytes | None
    """None if the log is a file."""


@dataclass
class Campaign:
    """One campaign, and what it has found."""

    folder: Path
    size: int
    queue: int
    random: random.Random
    can_fill: bool
    round: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    known: dict[str, Record] = field(default_factory=dict)
    marks: list[str] = field(default_factory=list)

    @property
    def state(self) -> Path:
        return self.folder / "disk" / "state"

    @property
    def work(self) -> Path:
        return self.folder / "work"

    def violated(self, what: str) -> None:
        self.violations[what] += 1
        say(f"VIOLATION: {what}")

    # Running

    def command(self, state: Path, work: Path, *options: str) -> list[str]:
        return [
            *(sys.executable, "-m", "pycurrent", "run", str(PIPELINE), "--no-web"),
            *("--folder", str(work), "--round", str(self.round), "--size", str(self.size)),
            *(
                "--queue",
                str(self.queue),
                "--linger",
                f"{LINGER:g}",
                "--state-dir",
                str(state),
                *options,
            ),
        ]

    @contextmanager
    def engine(self, *options: str, files: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """One that is killed at the end of the block, with whatever it has running."""

        def limit() -> None:
            if files is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

        self.marks.append(uuid.uuid4().hex)
        with (self.folder / "output").open("wb") as output:
            process = subprocess.Popen(
                self.command(self.state, self.work, *options),
                stdout=output,
                stderr=output,
                env={**os.environ, "CAMPAIGN": self.marks[-1]},
                preexec_fn=limit,  # noqa: PLW1509 - nothing runs beside it
            )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                self.counts["kills"] += 1
            process.wait()

    def kill_once(self) -> None:
        """An engine is started, has some trouble maybe, and is killed."""
        trouble = self.random.choice(TROUBLES)
        if trouble == "full disk" and not self.can_fill:
            trouble = "none"
        self.counts[f"with {trouble}"] += 1
        files = self.random.randint(120, 250) if trouble == "few files" else None
        with self.engine(files=files) as process:
            until = time.monotonic() + self.random.uniform(0.2, 4.0)
            if trouble == "full disk":
                time.sleep(self.random.uniform(0.2, 2))
                self.fill_disk(self.random.uniform(0.2, 1.5))
            elif trouble == "locked database":
                time.sleep(self.random.uniform(0.2, 2))
                self.lock_database(self.random.uniform(0.1, 2))
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, until - time.monotonic()))
                self.ended(process.returncode, trouble)
        if trouble == "damaged file" and self.random.random() < 0.5:
            self.damage()

    def ended(self, status: int, trouble: str = "none") -> None:
        """An engine that nobody has killed: it may refuse to start, and says why."""
        text = (self.folder / "output").read_text(errors="replace")
        last = (text.strip().splitlines() or [""])[-1]
        if trouble in REFUSED and "Traceback" not in text:
            self.counts[f"refused with {trouble}"] += 1
        else:
            self.violated(f"the engine ended by itself with {status}: {last[:200]}")

    def fill_disk(self, seconds: float) -> None:
        filler = self.folder / "disk" / "filler"
        with suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(bytes(1 << 16))
                file.flush()
        time.sleep(seconds)
        filler.unlink(missing_ok=True)

    def lock_database(self, seconds: float) -> None:
        path = self.state / "db" / "pycurrent.db"
        if not path.exists():
            return
        with (
            closing(sqlite3.connect(path, timeout=2, isolation_level=None)) as database,
            suppress(sqlite3.Error),
        ):
            database.execute("BEGIN EXCLUSIVE")
            time.sleep(seconds)
            database.execute("ROLLBACK")

    def damage(self) -> None:
        """A copy of the state directory with a damaged file: it runs, or says in words why not."""
        if not self.state.exists():
            return  # the engine was killed before it had made it
        copy, work = self.folder / "damaged", self.folder / "damaged-work"
        for folder in (copy, work):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.state, copy)
        work.mkdir()
        victims = [file for name in ("db", "job") for file in copy.glob(f"{name}/**/*.*")]
        victims = [file for file in victims if file.is_file()]
        if not victims:
            return
        victim = self.random.choice(victims)
        data = bytearray(victim.read_bytes())
        where = self.random.randrange(len(data) or 1)
        match self.random.choice(("noise", "cut", "gone")):
            case "noise":
                data[where : where + 256] = self.random.randbytes(256)
                victim.write_bytes(data)
            case "cut":
                victim.write_bytes(data[:where])
            case "gone":
                victim.unlink()
        history = [sys.executable, "-m", "pycurrent", "history", "--state-dir", str(copy)]
        for command in (self.command(copy, work, "--once"), history):
            with suppress(subprocess.TimeoutExpired):
                run = subprocess.run(command, capture_output=True, timeout=60, check=False)
                self.counts[f"damaged: status {run.returncode}"] += 1
                if b"Traceback" in run.stderr + run.stdout:
                    said = run.stderr.decode(errors="replace").strip().splitlines()
                    self.violated(f"damaged {victim.suffix}: a traceback: {said[-1][:200]}")
        if (work / "violations").exists():
            self.violated(f"damaged {victim.suffix}: {(work / 'violations').read_text()[:200]}")

    # Looking

    def look(self) -> None:
        """What was recorded must stay so, and nothing else may have been."""
        records = self.records()
        for job_id, record in self.known.items():
            if records.get(job_id) != record:
                self.violated(f"a record was lost or changed: {record} is {records.get(job_id)}")
        by_key = Counter(record.key for record in records.values())
        for record in records.values():
            if record.job_id in self.known:
                continue
            if by_key[record.key] > 1:
                self.violated(f"a known result was made again: {record.key}")
            if not record.ok:
                self.violated(f"a failure was recorded: {record.outcome[:200]}")
            file = self.state / "job" / f"{record.job_id}.log"
            log = file.read_bytes() if file.exists() else record.log or b""
            if b"New job: " not in log or not log.endswith(b": Job succeeded\n"):
                self.violated(f"the log of a job is not whole: {record.job_id}: {log[-200:]!r}")
        self.known = records

    def records(self) -> dict[str, Record]:
        path = self.state / "db" / "pycurrent.db"
        if not path.exists():
            return {}
        with closing(sqlite3.connect(path, timeout=30)) as database:
            if not database.execute("PRAGMA user_version").fetchone()[0]:
                return {}
            rows = database.execute(
                "SELECT key, job_id, ended = 'ok', outcome, log FROM job WHERE outcome IS NOT NULL"
            )
            return {row[1]: Record(row[0], row[1], bool(row[2]), row[3], row[4]) for row in rows}

    def is_done(self) -> bool:
        done = {record.key for record in self.known.values()}
        return sum(key.startswith(f"{self.round}-") for key in done) > self.size + self.queue

    # The whole

    def run(self, seconds: float) -> None:
        self.work.mkdir()
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.violations.total() < 20:
            self.kill_once()
            self.look()
            if self.is_done() or self.random.random() < 0.1:
                self.round += 1
        self.finish()

    def finish(self) -> None:
        """All that is left is done by an engine that nobody kills, and then nothing runs."""
        with self.engine("--once") as process:
            try:
                status = process.wait(180)
            except subprocess.TimeoutExpired:
                self.violated("the last engine does not come to an end")
            else:
                if status:
                    self.ended(status)
        self.look()
        if not self.is_done():
            self.violated("the last engine has not done all its work")
        violations = self.work / "violations"
        for line in violations.read_text().splitlines() if violations.exists() else ():
            self.violated(line)
        deadline = time.monotonic() + 60
        while (left := list(marked(self.marks))) and time.monotonic() < deadline:
            time.sleep(0.1)
        for name in left:
            self.violated(f"a process was left running: {name}")
        journal = (self.work / "journal").read_text().splitlines()
        self.counts["begun"] = sum(line.startswith("begin") for line in journal)
        self.counts["recorded"] = len(self.known)
        logs = (file.read_text(errors="replace") for file in self.state.glob("job/*/*.log"))
        waited = Counter(word for log in logs for word in WAITS if word in log)
        self.counts.update(waited)


WAITS = ("Waiting for the end of job", "Waiting for its turn")


def marked(marks: list[str]) -> Iterator[str]:
    """The command lines of the processes that have one of the marks in their environment."""
    wanted = [mark.encode() for mark in marks]
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            environment = (process / "environ").read_bytes()
            if any(mark in environment for mark in wanted):
                yield (process / "cmdline").read_text().replace("\0", " ")[:80]


@contextmanager
def disk(folder: Path) -> Iterator[bool]:
    """A small file system at the folder, if this user may make one: gives whether it is there."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_OF_DISK}", "campaign", str(folder)]
    mounted = shutil.which("mount") is not None and (
        subprocess.run(mount, capture_output=True, check=False).returncode == 0
    )
    if not mounted:
        say("no small disk can be made (that needs root): a full one is NOT tried")
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def table(counts: Counter[str], violations: Counter[str]) -> str:
    rows = [*sorted(counts.items()), *violations.most_common()]
    return "\n".join(f"{count:8}  {name}" for name, count in rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="how long engines are killed")
    parser.add_argument("--seed", type=int, default=None, help="of what is drawn by lot")
    parser.add_argument("--size", type=int, default=20, help="how many pieces of work in a round")
    parser.add_argument("--queue", type=int, default=0, help="how many more wait in a queue")
    options = parser.parse_args()
    if sys.platform != "linux" or shutil.which("flock") is None:
        say("the campaign needs Linux and flock (util-linux): it does NOT run here")
        return 0
    seed = random.SystemRandom().randrange(1 << 31) if options.seed is None else options.seed
    say(f"seed {seed}, {options.seconds:g} s, {options.size} pieces of work in a round")
    with tempfile.TemporaryDirectory(prefix="campaign-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with disk(folder / "disk") as can_fill:
            campaign = Campaign(folder, options.size, options.queue, random.Random(seed), can_fill)
            campaign.run(options.seconds)
    say(table(campaign.counts, campaign.violations))
    say("all that was promised has held" if not campaign.violations else "NOT all has held")
    return 1 if campaign.violations else 0


if __name__ == "__main__":
    sys.exit(main())
