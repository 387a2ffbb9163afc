"""Every promise that has a proof, with its size, figures and bound."""

from collections.abc import Callable, Mapping, Sequence

from proofs import caps, carriers, payments, requirements
from proofs.bad_receivers import bad_receivers
from proofs.claim import Row, Together
from proofs.disk import full_disk
from proofs.large import large_account
from proofs.power import power_cuts
from proofs.pytest_claims import Printed, Program, Tests

KILL_TESTS = "tests/end_to_end/test_kill.py"


def _killed(engine: str) -> Tests:
    """Return the proof that kills the service on one engine."""
    test = "test_kill_9_at_any_moment_loses_nothing_acknowledged_and_charges_nothing_twice"
    return Tests(
        [f"{KILL_TESTS}::{test}[{engine}]"],
        full={"DTMF_TEST_KILLS": "200"},
        small={"DTMF_TEST_KILLS": "8"},
        printed=[
            Printed("kills", r"seed \d+, (\d+) kills", None),
            Printed("acknowledged", r"(\d+) acknowledged", None),
            Printed("acked lost", r"acked_lost=(\d+)"),
            Printed("effects without a request", r"effects_without_request=(\d+)"),
            Printed("double charges", r"double_charges=(\d+)"),
            Printed("wrong charges", r"wrong_charges=(\d+)"),
            Printed("ledger sum", r"ledger sum (-?\d+)"),
        ],
        on=engine,
    )


KILLED = Together((_killed("sqlite"), _killed("postgresql")))
TALLY = Tests([KILL_TESTS, "-k", "tally"])


def _money(engine: str, *, steps: int, more: Sequence[str] = ()) -> Tests:
    """Run the state machine on one engine. A step takes five times as long on PostgreSQL, which therefore gets fewer."""
    return Tests(
        [f"tests/money/test_machine.py::test_every_satoshi_is_where_counting_says_it_is[{engine}]", *more],
        full={"DTMF_MONEY_STEPS": f"{steps}", "DTMF_MONEY_STEPS_POSTGRESQL": f"{steps}", "DTMF_MONEY_EXAMPLES": "5000"},
        small={"DTMF_MONEY_STEPS": "1000", "DTMF_MONEY_STEPS_POSTGRESQL": "100", "DTMF_MONEY_EXAMPLES": "50"},
        printed=[Printed("steps", rf"(\d+) steps on {engine}", None)],
        failed="violations",
        on=engine,
    )


MONEY = Together(
    (
        _money("sqlite", steps=900_000, more=["tests/money/test_billing.py"]),
        _money("postgresql", steps=100_000),
    )
)
MUTANTS = Program(
    ["-m", "money.mutation_runner", "--all"],
    [
        Printed("mutants caught", r"mutants caught: (\d+)/", lambda caught: caught > 0),
        Printed("of", r"mutants caught: \d+/(\d+)", None),
    ],
    small_command=["-m", "money.mutation_runner", "--only", "core/billing.py", "--steps", "1500"],
)
CODES = Tests(
    ["packages/dtmf-io/tests/codes/test_codes.py"],
    printed=[
        Printed("texts", r"texts=(\d+)", None),
        Printed("languages", r"languages=(\d+)", None),
        Printed("wrong codes", r"wrong_codes=(\d+)"),
        Printed("missed codes in 1,000", r"missed_codes_in_1000=(\d+)", lambda missed: missed <= 10),
        Printed("texts with a missing part", r"parts_missing=(\d+)", None),
        Printed("wrong codes from them", r"fragments=(\d+)"),
    ],
)
RACES = Tests(
    ["tests/money/test_races.py", "tests/scale/test_races.py"],
    printed=[
        Printed("overspent sats", r"overspent (\d+) sats"),
        Printed("live rentals of the contested number", r"processes: (\d+) live rentals", lambda live: live == 1),
    ],
)
CLOCKS = Tests(
    ["tests/money/test_clocks.py", "tests/end_to_end/test_clocks.py"],
    printed=[
        Printed("jumps", r"(\d+) jumps of the clock", None),
        Printed("sats charged twice", r"(\d+) sats charged twice"),
        Printed("sats refunded", r"(\d+) sats given back"),
        Printed("sats billed past the run-out", r"(\d+) sats billed past"),
    ],
)
RETRIES = Tests(
    ["packages/dtmf-server/tests/api/test_retries.py", "packages/dtmf-server/tests/api/test_broken_connections.py"],
    full={"DTMF_TEST_CUT_STRIDE": "1"},
    printed=[
        Printed("concurrent operations", r"(\d+) operations asked", None),
        Printed("replies cut", r"(\d+) replies to", None),
        Printed("missing or extra effects", r": (\d+) effects too many or too few"),
    ],
)
RECYCLED = Tests(
    ["tests/end_to_end/test_recycled.py", "tests/carriers/test_late_callbacks.py"],
    printed=[
        Printed("read operations", r"asked (\d+) ways", None),
        Printed("leaked texts and addresses", r"ways: (\d+) older"),
        Printed("late callbacks", r"(\d+) late SMS", None),
        Printed("shown to the next renter", r"late SMS: (\d+) shown"),
    ],
)
TENANTS = Tests(
    ["packages/dtmf-server/tests/api/test_tenants.py"],
    printed=[
        Printed("requests", r"(\d+) operations with", None),
        Printed("leaks", r"token: (\d+) leaks"),
        Printed("operations untested", r"documented: (\d+) untested"),
    ],
)
MALFORMED = Tests(
    ["packages/dtmf-server/tests/api/test_malformed.py", "packages/dtmf-server/tests/api/test_openapi.py"],
    full={"DTMF_TEST_MALFORMED": "10000", "DTMF_TEST_EXAMPLES": "1000"},
    small={"DTMF_TEST_MALFORMED": "500", "DTMF_TEST_EXAMPLES": "3"},
    printed=[
        Printed("malformed requests", r"(\d+) malformed requests", None),
        Printed("requests generated from the OpenAPI document", r"(\d+) requests made from the document", None),
        Printed("wrong answers", r": (\d+) answered badly"),
    ],
)


def _deposits(node: str, *, on: str, but: str, needs: Callable[[], Mapping[str, str]] = dict) -> Tests:
    """Test deposits with a node on one engine, including the tests that need no engine."""
    return Tests(
        ["tests/bitcoin", "-k", f"{node} and not {but}"],
        full={"DTMF_TEST_REORGS": "1000"},
        small={"DTMF_TEST_REORGS": "15"},
        printed=[
            Printed("reorganisations", r"(\d+) reorganisations", None),
            Printed("times the node was down", r"node down (\d+) times", None),
            Printed("deposits", r" (\d+) deposits:", None),
            Printed("wrong sats", r"(\d+) sats wrong"),
            Printed("double reversals", r"(\d+) double reversals"),
            Printed("missed deposits", r"(\d+) deposits missed"),
        ],
        on=f"{on} and {'Bitcoin Core' if node == 'core' else 'the in-process node'}",
        needs=needs,
    )


SHAPED = Together(
    (
        _deposits("shaped", on="sqlite", but="postgresql"),
        _deposits("shaped", on="postgresql", but="sqlite"),
    )
)
CORE = Together(
    (
        _deposits("core", on="sqlite", but="postgresql", needs=requirements.bitcoind),
        _deposits("core", on="postgresql", but="sqlite", needs=requirements.bitcoind),
    )
)
TOKENS = Tests(
    ["packages/dtmf-server/tests/api/test_tokens.py"],
    full={"DTMF_TEST_GUESSES": "1000000"},
    small={"DTMF_TEST_GUESSES": "20000"},
    printed=[
        Printed("random tokens", r"(\d+) random tokens", None),
        Printed("hits", r": (\d+) well-formed"),
        Printed("of them over HTTP", r"(\d+) wrong tokens over HTTP", None),
        Printed("database reads", r"over HTTP: (\d+) database reads"),
    ],
)
COMMANDS = Tests(
    [
        "tests/scale/test_killed_commands.py",
        "tests/scale/test_backups.py",
        "packages/dtmf-server/tests/storage/test_migrations.py",
    ],
    full={
        "DTMF_SCALE_STEPS": "0",
        "DTMF_SCALE_STEPS_POSTGRESQL": "100",
        "DTMF_SCALE_KILLS": "30",
        "DTMF_SCALE_CUTS": "0",
    },
    printed=[
        Printed("kills", r"killed (\d+) times", None),
        Printed("damaged backups", r"(\d+) backups damaged by", None),
        Printed("sum drift", r"sum drift (-?\d+)"),
    ],
)

DOWN_AND_BACK = Tests(
    [
        "tests/deliveries/test_down_and_back.py",
        "tests/deliveries/test_programme.py",
    ],
    full={"DTMF_WEBHOOKS_NUMBERS": "200", "DTMF_WEBHOOKS_SMS": "2000"},
    printed=[
        Printed("SMS", r"(\d+) SMS down and flapping", None),
        Printed("undelivered", r"(\d+) undelivered"),
        Printed("delivered twice", r"(\d+) delivered twice"),
        Printed("first attempts out of order", r"(\d+) first attempts out of order"),
        Printed("seconds until all had arrived", r"all there (\d+) s after", lambda back_s: back_s <= 60, max),
    ],
)
SIGNATURES = Tests(
    ["tests/deliveries/test_signatures.py"],
    full={"DTMF_WEBHOOKS_FLIPS": "100000"},
    printed=[
        Printed("valid", r"(\d+) webhooks as ", None),
        Printed("valid refused", r"(\d+) refused"),
        Printed("forged", r"(\d+) (?:webhooks with a bit changed|that are too late)", None),
        Printed("forged accepted", r"(\d+) accepted"),
    ],
)
INSIDE = Program(
    ["tests/namespaces/namespace_proof.py"],
    [
        Printed("attempts", r"attempts: (\d+)", None),
        Printed("lookups", r"lookups of names that flip: (\d+)", None),
        Printed("redirects inward", r"redirects inward: (\d+)", None),
        Printed("kinds of redirects", r"redirects inward: \d+, of (\d+) kinds", None),
        Printed(
            "connections of a plain check-then-fetch (must be above 0)",
            r"checked and then fetched: (\d+) connections",
            lambda heard: heard > 0,
        ),
        Printed("connections to non-public addresses", r"(?m)^connections to non-public addresses: (\d+)"),
    ],
    full={"DTMF_WEBHOOKS_REBINDS": "1000"},
    small={"DTMF_WEBHOOKS_REBINDS": "100"},
    needs=requirements.network_namespaces,
)
STRANGERS = Tests(
    ["tests/end_to_end/test_strangers.py", "packages/dtmf-server/tests/api/test_slow.py"],
    full={"DTMF_TEST_STRANGERS": "20000", "DTMF_TEST_SLOW": "1000"},
    printed=[
        Printed("connections", r"(\d+) connections of strangers", None),
        Printed("slow connections", r"(\d+) slow connections", None),
        Printed("log lines", r"strangers: (\d+) log lines", None),
        Printed("log lines beyond 60 a minute", r"(\d+) log lines beyond"),
        Printed("tracebacks", r"(\d+) tracebacks"),
        Printed("errors of healthy clients", r"(\d+) errors of \d+ healthy"),
    ],
)

LARGE = Together(
    (
        Tests(["tests/money/test_large_accounts.py", "-k", "sqlite"], failed="wrong or blocked", on="sqlite"),
        Tests(["tests/money/test_large_accounts.py", "-k", "postgresql"], failed="wrong or blocked", on="postgresql"),
    )
)


ROWS = [
    Row(1, "Nothing acknowledged is lost, nothing is charged twice", "200 × kill -9 on each engine", (KILLED, TALLY)),
    Row(2, "The same after a power loss", "100 power cuts, and as many with synchronous=NORMAL", (power_cuts,)),
    Row(3, "A full disk stops new messages, not the service", "a small disk filled under load, 3 times", (full_disk,)),
    Row(
        4,
        "The money is right",
        "10⁶ steps of a state machine, checked by a per-minute oracle; 85 mutants",
        (MONEY, MUTANTS),
    ),
    Row(5, "No overspend under races", "64 clients, one balance; 100 for one number; 3 API processes", (RACES,)),
    Row(6, "Clocks may jump", "−1 h, +1 y, a day down past the run-out", (CLOCKS,)),
    Row(
        7,
        "Retries are safe",
        "each POST × 10 with one key; the reply cut at every byte",
        (RETRIES,),
    ),
    Row(
        8,
        "A recycled number leaks nothing",
        "the next renter reads everything; SMS of every kind of carrier posted 1 h, 8 d and 40 d late",
        (RECYCLED,),
    ),
    Row(
        9, "SMPP: acknowledged means stored", "killed at each step; shuffled, colliding, missing", (carriers.CARRIERS,)
    ),
    Row(
        10,
        "Webhooks never lose an SMS",
        "200 numbers, 2,000 SMS during a day's outage, and as many while flapping",
        (DOWN_AND_BACK,),
    ),
    Row(
        11,
        "Bad receivers hurt only themselves",
        "500 dead hosts, drips, floods and bombs beside healthy receivers, 3 times; each fault separately",
        (
            Tests(["packages/dtmf-server/tests/workers/test_bad_receivers.py"], full={"DTMF_WEBHOOKS_DEAD": "500"}),
            bad_receivers,
        ),
    ),
    Row(
        12,
        "Signatures can't be forged",
        "verified by a third-party library; 100,000 bit flips; rotation",
        (SIGNATURES,),
    ),
    Row(
        13,
        "Webhooks can't reach inside",
        "a network namespace with canaries: tricky URLs, names whose address flips 1,000 times, redirects inward",
        (INSIDE,),
    ),
    Row(
        14,
        "Deposits follow the best chain",
        "1,000 reorganisations of 1 to 6 blocks back and forth, replacements, the node down, behind, forked, changing"
        " during a poll; restores from the descriptor",
        (SHAPED, CORE),
    ),
    Row(15, "Bad input gets a clear error", "10,000 malformed requests; 1,000 per operation", (MALFORMED,)),
    Row(
        16,
        "Parsers never crash",
        "10,000,000 runs of atheris over every reader of SMPP, and 2,000,000 over those of the other kinds of carriers",
        (carriers.PARSERS, carriers.CALLBACK_PARSERS),
    ),
    Row(17, "Tenants are isolated", "every operation × {another's token, none, a revoked one}", (TENANTS,)),
    Row(18, "Tokens resist guessing", "1,000,000 random tokens", (TOKENS,)),
    Row(
        22,
        "Upgrades and restores keep the books",
        "migrate, backup and restore killed at each step; backups cut at each byte, with each bit flipped",
        (COMMANDS,),
    ),
    Row(
        23,
        "Every sent SMS is charged, every refused SMS is refunded",
        "1,000 SMS on each engine, disturbed at each step while the carrier holds them, answered up to 120 s late;"
        " 125 × kill -9 with 8 SMS at the carrier",
        (carriers.PAID,),
    ),
    Row(
        24,
        "A code is never a fragment or a word",
        "every text of the table, each cut at every position in its code",
        (CODES,),
    ),
    Row(
        25,
        "Carriers of every kind: acknowledged means stored",
        "24 faults of Twilio, Telnyx and a phone, 27 of a modem, 10 times on each engine in random order, killed at each step",
        (carriers.FAULTS,),
    ),
    Row(
        26,
        "Supply never pays twice and never forgets a number",
        "10 × 60 simulated days on each engine: 5 % of the requests lost, killed at any step of buying and giving back, numbers"
        " sold to others in between",
        (payments.SUPPLY,),
    ),
    Row(
        27,
        "Lightning is credited once",
        "1,000 payments on each engine, late, reported twice or never, while node and service are killed",
        (payments.LIGHTNING,),
    ),
    Row(
        28,
        "Limits of tokens hold",
        "64 tokens of one parent, 192 programs, 500 SMS, each request sent twice, run-outs, refunds, 12 × kill -9 of API"
        " processes: three on PostgreSQL, one on SQLite",
        (caps.TOKENS,),
    ),
    Row(
        31,
        "One large account does not slow down the others",
        "10,000 live rentals on one account: each operation relative to an account with one; run-out and deletion in batches",
        (large_account, LARGE),
    ),
    Row(
        34,
        "Anonymous abuse stays cheap for the operator",
        "20,000 hang-ups and wrong requests of 28 kinds, 1,000 slow connections, healthy clients beside them; 1,000 accounts of"
        " one network that rent and end in a loop for refunds",
        (STRANGERS, caps.REFUNDS),
    ),
]
BY_NUMBER = {row.number: row for row in ROWS}
