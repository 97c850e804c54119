"""Kills and upgrades an engine whose durable jobs run all the time, and looks whether each went on.

    python tests/campaigns/durable_kills.py --jobs 50 --kills 200 --upgrades 20 --seed 1 [--at ssh]

or `make campaign-durable`. A real `pycurrent run` works on jobs that print lines with numbers all
the time, by one command after the other, with processes in sessions of their own
(`durable_pipeline.py`). At moments drawn from the seed it is killed, during its start too, or told
to upgrade; and it is killed during some upgrades. What must hold:

- no job is run again, and no command twice; each comes to its end, with its own result;
- the logs have each line that was printed, once, in order, and nothing else;
- when all has ended, and when a last engine was killed and the lease is over, no process is left.

Prints a table. The exit status is 1 if anything did not hold.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.campaigns.kills import marked, say, table
from tests.plugins.sshd import Sshd, new_key

from pycurrent.store.lock import Holder

PIPELINE = Path(__file__).with_name("durable_pipeline.py")
LAST_LEASE = 5.0
"""Seconds, of the engine that is killed at the very end."""
_LINE = re.compile(rb"(\S+ \d+ \w+) (end|(\d+) (x*))")
_MOST = 20
"""So many violations are enough."""
_LONGEST = 120.0
"""Seconds that anything of an engine may take."""


class Campaign:
    """One campaign, and what it has found."""

    def __init__(self, folder: Path, options: argparse.Namespace, chance: random.Random) -> None:
        self.folder = folder
        self.options = options
        self.random = chance
        self.at = ""
        self.mark = uuid.uuid4().hex
        self.counts: Counter[str] = Counter()
        self.violations: Counter[str] = Counter()
        self._process: subprocess.Popen[bytes] | None = None
        self._upgrade: subprocess.Popen[bytes] | None = None
        self.work.mkdir()

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def output(self) -> Path:
        return self.folder / "output"

    def violated(self, what: str) -> None:
        self.violations[what] += 1
        if self.violations.total() <= _MOST:
            say(f"VIOLATION: {what}")

    # The engine

    def _pycurrent(self, *words: str) -> subprocess.Popen[bytes]:
        with self.output.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "pycurrent", *words, "--state-dir", str(self.state)],
                stdout=output,
                stderr=output,
                env={**os.environ, "CAMPAIGN": self.mark},
            )

    def start(self, *options: str, round: int = 0, lease: float = 600.0) -> None:
        """Start an engine, if none is there."""
        process = self._process
        if process is not None and process.poll() is None:
            return
        if process is not None:
            self.violated(f"an engine ended by itself: {process.returncode}: {self.last_line()}")
        self.counts["engines"] += 1
        given = self.options
        self._process = self._pycurrent(
            *("run", str(PIPELINE), "--no-web", "--lease", f"{lease:g}s", "--jobs", "1000"),
            *("--folder", str(self.work), "--round", f"{round}", "--size"),
            *(f"{given.jobs}", "--seconds", f"{given.seconds:g}", "--burst", f"{given.burst}"),
            *(f"--at={self.at}", *options),
        )

    def last_line(self) -> str:
        return (self.output.read_text(errors="replace").strip().splitlines() or [""])[-1][:300]

    def kill(self) -> None:
        """Kill the engine, if there is one."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self.counts["kills"] += 1
        self._await_upgrade(was_killed=True)

    def kill_once(self) -> None:
        self.start()
        time.sleep(self.random.uniform(0, self.options.pause))
        self.kill()

    def upgrade_once(self) -> None:
        """Have the program start again; the next event may come before it has."""
        self._await_upgrade()
        self.start()
        self.until_at_work()
        time.sleep(self.random.uniform(0, self.options.pause))
        self.counts["upgrades"] += 1
        self._upgrade = self._pycurrent("upgrade")
        if self.random.random() < 0.7:
            self._await_upgrade()

    def _await_upgrade(self, *, was_killed: bool = False) -> None:
        upgrade, self._upgrade = self._upgrade, None
        if upgrade is None:
            return
        if was_killed:
            self.counts["kills during an upgrade"] += 1
        try:
            status = upgrade.wait(_LONGEST)
        except subprocess.TimeoutExpired:
            upgrade.kill()
            self.violated("an upgrade does not come to an end")
        else:
            if status and not was_killed:
                self.violated(f"an upgrade has failed: {self.last_line()}")

    def until_at_work(self) -> None:
        """Wait until the engine has its state directory."""
        process = self._process
        assert process is not None
        deadline = time.monotonic() + _LONGEST
        while process.poll() is None and time.monotonic() < deadline:
            with suppress(OSError):
                holder = Holder.told_by(self.state)
                if holder is not None and holder.pid == process.pid:
                    return
            time.sleep(0.02)
        self.violated(f"an engine does not get to work: {self.last_line()}")

    # The whole

    def run(self) -> None:
        self.begin()
        events = ["kill"] * self.options.kills + ["upgrade"] * self.options.upgrades
        self.random.shuffle(events)
        for event in events:
            if self.violations.total() >= _MOST:
                break
            if event == "kill":
                self.kill_once()
            else:
                self.upgrade_once()
        self._await_upgrade()
        self.finish()
        self.look()
        self.end_of_lease()

    def begin(self, *, round: int = 0, lease: float = 600.0) -> None:
        """Have all jobs run."""
        self.start(round=round, lease=lease)
        self._until(lambda: len(self.running(round)) == self.options.jobs, "all jobs to run")

    def running(self, round: int) -> set[str]:
        with suppress(FileNotFoundError):
            begun = (self.work / "begun").read_text().splitlines()
            return {line.split()[0] for line in begun if line.startswith(f"{round}-")}
        return set()

    def finish(self) -> None:
        """All jobs come to their ends, under an engine that nobody kills."""
        self.kill()
        (self.work / "end").touch()
        self.start("--once")
        assert self._process is not None
        try:
            status = self._process.wait(_LONGEST)
        except subprocess.TimeoutExpired:
            self.violated("the last engine does not come to an end")
            self.kill()
        else:
            if status:
                self.violated(f"the last engine has ended with {status}: {self.last_line()}")
        self._process = None
        self.none_is_left("the end of all jobs")

    def end_of_lease(self) -> None:
        """An engine is killed, and no other one comes."""
        (self.work / "end").unlink()
        self.begin(round=1, lease=LAST_LEASE)
        self.kill()
        self.counts["processes at the last kill"] = len(list(marked([self.mark])))
        time.sleep(LAST_LEASE)
        self.none_is_left("the end of the lease")

    def none_is_left(self, when: str) -> None:
        """No process of any engine is left."""
        deadline = time.monotonic() + 30
        while (left := list(marked([self.mark]))) and time.monotonic() < deadline:
            time.sleep(0.1)
        for name in left:
            self.violated(f"a process was left running after {when}: {name}")

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _LONGEST
        while not condition():
            if time.monotonic() > deadline:
                self.violated(f"waited in vain for {what}: {self.last_line()}")
                return
            time.sleep(0.05)

    # Looking

    def look(self) -> None:
        """All jobs have ended: what stands in the records and in the logs."""
        violations = self.work / "violations"
        for line in violations.read_text().splitlines() if violations.exists() else ():
            self.violated(line)
        begun = Counter((self.work / "begun").read_text().splitlines())
        self.counts["commands with lines"] = len(begun)
        for command, times in begun.items():
            if times > 1:
                self.violated(f"a command was run {times} times: {command}")
        wrote = dict(line.rsplit(" ", 1) for line in (self.work / "wrote").read_text().splitlines())
        self.counts["lines"] = sum(map(int, wrote.values()))
        jobs = self.jobs()
        if len(jobs) != self.options.jobs:
            self.violated(f"{len(jobs)} jobs are recorded: some were run again")
        found: dict[str, str] = {}
        for key, job_id, ended in jobs:
            if ended != "ok":
                self.violated(f"job {key} has ended otherwise: {ended}")
            found |= self.lines_of(key, self.state / "job" / f"{job_id}.log")
        for command in wrote.keys() | found.keys():
            if wrote.get(command) != found.get(command):
                said = f"{wrote.get(command)} printed, {found.get(command)} in the log"
                self.violated(f"lines of {command}: {said}")
        if left := list((self.state / "run").glob("*/*")):
            self.violated(f"run folders are left: {left[0]} and {len(left) - 1} more")

    def jobs(self) -> list[tuple[str, str, str]]:
        path = self.state / "db" / "pycurrent.db"
        with closing(sqlite3.connect(path, timeout=30)) as database:
            return database.execute("SELECT key, job_id, ended FROM job").fetchall()

    def lines_of(self, key: str, log: Path) -> dict[str, str]:
        """How many lines of each process of a job are in its log, in order and once."""
        counts: Counter[str] = Counter()
        ended: dict[str, str] = {}
        self.counts["bytes in logs"] += log.stat().st_size
        for line in log.read_bytes().split(b"\n"):
            if not line or line.startswith(b"20"):  # the engine's own
                continue
            said = _LINE.fullmatch(line)
            who = said[1].decode() if said else ""
            number = counts[who]
            if said is None or who in ended:
                self.violated(f"the log of {key} has a line that nobody printed: {line[:200]!r}")
            elif said[2] == b"end":
                ended[who] = f"{number}"
            elif int(said[3]) == number and len(said[4]) == number % 50:
                counts[who] += 1
            else:
                self.violated(f"the log of {key} has, in place of {number}: {line[:200]!r}")
                counts[who] = int(said[3]) + 1
        return ended


@contextmanager
def host(folder: Path, mark: str, sessions: int) -> Iterator[str]:
    """A host by ssh, which is this machine; its processes have the mark."""
    (folder / "home").mkdir()
    environment = {"HOME": str(folder / "home"), "CAMPAIGN": mark}
    server = Sshd(folder / "sshd", environment=environment, options=[f"MaxSessions {sessions}"])
    key = new_key(folder / "id")
    server.authorize(key)
    known = folder / "known"
    known.write_text(server.known_hosts_line)
    server.start()
    try:
        yield " ".join([server.host, server.user, str(server.port), str(key), str(known)])
    finally:
        server.stop()


def main() -> int:
    options = _options()
    if sys.platform != "linux":
        say("the campaign needs Linux: it does NOT run here")
        return 0
    seed = random.SystemRandom().randrange(1 << 31) if options.seed is None else options.seed
    what = f"{options.jobs} jobs, {options.kills} kills, {options.upgrades} upgrades"
    say(f"seed {seed}, {what}, at {options.at or 'this machine'}")
    folder, began = Path(tempfile.mkdtemp(prefix="durable-")), time.monotonic()
    campaign = Campaign(folder, options, random.Random(seed))
    if options.at == "ssh":
        with host(folder, campaign.mark, 4 * options.jobs) as campaign.at:
            campaign.run()
    else:
        campaign.run()
    campaign.counts["seconds"] = round(time.monotonic() - began)
    say(table(campaign.counts, Counter()))
    if campaign.violations:
        say(f"NOT all has held ({campaign.violations.total()} violations): see {folder}")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    say("all that was promised has held")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=50, help="how many durable jobs")
    parser.add_argument("--kills", type=int, default=200, help="how often the engine is killed")
    parser.add_argument("--upgrades", type=int, default=20, help="how often it is upgraded")
    parser.add_argument("--seed", type=int, default=None, help="of what is drawn by lot")
    parser.add_argument("--pause", type=float, default=3.0, help="seconds to the next one, at most")
    parser.add_argument("--seconds", type=float, default=20.0, help="of a command, at most")
    parser.add_argument("--burst", type=int, default=20, help="lines that are printed at once")
    parser.add_argument("--at", choices=["ssh"], help="where the commands run")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
