"""Accounts as `dtmf-server accounts list|show` prints them, as lines and as JSON."""

from collections.abc import Iterator
from typing import Any

from dtmf_server.cli.answer_text import as_json
from dtmf_server.cli.audit import action_json, action_line
from dtmf_server.core.timestamps import iso
from dtmf_server.operations.find_account import Report
from dtmf_server.operations.stored_data import StoredData
from dtmf_server.storage.db import Row


def listed_json(row: Row) -> dict[str, Any]:
    """Return an entry of `accounts list --json`."""
    return {
        "id": row["id"],
        "state": _state(row["closed_at_us"], row["suspended_at_us"]),
        "opened": iso(row["created_at_us"]),
        "booked_balance": row["balance"],
        "debt": row["debt"],
        "live_rentals": row["live_rentals"],
    }


def listed_line(row: Row) -> str:
    """Return a line of `accounts list`."""
    debt = f", owes {row['debt']}" if row["debt"] else ""
    state = _state(row["closed_at_us"], row["suspended_at_us"])
    return (
        f"{row['id']}  {state:9}  {row['balance']:>12} sat  {row['live_rentals']} rentals"
        f"  opened {iso(row['created_at_us'])}{debt}"
    )


def report_json(report: Report) -> dict[str, Any]:
    """Return what `accounts show --json` prints. Times are UTC; null: never."""
    return {
        "id": report.account_id,
        "state": _state(report.closed_at_us, report.suspended_at_us),
        "opened": iso(report.created_at_us),
        "suspended": _time(report.suspended_at_us),
        "closed": _time(report.closed_at_us),
        "balance": report.usage.balance,
        "debt": report.usage.debt,
        "cost_per_minute": report.usage.cost_per_minute,
        "runs_out_at": _time(report.usage.runs_out_at_us),
        "live_rentals": report.live_rentals,
        "rentals": [_rental(row) for row in report.rentals],
        "tokens": [_token(row) for row in report.tokens],
        "transactions": [_transfer(report.account_id, row) for row in report.transfers],
        "deposits": [_deposit(row) for row in report.deposits],
        "invoices": [_invoice(row) for row in report.invoices],
        "networks": [network.hex() for network in report.networks],
        "actions": [action_json(row) for row in report.actions],
        "stored": as_json(report.stored),
    }


def _rental(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "e164": row["e164"],
        "group_id": row["group_id"],
        "assignment_start": iso(row["started_at_us"]),
        "cost_per_minute": row["cost_per_minute"],
        "action": row["action"],
    }


def _token(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "label": row["label"],
        "created": iso(row["created_at_us"]),
        "scopes": None if row["scopes"] is None else row["scopes"].split(),
        "expires_at": _time(row["expires_wall_us"]),
    }


def _transfer(account_id: int, row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "timestamp": iso(row["at_us"]),
        "kind": row["kind"],
        "amount": row["amount"] if row["credit"] == account_id else -row["amount"],
        "balance": row["balance"],
        "reference": row["reference"],
    }


def _deposit(row: Row) -> dict[str, Any]:
    return {"outpoint": f"{row['txid']}:{row['vout']}"} | {name: row[name] for name in ("address", "amount", "status")}


def _invoice(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ("id", "payment_hash", "state", "credited_sats")}


def report_lines(report: Report) -> Iterator[str]:
    """Yield the lines of `accounts show`."""
    found = report_json(report)
    closed = f", closed {found['closed']}" if report.closed_at_us is not None else ""
    suspended = f", suspended {found['suspended']}" if report.suspended_at_us is not None else ""
    yield f"account {report.account_id}: {found['state']}, opened {found['opened']}{suspended}{closed}"
    runs_out = f", runs out {found['runs_out_at']}" if found["runs_out_at"] else ""
    yield f"balance {found['balance']} satoshis, debt {found['debt']}, {found['cost_per_minute']} a minute{runs_out}"
    yield f"{report.live_rentals} live rentals"
    for each in found["rentals"]:
        action = f", {each['action']}" if each["action"] else ""
        yield f"  {each['e164']}  {each['group_id']}  since {each['assignment_start']}{action}"
    yield from _list("tokens", [f"{each['label']}{_restrictions(each)}" for each in found["tokens"]])
    lines = (
        f"{each['timestamp']}  {each['amount']:>+12}  {each['balance']:>12}  {each['kind']}  {each['reference']}"
        for each in found["transactions"]
    )
    yield from _list("last transactions", [*lines])
    deposits = (f"{each['outpoint']}  {each['status']}  {each['amount']} sat" for each in found["deposits"])
    yield from _list("last deposits", [*deposits])
    invoices = (f"{each['payment_hash']}  {each['state']}" for each in found["invoices"])
    yield from _list("last invoices", [*invoices])
    yield from _list("networks of unpaid addresses, as keyed hashes", found["networks"])
    yield from _list("last operator actions", [action_line(row) for row in report.actions])
    yield from _list("stored about this account", [_stored_line(each) for each in report.stored if each.count])


def _stored_line(stored: StoredData) -> str:
    more = " or more" if stored.is_more else ""
    oldest = "" if stored.oldest_at_us is None else f", the oldest of {iso(stored.oldest_at_us)}"
    return f"{stored.data}: {stored.count}{more}{oldest}"


def _restrictions(token: dict[str, Any]) -> str:
    scopes = "" if token["scopes"] is None else f", only {' '.join(token['scopes'])}"
    return scopes + (f", expires {token['expires_at']}" if token["expires_at"] else "")


def _list(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield title
        yield from (f"  {line}" for line in lines)


def _state(closed_at_us: int | None, suspended_at_us: int | None) -> str:
    if closed_at_us is not None:
        return "closed"
    return "open" if suspended_at_us is None else "suspended"


def _time(at_us: int | None) -> str | None:
    return None if at_us is None else iso(at_us)
