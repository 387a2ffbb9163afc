"""Submits in doubt that a carrier can't answer for hold up no other ones."""

from types import SimpleNamespace
from typing import Any

import pytest

from dtmf_server.carriers.base import CarrierRefused
from dtmf_server.storage import in_flight
from dtmf_server.workers import carrier_links


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The messages asked about. The carrier knows only those above ID 9."""
    found: list[int] = []

    def rows(_tx: object, *, carrier: str, after: int, limit: int) -> list[dict[str, int]]:
        return [{"id": id_} for id_ in range(after + 1, 13)][:limit]

    async def settle(_runtime: object, _carrier: object, row: dict[str, int]) -> None:
        found.append(row["id"])
        if row["id"] <= 9:
            raise CarrierRefused("more than one fits", permanent=False)

    monkeypatch.setattr(in_flight, "in_doubt_at", rows)
    monkeypatch.setattr(carrier_links, "_settle_doubt", settle)
    return found


async def test_an_sms_that_the_carrier_cannot_answer_for_holds_up_no_other(asked: list[int]) -> None:
    async def read(fn: Any) -> Any:
        return fn(None)

    runtime: Any = SimpleNamespace(db=SimpleNamespace(read=read))
    carrier: Any = SimpleNamespace(name="pigeon")
    after = 0
    for expected in (5, 0, 5):
        after = await carrier_links._settle_some(runtime, carrier, after=after)
        assert after == expected
    assert asked == [*range(1, 13), *range(1, 6)]
