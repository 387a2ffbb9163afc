"""Invalid states, each with the constraint that rejects it: data for test_constraints.py.

The statements assume a service with an account :account that has coins, a rental :rental of the number :e164 with
minutes 0 to 4 booked in two bookings, a received message :message, a sent one :sent, and a credited deposit :deposit.
"""

_TRANSFER = (
    "INSERT INTO transfers (at_us, kind, ref, debit, credit, amount, account_id, balance, reference)"
    " VALUES (0, 'deposit', {ref}, {debit}, {credit}, {amount}, {account_id}, {balance}, '')"
)


def _transfer(**changed: object) -> str:
    usual: dict[str, object] = {
        "ref": "'new'",
        "debit": 1,
        "credit": ":account",
        "amount": 5,
        "account_id": ":account",
        "balance": 5,
    }
    return _TRANSFER.format(**(usual | changed))


def _minutes(start: int, end: int, after: int | str) -> str:
    return (
        "INSERT INTO minute_bookings (rental_id, from_minute, to_minute, after_minute, transfer_id)"
        f" VALUES (:rental, {start}, {end}, {after}, (SELECT min(id) FROM transfers))"
    )


def _rental(**changed: object) -> str:
    usual: dict[str, object] = {
        "account_id": ":account",
        "e164": "'+12025550199'",
        "group_id": "'us-mobile'",
        "sms": "'1'",
        "setup_cost": 0,
        "cost_per_minute": 13,
        "started_at_us": 0,
        "booked_minutes": 1,
    }
    columns = usual | changed
    return f"INSERT INTO rentals ({', '.join(columns)}) VALUES ({', '.join(map(str, columns.values()))})"


def _group(columns: str, values: str) -> str:
    return (
        "INSERT INTO groups (id, position, type, name, country_code, sms_support, voice_support, setup_cost,"
        f" rental_cost_per_minute{columns}) VALUES ('new', 1, {values})"
    )


_DEPOSIT = (
    "INSERT INTO deposits (txid, vout, account_id, address_id, amount, seen_at_us, status, alternations)"
    " SELECT {txid}, vout, account_id, address_id, {amount}, 0, {status}, {alternations} FROM deposits"
)

_REFUND = (
    "INSERT INTO rental_refunds (rental_id, account_id, group_id, day, paid_sats, minutes_sats, setup_sats,"
    " after_message_id) VALUES (:rental, :account, 'us-mobile', 0, 100, {minutes}, {setup}, 0)"
)

_OPERATOR_REFUND = (
    "INSERT INTO operator_refunds (charge, charge_id, account_id, day, charged_sats, sats)"
    " VALUES ({charge}, {charge_id}, {account}, 0, 100, {sats})"
)


def _operator_refund(**changed: object) -> str:
    usual: dict[str, object] = {"charge": "'rental'", "charge_id": ":rental", "account": ":account", "sats": 5}
    return _OPERATOR_REFUND.format(**(usual | changed))


_PEG = (
    "UPDATE groups SET currency = 'EUR', setup_micros = {setup}, minute_micros = {minute}, rate = '50000',"
    " rate_at_wall_us = 0 WHERE id = 'us-mobile'"
)

_PRICE = (
    "INSERT INTO rental_prices (rental_id, from_minute, since_us, cost_per_minute, from_sats, currency, rate)"
    " VALUES (:rental, {minute}, 0, {cost}, {sats}, 'EUR', '50000')"
)

_TOKEN = "UPDATE tokens SET scopes = 'read', {}"

# (constraint, the invalid state, the statement)
WRONG_STATES = [
    ("ck_accounts_balance", "a negative balance", "UPDATE accounts SET balance = -1 WHERE id = :account"),
    ("ck_operator_refunds_charge", "an operator's refund of a deposit", _operator_refund(charge="'deposit'")),
    ("ck_operator_refunds_sats", "an operator's refund of nothing", _operator_refund(sats=0)),
    ("ck_operator_refunds_sats", "an operator's refund beyond the charge", _operator_refund(sats=101)),
    ("fk_operator_refunds_account_id", "an operator's refund to a missing account", _operator_refund(account=77)),
    (
        "pk_operator_refunds",
        "two refunds by operators",
        _operator_refund() + ", ('rental', :rental, :account, 0, 1, 1)",
    ),
    ("ck_accounts_debt", "a negative debt", "UPDATE accounts SET debt = -1 WHERE id = :account"),
    ("ck_accounts_kind", "an account of an unknown kind", "UPDATE accounts SET kind = 'bank' WHERE id = :account"),
    ("ck_accounts_system_balance", "a balance on a system account", "UPDATE accounts SET balance = 1 WHERE id = 2"),
    ("ck_transfers_amount", "a transfer of 0 satoshis", _transfer(amount=0)),
    ("ck_transfers_amount", "a transfer backwards", _transfer(amount=-5)),
    ("ck_transfers_balance", "a transfer that leaves a negative balance", _transfer(balance=-1)),
    ("ck_transfers_two_accounts", "a transfer to itself", _transfer(debit=":account")),
    ("uq_transfers_kind_ref", "a duplicate transfer", _transfer(ref="'credited'")),
    ("fk_transfers_debit", "a transfer from a missing account", _transfer(debit=77)),
    ("fk_transfers_credit", "a transfer to a missing account", _transfer(credit=77)),
    ("fk_transfers_account_id", "a transfer that belongs to a missing account", _transfer(account_id=77)),
    ("pk_minute_bookings", "the first minute twice", _minutes(0, 9, "NULL")),
    ("pk_minute_bookings", "a minute in the middle twice", _minutes(1, 9, 1)),
    ("uq_minute_bookings_rental_id_to_minute", "bookings that end together", _minutes(3, 4, 3)),
    ("ck_minute_bookings_forward", "a booking of zero minutes", _minutes(4, 4, 4)),
    ("ck_minute_bookings_forward", "a booking backwards", _minutes(4, 2, 4)),
    ("ck_minute_bookings_first", "a chain that starts in the middle", _minutes(5, 6, "NULL")),
    ("ck_minute_bookings_first", "a first minute with a predecessor", _minutes(0, 6, 0)),
    ("ck_minute_bookings_chain", "a booking whose predecessor is not the minute before it", _minutes(5, 6, 4)),
    ("fk_minute_bookings_rental_id_after_minute", "a gap between bookings", _minutes(5, 6, 5)),
    ("fk_minute_bookings_rental_id_after_minute", "a booking that overlaps another", _minutes(2, 6, 2)),
    (
        "fk_minute_bookings_rental_id",
        "minutes of a missing rental",
        _minutes(0, 1, "NULL").replace(":rental", "77 + 0 * :rental"),
    ),
    (
        "fk_minute_bookings_transfer_id",
        "minutes without a payment",
        _minutes(4, 5, 4).replace("min(id)", "max(id) + 1"),
    ),
    ("uq_rentals_live_e164", "a number with two live rentals", _rental(e164=":e164")),
    ("ck_rentals_first_minute", "a rental without its first minute", _rental(booked_minutes=0)),
    ("ck_rentals_order", "a rental that ends before it starts", _rental(ended_at_us=-1, end_reason="'renter'")),
    ("ck_rentals_end", "an end without a reason", "UPDATE rentals SET ended_at_us = started_at_us WHERE id = :rental"),
    ("ck_rentals_end", "a reason without an end", "UPDATE rentals SET end_reason = 'renter' WHERE id = :rental"),
    ("ck_rentals_erased", "a live rental with erased texts", "UPDATE rentals SET erased_at_us = 1 WHERE id = :rental"),
    (
        "ck_rentals_action",
        "an unknown action",
        "UPDATE rentals SET action = 'fax', destination = 'x' WHERE id = :rental",
    ),
    (
        "ck_rentals_destination",
        "an action without a destination",
        "UPDATE rentals SET action = 'forward' WHERE id = :rental",
    ),
    ("ck_rentals_max_minutes", "a minute above the limit", "UPDATE rentals SET max_minutes = 3 WHERE id = :rental"),
    (
        "ck_rentals_max_sats",
        "more than the limit",
        "UPDATE rentals SET max_sats = 4 * 13 + 9, message_sats = 10 WHERE id = :rental",
    ),
    ("ck_rentals_max_sats", "messages that no limit counts", "UPDATE rentals SET message_sats = 1 WHERE id = :rental"),
    (
        "ck_rentals_message_sats",
        "messages below 0",
        "UPDATE rentals SET max_sats = 9999, message_sats = -1 WHERE id = :rental",
    ),
    (
        "ck_rentals_limit_at",
        "an end by a limit without one",
        "UPDATE rentals SET limit_at_us = 9999999999999999 WHERE id = :rental",
    ),
    (
        "ck_rentals_limit_at",
        "a limit before the start",
        "UPDATE rentals SET max_minutes = 9, limit_at_us = started_at_us WHERE id = :rental",
    ),
    ("ck_rentals_label", "an empty label", "UPDATE rentals SET label = '' WHERE id = :rental"),
    ("ck_rentals_refund", "a refund of everything", "UPDATE rentals SET refund_percent = 91 WHERE id = :rental"),
    (
        "ck_rentals_network",
        "a network without a refund",
        "UPDATE rentals SET network = sha256 FROM tokens WHERE rentals.id = :rental",
    ),
    ("ck_messages_cost", "a message with a negative cost", "UPDATE messages SET cost = -1 WHERE id = :message"),
    ("ck_messages_status", "an unknown status", "UPDATE messages SET status = 'lost' WHERE id = :sent"),
    ("ck_messages_direction", "a received message queued", "UPDATE messages SET status = 'queued' WHERE id = :message"),
    (
        "uq_messages_forward_of",
        "an SMS forwarded and charged twice",
        "UPDATE messages SET forward_of = :message WHERE id IN (:message, :sent)",
    ),
    (
        "uq_deposits_txid_vout",
        "an output recorded twice",
        _DEPOSIT.format(txid="txid", amount=5, status="'pending'", alternations=0),
    ),
    (
        "ck_deposits_amount",
        "a deposit of 0 satoshis",
        _DEPOSIT.format(txid="'x'", amount=0, status="'pending'", alternations=0),
    ),
    (
        "ck_deposits_status",
        "an unknown status",
        _DEPOSIT.format(txid="'x'", amount=5, status="'lent'", alternations=0),
    ),
    (
        "ck_deposits_alternate",
        "a credited deposit that never changed its status",
        _DEPOSIT.format(txid="'x'", amount=5, status="'credited'", alternations=0),
    ),
    (
        "ck_deposits_alternate",
        "a deposit credited twice in a row",
        "UPDATE deposits SET alternations = alternations + 1 WHERE id = :deposit",
    ),
    ("ck_tokens_scopes", "a restricted token without a scope", "UPDATE tokens SET scopes = ''"),
    (
        "uq_tokens_sha256",
        "a token of two rows",
        "INSERT INTO tokens (account_id, sha256, label, created_at_us) SELECT account_id, sha256, '', 0 FROM tokens",
    ),
    ("ck_tokens_expires", "an unrestricted token that expires", "UPDATE tokens SET expires_wall_us = 1"),
    ("ck_tokens_sats_max", "a limit of an unrestricted token", "UPDATE tokens SET sats_max = 1"),
    ("ck_tokens_sats_per_day", "a day's limit of an unrestricted token", "UPDATE tokens SET sats_per_day = 1"),
    ("ck_tokens_rentals_max", "a limit on rentals of an unrestricted token", "UPDATE tokens SET rentals_max = 1"),
    ("ck_tokens_reserved", "a negative reservation", _TOKEN.format("reserved_sats = -1")),
    ("ck_tokens_spent", "more spent than the limit", _TOKEN.format("sats_max = 5, spent_sats = 6")),
    (
        "ck_tokens_spent",
        "more spent and reserved than the limit",
        _TOKEN.format("sats_max = 5, spent_sats = 3, reserved_sats = 3, day_sats = 3"),
    ),
    ("ck_tokens_adopted", "a negative cost before adoption", _TOKEN.format("adopted_sats = -1")),
    ("ck_tokens_day_sats", "a reservation that does not count today", _TOKEN.format("reserved_sats = 5, day_sats = 4")),
    ("ck_tokens_day_sats", "a day beyond its limit", _TOKEN.format("sats_per_day = 5, day_sats = 6")),
    ("ck_tokens_rentals_started", "more rentals than the limit", _TOKEN.format("rentals_max = 1, rentals_started = 2")),
    ("ck_rental_refunds_minutes", "a refund of more than nine tenths", _REFUND.format(minutes=91, setup=0)),
    ("ck_rental_refunds_minutes", "a negative refund", _REFUND.format(minutes=-1, setup=5)),
    ("ck_rental_refunds_setup", "a negative refund of the set-up", _REFUND.format(minutes=5, setup=-1)),
    ("ck_rental_refunds_amount", "a refund of nothing", _REFUND.format(minutes=0, setup=0)),
    (
        "ck_refund_totals_scope",
        "a total of something else",
        "INSERT INTO refund_totals (scope, key, day, sats) VALUES ('account', 'x', 0, 1)",
    ),
    (
        "ck_refund_totals_sats",
        "a negative total",
        "INSERT INTO refund_totals (scope, key, day, sats) VALUES ('group', 'x', 0, -1)",
    ),
    ("ck_groups_type", "an unknown type", _group("", "'landline', '', '', '0', '0', 0, 0")),
    ("ck_groups_setup_cost", "a negative setup cost", _group("", "'local', '', '', '0', '0', -1, 0")),
    ("ck_groups_rental_cost", "a minute below 0", _group("", "'local', '', '', '0', '0', 0, -1")),
    ("ck_groups_sms_price", "SMS without a price", _group("", "'local', '', '', '1', '0', 0, 0")),
    (
        "ck_groups_sms_cost",
        "a negative SMS cost",
        _group(", cost_per_inbound_message", "'local', '', '', '1', '0', 0, 0, -1"),
    ),
    (
        "ck_groups_refund_within",
        "refunds of rentals of no length",
        _group(", refund_within_minutes, refund_percent", "'local', '', '', '0', '0', 0, 0, 0, 50"),
    ),
    (
        "ck_groups_refund",
        "a refund of everything",
        _group(", refund_within_minutes, refund_percent", "'local', '', '', '0', '0', 0, 0, 5, 91"),
    ),
    (
        "ck_groups_pegged",
        "prices in a currency without a rate",
        "UPDATE groups SET currency = 'EUR', setup_micros = 0, minute_micros = 1 WHERE id = 'us-mobile'",
    ),
    ("ck_groups_minute_micros", "a free minute in a currency", _PEG.format(setup=0, minute=0)),
    ("ck_groups_setup_micros", "a set-up below 0 in a currency", _PEG.format(setup=-1, minute=1)),
    ("ck_groups_sms_micros", "an SMS in no currency", "UPDATE groups SET sms_micros = 1"),
    ("ck_groups_cap_micros", "a cap in no currency", "UPDATE groups SET cap_micros = 1"),
    ("ck_rentals_price_days", "a price for no time", _rental(price_days=0)),
    ("ck_rentals_price_until", "a price that ends outside a pegged group", _rental(price_until_us=5)),
    ("ck_rentals_priced_minutes", "more minutes before a change than are booked", _rental(priced_minutes=2)),
    ("ck_rentals_priced_sats", "costs before a change that never was", _rental(priced_sats=1)),
    ("ck_rentals_next_price", "a next price without a time", _rental(price_days=30, next_cost_per_minute=5)),
    (
        "ck_rentals_next_price",
        "a next price outside a pegged group",
        _rental(change_at_us=60_000_000, next_cost_per_minute=5),
    ),
    ("ck_rental_prices_minute", "a free minute", _PRICE.format(minute=0, cost=0, sats=0)),
    ("ck_rental_prices_from_minute", "a price before the start", _PRICE.format(minute=-1, cost=1, sats=0)),
    ("ck_rental_prices_from_sats", "a cost below 0", _PRICE.format(minute=1, cost=1, sats=-1)),
    ("ck_groups_call_price", "calls without a price", _group("", "'local', '', '', '0', '1', 0, 0")),
    (
        "ck_groups_call_cost",
        "a call below 0",
        _group(", cost_per_inbound_call_minute", "'local', '', '', '0', '1', 0, 0, -1"),
    ),
    (
        "ck_destinations_cost",
        "a segment below 0",
        "INSERT INTO destinations (prefix, cost_per_segment) VALUES ('9', -1)",
    ),
    (
        "ck_operator_links_operator",
        "a link without an operator",
        "INSERT INTO operator_links (sha256, operator, expires_wall_us) VALUES ('aa', '', 1)",
    ),
    (
        "ck_operator_sessions_operator",
        "a session without an operator",
        "INSERT INTO operator_sessions (sha256, operator, created_wall_us, seen_wall_us) VALUES ('aa', '', 1, 1)",
    ),
    (
        "ck_ledger_days_amount",
        "a daily sum of 0",
        "INSERT INTO ledger_days (day, kind, debit, credit, amount, transfers, first_id, last_id)"
        " VALUES (1, 'deposit', 1, 0, 0, 1, 1, 1)",
    ),
    (
        "ck_ledger_days_ids",
        "a daily sum whose first transfer comes after its last",
        "INSERT INTO ledger_days (day, kind, debit, credit, amount, transfers, first_id, last_id)"
        " VALUES (1, 'deposit', 1, 0, 5, 1, 2, 1)",
    ),
    (
        "ck_api_requests_code",
        "a refused request without a reason",
        "INSERT INTO api_requests (request_id, account_id, operation, status, is_repeated, at_wall_us, changes)"
        " VALUES ('req_1', 1000, 'POST /numbers', 409, '0', 0, '{}')",
    ),
    (
        "ck_api_requests_changes",
        "a refused request that changed something",
        "INSERT INTO api_requests (request_id, account_id, operation, status, code, is_repeated, at_wall_us, changes)"
        """ VALUES ('req_1', 1000, 'POST /numbers', 409, 'x', '0', 0, '{"rentals": [1]}')""",
    ),
]

# Attempts to change the books. All must fail on every engine, including those that only one engine supports.
CHANGES_OF_THE_BOOKS = [
    ("transfers", "UPDATE transfers SET amount = amount + 1"),
    ("transfers", "UPDATE transfers SET reference = reference WHERE id = (SELECT min(id) FROM transfers)"),
    ("transfers", "DELETE FROM transfers WHERE id = (SELECT max(id) FROM transfers)"),
    (
        "transfers",
        _transfer(ref="'credited'") + " ON CONFLICT (kind, ref) DO UPDATE SET amount = excluded.amount",
    ),
    ("minute_bookings", "UPDATE minute_bookings SET transfer_id = transfer_id"),
    ("minute_bookings", "DELETE FROM minute_bookings WHERE from_minute = 1"),
    ("operator_actions", "UPDATE operator_actions SET reason = 'another'"),
    ("operator_actions", "DELETE FROM operator_actions"),
    ("rental_prices", "UPDATE rental_prices SET rate = '1'"),
    ("rental_prices", "DELETE FROM rental_prices"),
]
CHANGES_ON = {
    "sqlite": [
        ("transfers", _transfer(ref="'credited'").replace("INSERT", "INSERT OR REPLACE", 1)),
        ("transfers", _transfer(ref="'credited'").replace("INSERT", "REPLACE", 1)),
        ("transfers", "UPDATE OR REPLACE transfers SET ref = 'credited'"),
        ("minute_bookings", _minutes(1, 2, 1).replace("INSERT", "INSERT OR REPLACE", 1)),
    ],
    "postgresql": [
        ("minute_bookings", "TRUNCATE minute_bookings"),
        ("transfers", "TRUNCATE transfers CASCADE"),
        ("operator_actions", "TRUNCATE operator_actions"),
        ("rental_prices", "TRUNCATE rental_prices"),
    ],
}
