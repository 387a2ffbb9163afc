"""`make run` on used sandboxes: it runs its story, prints the sign-in link, and stays up."""

import json
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from dtmf import DTMF
from dtmf_server.operations import close_account as closing_accounts
from dtmf_server.operations.ledger import open_ledger
from dtmf_server.storage import migrate
from dtmf_server.storage.db import Tx
from dtmf_server.storage.open import open_database
from harness import runtime_over, serving
from support.preloaded import popen
from support.server_process import Said, Service, environment, rows
from support.webhook_receiver import refused_port

STORY = Path(__file__).parents[2] / "examples" / "story.py"
LINES_MAX = 10
ENDS_WITHIN_S = 60


def play(data: Path, *arguments: str) -> Said:
    """Start it, and stop it with Ctrl-C after its last line. Returns its exit code and output."""
    command = [sys.executable, str(STORY), "--stay", "--data", str(data), *(arguments or ("--port", "0"))]
    with popen(command, env=environment()) as process:
        assert process.stdout is not None and process.stderr is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "export DTMF_TOKEN=" in line:
                process.send_signal(signal.SIGINT)
        code = process.wait(ENDS_WITHIN_S)
        return Said(code, "".join(lines), process.stderr.read())


def written(data: Path, fn: Callable[[Tx], object]) -> None:
    """Change the database in a way that no request can."""
    with closing(open_database(f"sqlite:///{data / 'dtmf.db'}")) as db:
        db.write_blocking(fn)


def number_with_webhook(dtmf: DTMF, hook: str) -> str:
    """Rent a number with two SMS that wait for an unresponsive receiver."""
    dtmf.sandbox.deposit(dtmf.new_address()["address"], 100_000)
    e164 = dtmf.start_rental("us-mobile")["e164"]
    dtmf.set_sms_action(e164, "webhook", hook)
    for text in ("one", "two"):
        dtmf.sandbox.receive(e164, "+1234", text)
    return e164


def waiting_webhooks(dtmf: DTMF, data: Path) -> None:
    """Stop the receiver and end the rental."""
    dtmf.end_rental(number_with_webhook(dtmf, f"http://127.0.0.1:{refused_port()}/sms"))


def parked_webhooks(dtmf: DTMF, data: Path) -> None:
    """Leave some deliveries waiting, some parked, and the rentals live."""
    hook = f"http://127.0.0.1:{refused_port()}/sms"
    dtmf.set_sms_action(number_with_webhook(dtmf, hook), None, None)
    number_with_webhook(dtmf, hook)
    dtmf.set_account_webhook(hook)


def no_money(dtmf: DTMF, data: Path) -> None:
    """Rent an expensive number until the balance can't cover a minute."""
    dtmf.sandbox.deposit(dtmf.new_address()["address"], 33_000)
    dtmf.start_rental("cz-mobile")
    dtmf.sandbox.advance(3600)
    assert dtmf.account()["balance"] < 269


def debt(dtmf: DTMF, data: Path) -> None:
    """Create a debt of a million: a spent deposit left the chain."""
    dtmf.new_address()

    def owe(tx: Tx) -> None:
        with open_ledger(tx, [1000], now_us=1) as ledger:
            ledger.reverse_deposit(1000, 1_000_000, unique_ref="gone:0", reference="gone:0")

    (account_id,) = rows(data / "dtmf.db", "SELECT account_id FROM tokens")[0]
    assert account_id == 1000
    written(data, owe)


def clock_ahead(dtmf: DTMF, data: Path) -> None:
    """Advance the clock by years during a rental."""
    dtmf.sandbox.deposit(dtmf.new_address()["address"], 10_000_000)
    dtmf.start_rental("us-mobile")
    for _ in range(3):
        dtmf.sandbox.advance(366 * 86_400)


def dearer_catalog(dtmf: DTMF, data: Path) -> None:
    """Replace the groups and prices."""
    rows(data / "dtmf.db", "UPDATE groups SET setup_cost = 300 * setup_cost, name = 'dear'")
    rows(data / "dtmf.db", "UPDATE groups SET sms_support = 0, cost_per_inbound_message = NULL WHERE id = 'us-mobile'")


def group_resting(dtmf: DTMF, data: Path) -> None:
    """Leave no number available in the story's group."""
    rows(data / "dtmf.db", "UPDATE numbers SET released_at_us = 9000000000000000 WHERE group_id = 'us-mobile'")


def account_deleted(dtmf: DTMF, data: Path) -> None:
    """Delete the first account, whose token is in the token file."""
    number_with_webhook(dtmf, f"http://127.0.0.1:{refused_port()}/sms")
    (account_id,) = rows(data / "dtmf.db", "SELECT account_id FROM tokens")[0]
    close = closing_accounts.close_account
    now_us = 2 * 10**15
    written(data, lambda tx: close(tx, account_id, given_up_max=10**9, now_us=now_us, wall_us=now_us))


def token_revoked(dtmf: DTMF, data: Path) -> None:
    """Revoke the token in the file."""
    rows(data / "dtmf.db", "UPDATE tokens SET revoked_at_us = created_at_us")


def token_file_gone(dtmf: DTMF, data: Path) -> None:
    """Delete the token file."""
    (data / "token").unlink()


def another_account(dtmf: DTMF, data: Path) -> None:
    """Put the token of another account into the file, after the first account has rented."""
    dtmf.end_rental(number_with_webhook(dtmf, f"http://127.0.0.1:{refused_port()}/sms"))
    opened = json.loads(urlopen(Request(f"{url_of(data)}/api/v1/accounts", method="POST")).read())
    (data / "token").write_text(f"{opened['token']}\n", encoding="ascii")


def url_of(data: Path) -> str:
    """Return the address of the service on this folder."""
    return (data / "url").read_text("ascii").strip()


LEFT_BEHIND = [
    waiting_webhooks,
    parked_webhooks,
    no_money,
    debt,
    clock_ahead,
    dearer_catalog,
    group_resting,
    account_deleted,
    token_revoked,
    token_file_gone,
    another_account,
]


@pytest.fixture(scope="module")
def started_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sandbox that was started and stopped once."""
    data = tmp_path_factory.mktemp("once") / "data"
    with Service(data) as service:
        service.wait_ready()
        assert service.stop(signal.SIGINT) == 0
    return data


def leave(started_once: Path, data: Path, act: Callable[[DTMF, Path], None]) -> None:
    """Copy a sandbox, prepare it in this way in a service of this process, and stop it."""
    shutil.copytree(started_once, data, dirs_exist_ok=True)
    with closing(open_database(f"sqlite:///{data / 'dtmf.db'}")) as db, serving(runtime_over(db)) as url:
        (data / "url").write_text(url, encoding="ascii")
        with DTMF((data / "token").read_text("ascii").strip(), base_url=url) as dtmf:
            act(dtmf, data)


def leave_killed(data: Path, act: Callable[[DTMF, Path], None]) -> None:
    """Prepare a sandbox in this way, then kill it."""
    with Service(data) as service:
        service.wait_ready()
        with DTMF(service.token, base_url=service.url) as dtmf:
            act(dtmf, data)
        service.kill()


def played_well(said: Said) -> None:
    """Check for ten lines with the link first, the whole story, and a clean exit."""
    lines = [line for line in said.out.splitlines() if line.strip()]
    assert "aborted" not in said.out and "skipped: " not in said.out, said.out
    assert "/sign-in/link?key=" in lines[0], said.out
    assert len(said.out.splitlines()) <= LINES_MAX, said.out
    assert "deposit, rent, receive, webhook, forward, send, end, Lightning, played in" in said.out
    assert said.code == 0 and said.err == "", said


@pytest.mark.regression("make-run-breaks-itself")
@pytest.mark.parametrize("act", LEFT_BEHIND, ids=lambda act: act.__name__)
def test_the_story_runs_on_a_used_sandbox(started_once: Path, tmp_path: Path, act: Callable[..., None]) -> None:
    leave(started_once, tmp_path, act)
    played_well(play(tmp_path))


@pytest.mark.regression("make-run-breaks-itself")
def test_the_story_runs_repeatedly_and_does_not_change_the_clock(tmp_path: Path) -> None:
    for _ in range(2):
        played_well(play(tmp_path))
    assert rows(tmp_path / "dtmf.db", "SELECT clock_offset_us FROM service") == [(0,)]
    assert rows(tmp_path / "dtmf.db", "SELECT count(*) FROM rentals WHERE ended_at_us IS NULL") == [(0,)]


def test_the_story_runs_after_a_kill_during_a_delivery(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:  # accepts connections and never responds
        hook = f"http://127.0.0.1:{silent.getsockname()[1]}/sms"
        leave_killed(tmp_path, lambda dtmf, _data: number_with_webhook(dtmf, hook) and None)
        played_well(play(tmp_path))


def test_the_story_runs_on_a_database_of_an_older_version(tmp_path: Path) -> None:
    migrate.upgrade(f"sqlite:///{tmp_path / 'dtmf.db'}", "0001")
    played_well(play(tmp_path))


@pytest.mark.regression("make-run-breaks-itself")
def test_steps_that_a_sandbox_prevents_are_reported_and_the_sandbox_stays_up(
    started_once: Path, tmp_path: Path
) -> None:
    def all_rest(_dtmf: DTMF, data: Path) -> None:
        rows(data / "dtmf.db", "UPDATE numbers SET released_at_us = 9000000000000000")

    leave(started_once, tmp_path, all_rest)
    said = play(tmp_path)
    assert said.code == 0 and "/sign-in/link?key=" in said.out.splitlines()[0], said
    assert "skipped: rent, every number is rented or in its cooldown" in said.out
    assert len(said.out.splitlines()) <= LINES_MAX


@pytest.mark.regression("make-run-breaks-itself")
def test_a_busy_port_is_reported_below_the_link(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        said = play(tmp_path, "--port", str(port))
    played_well(said)
    assert f"port {port} is in use: using" in said.out.splitlines()[1]


def test_an_unwritable_folder_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file" / "data", Path("/proc/self/data")):  # even root can't write there
        said = play(folder)
        assert said.code == 2 and said.out == "", said
        assert said.err.startswith("dtmf-server: can't open") and said.err.count("\n") == 1, said.err


def test_a_folder_in_use_is_reported_in_one_line(tmp_path: Path) -> None:
    with Service(tmp_path) as service:
        service.wait_ready()
        said = play(tmp_path)
        assert said.code == 2 and said.out == "" and said.err.count("\n") == 1, said
        assert f"process {service.process.pid}" in said.err
