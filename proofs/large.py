"""One account with 10,000 live rentals beside one with a single rental, on both engines: nothing takes 1.5 times as long."""

from benchmarks import databases, large

from proofs.claim import Figure, Outcome


def large_account(*, small: bool, bound_s: float) -> Outcome:
    """Compare each operation with the same on the account with one rental. Bounded by counts; `bound_s` is not needed."""
    del bound_s
    figures = []
    for engine in (databases.sqlite, databases.postgresql):
        with engine() as files:
            for line in large.findings(files, rentals=300 if small else 10_000, turns=3 if small else 15):
                is_kept = small or line.bound is None or line.figure <= line.bound.value
                figures.append(Figure(line.name, round(line.figure, 2), is_kept))
    return Outcome(figures)
