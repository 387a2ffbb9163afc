"""The tables. Invalid states are made impossible here first, and checked in code second.

Times are `…_us`: microseconds since 1970 UTC. Amounts are satoshis. Every constraint has a name, so that a migration
can find it on both engines. Append-only tables have triggers, created by the migrations.
"""

from dtmf_server.storage.schema.base import metadata
from dtmf_server.storage.schema.bitcoin import (
    addresses,
    chain_blocks,
    chain_state,
    deposits,
    simulated_blocks,
    simulated_outputs,
    skipped_blocks,
)
from dtmf_server.storage.schema.carriers import (
    arrivals,
    canaries,
    canary_runs,
    carrier_links,
    carrier_message_ids,
    carriers,
    early_receipts,
    parts,
    strays,
    submissions,
    trace_entries,
    traces,
)
from dtmf_server.storage.schema.ledger import (
    accounts,
    closings,
    idempotency,
    minute_bookings,
    minute_costs,
    service,
    tokens,
    transfers,
)
from dtmf_server.storage.schema.lightning import (
    lightning_invoices,
    lightning_nodes,
    lightning_state,
    sign_ups,
    simulated_invoices,
    simulated_payments,
)
from dtmf_server.storage.schema.messages import attempts, deliveries, events, messages
from dtmf_server.storage.schema.numbers import (
    destinations,
    groups,
    numbers,
    refund_totals,
    rental_outcomes,
    rental_prices,
    rental_refunds,
    rentals,
)
from dtmf_server.storage.schema.operator import alerts, ledger_days, operator_actions
from dtmf_server.storage.schema.supply import supplies, supply_costs, supply_differences, supply_numbers
from dtmf_server.storage.schema.web import sign_in_links, web_sessions

__all__ = [
    "accounts",
    "addresses",
    "alerts",
    "arrivals",
    "attempts",
    "canaries",
    "canary_runs",
    "carrier_links",
    "carrier_message_ids",
    "carriers",
    "chain_blocks",
    "chain_state",
    "closings",
    "deliveries",
    "deposits",
    "destinations",
    "early_receipts",
    "events",
    "groups",
    "idempotency",
    "ledger_days",
    "lightning_invoices",
    "lightning_nodes",
    "lightning_state",
    "messages",
    "metadata",
    "minute_bookings",
    "minute_costs",
    "numbers",
    "operator_actions",
    "parts",
    "refund_totals",
    "rental_outcomes",
    "rental_prices",
    "rental_refunds",
    "rentals",
    "service",
    "sign_in_links",
    "sign_ups",
    "simulated_blocks",
    "simulated_invoices",
    "simulated_outputs",
    "simulated_payments",
    "skipped_blocks",
    "strays",
    "submissions",
    "supplies",
    "supply_costs",
    "supply_differences",
    "supply_numbers",
    "tokens",
    "trace_entries",
    "traces",
    "transfers",
    "web_sessions",
]
