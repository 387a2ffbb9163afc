"""`dtmf-server migrate`, `verify`, `backup` and `restore`."""

import argparse
import contextlib

from dtmf_server.cli.database_options import (
    make_folder,
    require_current_schema,
    require_existing,
    translating_file_errors,
    translating_open_errors,
    url_of,
)
from dtmf_server.cli.output import print_line
from dtmf_server.config import Config
from dtmf_server.core.errors import CannotStart
from dtmf_server.runtime.clock import wall_us
from dtmf_server.storage.db import Tx
from dtmf_server.storage.open import open_database


def migrate_command(options: argparse.Namespace, configuration: Config) -> int:
    """Upgrade the database to the latest schema. Returns the exit status."""
    from dtmf_server.storage import migrate  # noqa: PLC0415 - Alembic only where it is used

    url = require_existing(options, configuration)
    with translating_open_errors(url):
        before = migrate.current(url)
        migrate.upgrade(url)
        after = migrate.current(url)
    print_line(f"database schema upgraded from {before or 'nothing'} to {after}")
    return 0


def verify_command(options: argparse.Namespace, configuration: Config) -> int:
    """Recompute every balance from the ledger. Returns the exit status."""
    from dtmf_server.cli.verify_text import counts_text, difference_text  # noqa: PLC0415 - only where it is used
    from dtmf_server.operations import verify  # noqa: PLC0415 - the same

    with contextlib.closing(open_database(require_current_schema(options, configuration))) as db:
        counts, differences = db.read_blocking(lambda tx: (verify.counts(tx), verify.differences(tx)))
    for difference in differences:
        print_line(difference_text(difference))
    print_line(
        f"{counts_text(counts)}: {f'{len(differences)} differences' if differences else 'the ledger is consistent'}"
    )
    return 1 if differences else 0


def backup_command(options: argparse.Namespace, configuration: Config) -> int:
    """Back up everything to a new file, or into a folder on a schedule. Returns the exit status."""
    from dtmf_server.storage import backup as backups  # noqa: PLC0415 - only where it is used
    from dtmf_server.storage import deposits as deposits_  # noqa: PLC0415 - the same
    from dtmf_server.storage import files, instance, migrate  # noqa: PLC0415 - the same

    if options.every is not None:
        return _back_up_on_schedule(options, configuration)
    with translating_file_errors(options.file):
        files.refuse_existing(options.file)  # before reading the database
    with (
        contextlib.closing(open_database(require_current_schema(options, configuration))) as db,
        translating_file_errors(options.file),
    ):
        rows, last = db.read_blocking(
            lambda tx: (backups.write(tx, options.file, revision=migrate.head()), deposits_.last_index(tx))
        )
        db.write_blocking(lambda tx: instance.set_backed_up(tx, wall_us=wall_us()))
    print_line(f"{rows} rows in {options.file}")
    print_line(f"highest address index: {last} (if this backup is lost too, use `dtmf-server init --index {last}`)")
    return 0


def _back_up_on_schedule(options: argparse.Namespace, configuration: Config) -> int:
    from dtmf_server.cli import backup_schedule  # noqa: PLC0415 - only where it is used

    with contextlib.closing(open_database(require_current_schema(options, configuration))) as db:
        backup_schedule.run(db, options.file, every_s=options.every, keep=options.keep, wall_us=wall_us)
    return 0


def restore_command(options: argparse.Namespace, configuration: Config) -> int:
    """Fill an empty database from a backup. Returns the exit status."""
    from dtmf_server.cli.verify_text import counts_text, difference_text  # noqa: PLC0415 - only where it is used
    from dtmf_server.operations import verify  # noqa: PLC0415 - the same
    from dtmf_server.server import startup  # noqa: PLC0415 - the same
    from dtmf_server.storage import backup as backups  # noqa: PLC0415 - only where it is used
    from dtmf_server.storage import instance, migrate  # noqa: PLC0415 - the same

    def restore(tx: Tx) -> tuple[int, str]:
        rows = backups.read(tx, options.file)
        if (mode := instance.mode(tx)) != configuration.mode:
            raise backups.NotABackup(
                f"nothing was restored: this is a backup of a {mode} service, and the configuration is for"
                f' {configuration.mode}: use --config FILE with mode = "{mode}"'
            )
        if differences := verify.differences(tx):
            found = "\n".join(map(difference_text, differences))
            raise backups.NotABackup(f"nothing was restored: the ledger in the backup is inconsistent:\n{found}")
        return rows, counts_text(verify.counts(tx))

    url = url_of(options, configuration)
    try:
        with translating_file_errors(options.file):
            revision = backups.revision_of(options.file)
        make_folder(url)
        with startup.exclusive_file_lock(url):
            with translating_open_errors(url):
                found = migrate.current(url)
            if found is not None:  # before migrating it
                with contextlib.closing(open_database(url)) as db:
                    db.read_blocking(backups.refuse_in_use)
            with translating_open_errors(url):
                migrate.upgrade(url, revision)
            with contextlib.closing(open_database(url)) as db:
                rows, summary = db.write_blocking(restore)
            migrate.upgrade(url)
    except backups.NotABackup as error:
        raise CannotStart(str(error)) from error
    print_line(f"{rows} rows restored; {summary}: the ledger is consistent")
    return 0
