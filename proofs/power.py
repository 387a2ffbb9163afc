"""Power cuts: the real service under load, on a disk that drops everything not synced, again and again."""

import os
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from dtmf_server.operations import verify
from dtmf_server.storage.open import open_database
from end_to_end.test_kill import new_load
from proofs.claim import Figure, Outcome, tried, zero
from proofs.mounting import power_filesystem
from proofs.unsynced import surviving
from support.inspect import ledger_sum, stored_in
from support.load import Load, Tally, tally
from support.server_process import Service

CUTS, CUTS_SMALL = 100, 4
OPERATIONS_PER_CUT = 250  # more than it can do before the power is cut
SEED = int(os.environ.get("DTMF_TEST_SEED", "2018"))


@dataclass(frozen=True, slots=True)
class Found:
    """The results of the cuts."""

    cuts: int
    acked: int
    tally: Tally
    ledger_sum: int
    unusable: int


class Machine:
    """A computer whose power fails: its disk, the service on it, and its load."""

    def __init__(self, folder: Path, *, synchronous: str) -> None:
        self._folder, self._store, self._mountpoint = folder, folder / "store", folder / "mount"
        self._store.mkdir()
        self._chance = random.Random(f"{SEED} {synchronous}")
        self._program = [sys.executable, str(Path(__file__).with_name("server.py")), synchronous]
        self.load: Load | None = None
        self.unusable = self.cuts = 0

    def _service(self) -> Service:
        return Service(self._mountpoint, program=self._program)

    def begin(self) -> None:
        """Start for the first time, and stop cleanly."""
        with power_filesystem(self._store, self._mountpoint, seed="begin"), self._service() as service:
            self.load = new_load(service.wait_ready(), self._chance)
            assert service.stop() == 0

    def cut_under_load(self) -> None:
        """Start, apply load, and cut the power."""
        assert self.load is not None
        self.cuts += 1
        with (
            power_filesystem(self._store, self._mountpoint, seed=f"{SEED} {self.cuts}") as mount,
            self._service() as service,
        ):
            service.wait_ready()
            self.load.add(max(0, OPERATIONS_PER_CUT - len(self.load.waiting)))
            threads = self.load.run(service.url, until_done=False)
            time.sleep(self._chance.uniform(0.05, 0.5))
            mount.cut_power()
            service.process.kill()
            for thread in threads:
                thread.join()
        self.unusable += not self._is_usable()

    def _is_usable(self) -> bool:
        """Return whether the surviving data is intact and its books are right, by examining a copy."""
        copy = self._surviving()
        try:
            with closing(sqlite3.connect(copy / "dtmf.db")) as connection:
                if connection.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
                    return False
            with closing(open_database(f"sqlite:///{copy / 'dtmf.db'}")) as db:
                return db.read_blocking(verify.differences) == []
        except sqlite3.Error:
            return False
        finally:
            shutil.rmtree(copy)

    def _surviving(self) -> Path:
        return surviving(self._store, self._folder / f"copy-{self.cuts}")

    def found(self) -> Found:
        """Return what was acknowledged, and how much of it the disk has in the end."""
        assert self.load is not None
        url = f"sqlite:///{self._surviving() / 'dtmf.db'}"
        found = tally(self.load, stored_in(url, self.load))
        return Found(self.cuts, len(self.load.acked), found, ledger_sum(url), self.unusable)


def run(*, synchronous: str, cuts: int, until_s: float) -> Found:
    """Return the results of this many cuts."""
    with tempfile.TemporaryDirectory(prefix="dtmf-power-") as folder:
        machine = Machine(Path(folder), synchronous=synchronous)
        machine.begin()
        for _ in range(cuts):
            if time.monotonic() > until_s:
                break
            machine.cut_under_load()
        return machine.found()


def power_cuts(*, small: bool, bound_s: float) -> Outcome:
    """Cut the power of the unmodified service, and of the control, which must lose something or this proves nothing."""
    cuts, until_s = CUTS_SMALL if small else CUTS, time.monotonic() + bound_s
    with ThreadPoolExecutor(2) as threads:  # both mostly wait
        ours, control = threads.map(lambda how: run(synchronous=how, cuts=cuts, until_s=until_s), ("FULL", "NORMAL"))
    lost = control.tally.acked_lost
    figures = [
        Figure("cuts", ours.cuts, ours.cuts == cuts),
        tried("acknowledged", ours.acked),
        zero("acked lost", ours.tally.acked_lost),
        zero("double charges", ours.tally.double_charges),
        zero("wrong charges", ours.tally.wrong_charges),
        zero("ledger sum", ours.ledger_sum),
        zero("unusable databases", ours.unusable),
        Figure("with synchronous=NORMAL (must be above 0) acked lost", lost, lost > 0),
        tried("of", control.acked),
    ]
    return Outcome(figures)
