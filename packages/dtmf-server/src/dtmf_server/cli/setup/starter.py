"""Opens the service's database, creates it if there is none, and imports the starter catalog."""

import argparse
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from dtmf_server.cli import operator
from dtmf_server.cli.database_options import make_folder, require_current_schema, translating_open_errors, url_of
from dtmf_server.cli.setup.catalog import Starter, import_starter
from dtmf_server.cli.setup.plan import Plan
from dtmf_server.config import Config
from dtmf_server.core.errors import CannotStart
from dtmf_server.operations import audit
from dtmf_server.runtime.clock import Clock
from dtmf_server.storage import instance
from dtmf_server.storage.db import Database, Tx
from dtmf_server.storage.open import open_database, sqlite_path


def import_into(options: argparse.Namespace, configuration: Config, plan: Plan, *, last: Callable[[], None]) -> Starter:
    """Import the numbers of a plan into the database of a configuration. `last` runs before the commit, so that it changes
    nothing elsewhere, like the key of a phone, if the numbers can't be imported. Raises CannotStart."""
    if plan.kind is None or not plan.numbers:
        return Starter([], [], [])
    type_, name = plan.kind.group_type, plan.name
    by = operator.acting(options)

    def import_and_record(tx: Tx) -> Starter:
        found = import_starter(tx, plan.numbers, plan.prices, carrier=name, type_=type_)
        audit.record(tx, by, "init", f"groups {', '.join(found.groups)}; {len(found.numbers)} numbers of {name}")
        last()
        return found

    with _opened(options, configuration) as db:
        return db.write_blocking(import_and_record)


@contextlib.contextmanager
def _opened(options: argparse.Namespace, configuration: Config) -> Iterator[Database]:
    from dtmf_server.server import startup  # noqa: PLC0415 - only where it is used
    from dtmf_server.storage import migrate  # noqa: PLC0415 - the same

    url, mode = url_of(options, configuration), configuration.mode
    had_folder = not url.startswith("sqlite:///") or sqlite_path(url).parent.exists()
    make_folder(url)
    with contextlib.ExitStack() as undo, contextlib.ExitStack() as held:
        if not had_folder:
            undo.callback(_remove_folder, sqlite_path(url).parent)
        with translating_open_errors(url):
            is_sqlite = url.startswith("sqlite:///")
            is_new = not sqlite_path(url).exists() if is_sqlite else migrate.current(url) is None
            if is_new:
                if is_sqlite:
                    undo.callback(_remove, sqlite_path(url))
                held.enter_context(startup.exclusive_file_lock(url))
                db = startup.open_prepared(url, mode, Clock(sandbox=mode == "sandbox"))
            else:
                db = open_database(require_current_schema(options, configuration))
        held.enter_context(contextlib.closing(db))
        if (found := db.read_blocking(instance.mode)) != mode:
            raise CannotStart(f"the database belongs to a {found} service: choose another with --data or --database")
        yield db
        undo.pop_all()


def _remove(path: Path) -> None:
    """Remove a database that was created a moment ago, so that the next attempt can choose another mode."""
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm", f"{path.name}.lock"):
        path.with_name(name).unlink(missing_ok=True)


def _remove_folder(path: Path) -> None:
    with contextlib.suppress(OSError):  # another program may have put a file into it
        path.rmdir()
