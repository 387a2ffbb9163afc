"""Unpaid addresses are limited per account and per network, and the resulting address gap is shown."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import httpx2
import pytest

from bitcoin.conftest import Look, Node
from bitcoin.hardware_wallet import HardwareWallet
from bitcoin.renter import Renter
from dtmf_server.core.errors import Refusal
from dtmf_server.operations import deposit
from dtmf_server.payments.bitcoin.descriptor import deriver
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import chain, deposits
from dtmf_server.storage.db import Database
from harness import START_US, new_token, open_account, runtime_over, serving
from support.operator import opened

ACCOUNT_MAX, NETWORK_MAX = 20, 200
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def production(runtime: Runtime) -> Runtime:
    """A service with rate limits, behind a local proxy."""
    proxies = (ip_network("127.0.0.0/8"),)
    return replace(runtime, settings=replace(runtime.settings, sandbox=False, trusted_proxies=proxies))


def asking(url: str, seed: int, address: str) -> Counter[tuple[int, str]]:
    """Count the answers to an account's 25 requests for an address, from this client address."""
    headers = {"Authorization": f"Bearer {new_token(seed)}", "X-Forwarded-For": address}
    found: Counter[tuple[int, str]] = Counter()
    with httpx2.Client(base_url=url, headers=headers, timeout=60) as client:
        for _ in range(25):
            answer = client.post("/api/v1/addresses")
            found[answer.status_code, answer.json().get("code", "")] += 1
    return found


def fill(runtime: Runtime, account_id: int, network: str) -> None:
    """Issue as many addresses as an account may have to this network."""
    derive = runtime.derive
    assert derive is not None
    for _ in range(ACCOUNT_MAX):
        runtime.db.write_blocking(
            lambda tx: deposit.new_address(tx, account_id, derive=derive, now_us=START_US, network=network)
        )


@pytest.mark.regression("address-gap")
def test_an_account_has_at_most_20_unpaid_addresses(runtime: Runtime):
    open_account(runtime.db)
    with serving(runtime) as url:
        answers = asking(url, 0, "192.0.2.1")
    assert answers == {(201, ""): ACCOUNT_MAX, (429, "too_many_unused_addresses"): 5}


@pytest.mark.regression("address-gap")
def test_the_accounts_of_a_network_have_at_most_200_in_two_processes_at_once(production: Runtime):
    """14 accounts ask concurrently, through two HTTP servers over one database, like two API processes."""
    for seed in range(14):
        open_account(production.db, seed=seed)
    barrier = threading.Barrier(14, timeout=60)
    with ExitStack() as stack:
        urls = [stack.enter_context(serving(production, workers=False)) for _ in range(2)]

        def ask(seed: int) -> Counter[tuple[int, str]]:
            barrier.wait()
            return asking(urls[seed % 2], seed, f"198.51.100.{seed}")

        with ThreadPoolExecutor(14) as pool:
            answers = sum(pool.map(ask, range(14)), Counter[tuple[int, str]]())
    given = production.db.read_blocking(lambda tx: tx.all("SELECT address FROM addresses"))
    beyond = max(0, len(given) - NETWORK_MAX)
    print(f"{sum(answers.values())} addresses requested from one network: {beyond} addresses beyond the bound")
    assert (answers[201, ""], len(given)) == (NETWORK_MAX, NETWORK_MAX)
    assert set(answers) == {(201, ""), (429, "too_many_unused_addresses")}


@pytest.mark.parametrize(
    ("network", "taken", "same", "other"),
    [
        ("203.0.113.0/24", "203.0.113.7", "203.0.113.250", "203.0.112.7"),
        ("2001:db8:5::/48", "2001:db8:5::1", "2001:db8:5:ffff::9", "2001:db8:6::1"),
        ("203.0.113.0/24", "::ffff:203.0.113.7", "203.0.113.8", "2001:db8::1"),
    ],
)
@pytest.mark.regression("address-gap")
def test_the_limit_is_per_ipv4_24_or_ipv6_48_network(
    production: Runtime, network: str, taken: str, same: str, other: str
):
    for seed in range(9):
        fill(production, open_account(production.db, seed=seed), network)
    for seed in range(9, 12):
        open_account(production.db, seed=seed)
    with serving(production, workers=False) as url:
        assert asking(url, 9, taken)[201, ""] == ACCOUNT_MAX
        assert asking(url, 10, same) == {(429, "too_many_unused_addresses"): 25}
        assert asking(url, 11, other)[201, ""] == ACCOUNT_MAX


def test_addresses_of_deleted_accounts_still_count_for_their_network(production: Runtime):
    derive = production.derive
    assert derive is not None
    for seed in range(10):
        account_id = open_account(production.db, seed=seed)
        fill(production, account_id, "10.0.0.0/24")
        production.db.write_blocking(
            lambda tx, id_=account_id: tx.run("UPDATE accounts SET closed_at_us = 1 WHERE id = :id", id=id_)
        )
    last = open_account(production.db, seed=10)
    with pytest.raises(Refusal, match="issued to your network"):
        production.db.write_blocking(
            lambda tx: deposit.new_address(tx, last, derive=derive, now_us=START_US, network="10.0.0.0/24")
        )


def test_a_network_is_stored_as_a_keyed_hash_and_deleted_once_a_block_pays(
    following: Runtime, node: Node, wallet: HardwareWallet
):
    """A client's IP address can't be recovered from the database."""
    following.db.write_blocking(lambda tx: chain.add_block(tx, height=1, hash_="x", keep=9))
    account_id = open_account(following.db)
    derive = deriver(wallet.descriptor, "regtest")
    following.db.write_blocking(
        lambda tx: deposit.new_address(tx, account_id, derive=derive, now_us=START_US, network="203.0.113.0/24")
    )
    read = lambda: following.db.read_blocking(lambda tx: tx.one("SELECT * FROM addresses"))  # noqa: E731 - said twice
    row = read()
    assert row is not None
    assert len(row["network"]) == 16
    assert b"203" not in bytes(row["network"])
    following.db.write_blocking(lambda tx: deposits.mark_used(tx, 1, mined=False))
    assert read()["network"] is not None  # type: ignore[index]  # it is there
    following.db.write_blocking(lambda tx: deposits.mark_used(tx, 1, mined=True))
    assert read()["network"] is None  # type: ignore[index]  # it is there


@pytest.mark.regression("address-gap")
async def test_replaced_payments_do_not_free_addresses(
    following: Runtime, node: Node, look_now: Look, wallet: HardwareWallet
):
    assert await look_now() is None
    renter = Renter(following)
    addresses = [renter.address() for _ in range(ACCOUNT_MAX)]
    for _ in range(3):
        txid = node.pay_all([(address, 1000) for address in addresses])
        await look_now()
        while True:
            try:
                addresses.append(renter.address())
            except Refusal:
                break
        node.spend_elsewhere(txid)
        await look_now()
    assert len(addresses) <= 2 * ACCOUNT_MAX
    with pytest.raises(Refusal):
        renter.address()


@pytest.mark.regression("address-gap")
def test_sign_up_creates_no_address(db: Database):
    with serving(runtime_over(db)) as url, httpx2.Client(base_url=url, timeout=60) as client:
        token = client.post("/api/v1/accounts").json()["token"]
        headers = {"Authorization": f"Bearer {token}"}
        assert client.get("/api/v1/addresses", headers=headers).json() == []
        given = [client.post("/api/v1/addresses", headers=headers).status_code for _ in range(ACCOUNT_MAX + 1)]
    assert given == [201] * ACCOUNT_MAX + [429]


@pytest.mark.regression("address-gap")
def test_doctor_and_backup_report_the_gap_and_init_accepts_the_index(
    node: Node, settings: Path, wallet: HardwareWallet, database_url: str, command: Command, tmp_path: Path
):
    derive = deriver(wallet.descriptor, "regtest")
    at = ("--database", database_url)
    node.pay(derive(30)[0], 77_000)
    node.mine(3)
    status, out, _ = command("init", "--gap", "10", *at)
    assert (status, "0 deposits found" in out) == (0, True)
    assert "stopped at the gap limit" in out
    assert "above 10 were not scanned" in out
    status, out, _ = tried(command, "init", "--gap", "10", "--index", "30", *at)
    assert (status, "1 deposits found, 77000 satoshis credited" in out) == (0, True)
    assert "above 40 were not scanned" in out
    status, out, _ = command("doctor", *at)
    assert "address gap: 10 (highest index issued 40, highest paid 30" in out
    status, out, _ = command("backup", str(tmp_path / "backup"), *at)
    assert (status, "highest address index: 40" in out) == (0, True)


def tried(command: Command, *arguments: str) -> tuple[int, str, str]:
    """Run options that an older version may not know."""
    try:
        return command(*arguments)
    except SystemExit as ended:
        return int(str(ended.code)), "", ""


def test_metrics_include_the_address_gap(settings: Path, node: Node, database_url: str):
    from dtmf_server.runtime import metrics  # imported only where it is used, like in the command

    runtime = opened(settings, database_url)
    with closing(runtime.db):
        derive, account_id = runtime.derive, open_account(runtime.db)
        assert derive is not None
        runtime.db.write_blocking(lambda tx: chain.add_block(tx, height=1, hash_="x", keep=9))
        for _ in range(3):
            runtime.db.write_blocking(lambda tx: deposit.new_address(tx, account_id, derive=derive, now_us=START_US))
        runtime.db.write_blocking(lambda tx: deposits.mark_used(tx, 1, mined=True))
        found = {family.name: family.samples[0].value for family in metrics.QueueCollector(runtime).collect()}
    assert {name: found[name] for name in ("dtmf_address_index", "dtmf_address_gap", "dtmf_addresses_unpaid")} == {
        "dtmf_address_index": 3,
        "dtmf_address_gap": 2,
        "dtmf_addresses_unpaid": 2,
    }
