"""Every promise that is proved so far, with its size, its figures and its bound."""

from collections.abc import Sequence

from benchmarks.proofs.disk import full_disk
from benchmarks.proofs.power import power_cuts
from benchmarks.proofs.row import Row, Together
from benchmarks.proofs.tested import Printed, Program, Tests

KILLED = Tests(
    ["tests/whole/test_kill.py"],
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
)


def _money(engine: str, name: str, *, steps: int, more: Sequence[str] = ()) -> Tests:
    """The state machine on one engine. A step takes five times as long on PostgreSQL: it gets fewer of them."""
    return Tests(
        [f"tests/money/test_machine.py::test_every_satoshi_is_where_counting_says_it_is[{engine}]", *more],
        full={"DTMF_MONEY_STEPS": f"{steps}", "DTMF_MONEY_STEPS_POSTGRESQL": f"{steps}", "DTMF_MONEY_EXAMPLES": "5000"},
        small={"DTMF_MONEY_STEPS": "1000", "DTMF_MONEY_STEPS_POSTGRESQL": "100", "DTMF_MONEY_EXAMPLES": "50"},
        printed=[Printed(f"steps on {name}", rf"(\d+) steps on {engine}", None)],
        failed=f"violations on {name}",
    )


MONEY = Together(
    (
        _money("sqlite", "SQLite", steps=900_000, more=["tests/money/test_billing.py"]),
        _money("postgresql", "PostgreSQL", steps=100_000),
    )
)
MUTANTS = Program(
    ["-m", "money.mutants", "--all"],
    [
        Printed("mutants caught", r"mutants caught: (\d+)/", lambda caught: caught > 0),
        Printed("of", r"mutants caught: \d+/(\d+)", None),
    ],
    small_command=["-m", "money.mutants", "--only", "core/billing.py", "--steps", "1500"],
)
RACES = Tests(
    ["tests/money/test_races.py", "tests/scale/test_races.py"],
    printed=[
        Printed("overspent sats", r"overspent (\d+) sats"),
        Printed("live rentals of the one number", r"processes: (\d+) live rentals", lambda live: live == 1),
    ],
)
MALFORMED = Tests(
    ["tests/api/test_malformed.py", "tests/api/test_openapi.py"],
    full={"DTMF_TEST_MALFORMED": "10000", "DTMF_TEST_EXAMPLES": "1000"},
    small={"DTMF_TEST_MALFORMED": "500", "DTMF_TEST_EXAMPLES": "3"},
    printed=[
        Printed("malformed requests", r"(\d+) malformed requests", None),
        Printed("requests made from the document", r"(\d+) requests made from the document", None),
        Printed("answered badly", r": (\d+) answered badly"),
    ],
)
TOKENS = Tests(
    ["tests/api/test_tokens.py"],
    full={"DTMF_TEST_GUESSES": "1000000"},
    small={"DTMF_TEST_GUESSES": "20000"},
    printed=[Printed("random tokens", r"(\d+) random tokens", None), Printed("well-formed", r": (\d+) well-formed")],
)
COMMANDS = Tests(
    ["tests/scale/test_killed_commands.py", "tests/scale/test_backups.py", "tests/storage/test_migrations.py"],
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

ROWS = [
    Row(1, "Nothing acknowledged is lost, nobody is charged twice", "200 × kill -9 on each engine", (KILLED,), 60),
    Row(2, "The same at power loss", "100 power cuts, then as many with synchronous=NORMAL", (power_cuts,), 60),
    Row(
        3, "A full disk stops acceptance, not the service", "a small disk filled under load, 3 times", (full_disk,), 10
    ),
    Row(
        4,
        "The money is right",
        "10⁶ steps of a state machine against a per-minute oracle; 30 seeded mutants",
        (MONEY, MUTANTS),
        240,
    ),
    Row(5, "No overspend under races", "64 clients, one balance; 100 for one number; 3 API processes", (RACES,), 10),
    Row(6, "Clocks may jump", "−1 h, +1 y, a day down past the run-out", (Tests(["tests/money/test_clocks.py"]),), 10),
    Row(
        7,
        "Retries are safe",
        "each POST × 10 with one key; the reply cut at every byte",
        (Tests(["tests/api/test_retries.py", "tests/api/test_cut.py"]),),
        15,
    ),
    Row(
        8, "A recycled number leaks nothing", "the next renter reads all", (Tests(["tests/whole/test_recycled.py"]),), 5
    ),
    Row(
        10,
        "Webhooks never lose an SMS",
        "200 numbers, 2,000 SMS while down for a day, as many while flapping",
        (
            Tests(
                ["tests/webhooks/test_down_and_back.py", "tests/webhooks/test_programme.py"],
                full={"DTMF_WEBHOOKS_NUMBERS": "200", "DTMF_WEBHOOKS_SMS": "2000"},
            ),
        ),
        30,
    ),
    Row(
        11,
        "Bad receivers hurt only themselves",
        "500 dead hosts, drips, floods, bombs",
        (Tests(["tests/webhooks/test_bad_receivers.py"], full={"DTMF_WEBHOOKS_DEAD": "500"}),),
        15,
    ),
    Row(
        12,
        "Signatures can't be forged",
        "verified by another's library; 100,000 bit flips; rotation",
        (Tests(["tests/webhooks/test_signatures.py"], full={"DTMF_WEBHOOKS_FLIPS": "100000"}),),
        15,
    ),
    Row(15, "Bad input gets a clear error", "10,000 malformed requests; 1,000 per operation", (MALFORMED,), 45),
    Row(17, "Tenants are apart", "every operation × every wrong token", (Tests(["tests/api/test_tenants.py"]),), 5),
    Row(18, "Tokens resist guessing", "1,000,000 random tokens", (TOKENS,), 10),
    Row(
        22,
        "Upgrades and restores keep the books",
        "migrate, backup, restore killed at each step; each byte cut, each bit flipped",
        (COMMANDS,),
        60,
    ),
]
BY_NUMBER = {row.number: row for row in ROWS}
