"""Restrictions of a new token are sent as given, and wrong ones are refused before anything is sent."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from .stub import Stub, reply


def test_restrictions_are_sent_and_those_left_out_are_not(dtmf: Any, stub: Stub) -> None:
    stub.then(reply(201, b'{"id": 7, "label": "bot", "token": "x"}'))
    expires_at = datetime(2030, 1, 1, tzinfo=UTC)
    dtmf.create_token("bot", scopes=("read", "rent"), groups={"us-mobile"}, expires_at=expires_at, sats_max=2000)
    assert json.loads(stub.received[0].body) == {
        "label": "bot",
        "scopes": ["read", "rent"],
        "groups": ["us-mobile"],
        "expires_at": "2030-01-01T00:00:00+00:00",
        "sats_max": 2000,
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": []},
        {"scopes": [1]},
        {"scopes": 1},
        {"groups": [None]},
        {"expires_at": datetime(2030, 1, 1)},  # noqa: DTZ001  # without a time zone
        {"expires_at": "2030-01-01"},
        *[{name: value} for name in ("sats_max", "sats_per_day", "rentals_max") for value in (0, -1, 1.0, True, "1")],
    ],
)
def test_wrong_restrictions_are_refused_before_anything_is_sent(dtmf: Any, stub: Stub, wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(ValueError, match=name):
        dtmf.create_token("bot", **wrong)
    assert stub.received == []
