"""Every `Raises` of the public document: a ValueError that quotes the value, before anything is sent."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from dtmf import ConnectionFailedError, InvalidRequestError
from dtmf_server.storage.db import Database
from end_to_end.clients import BOTH, client_of
from harness import give_coins, new_token, open_account
from support.invalid_arguments import NOT_A_GROUP_TYPE, NOT_A_URL, NOT_AN_ACTION, NOT_E164

N = "+1234567890"
URL = "https://example.org/webhook"
# (method, arguments before the malformed one, arguments after it, malformed values)
RAISES: list[tuple[str, tuple[Any, ...], tuple[Any, ...], list[Any]]] = [
    ("groups", (), (), NOT_A_GROUP_TYPE),
    ("number", (), (), NOT_E164),
    ("end_rental", (), (), NOT_E164),
    ("set_sms_action", (), (None, None), NOT_E164),
    ("set_sms_action", (), ("forward", N), NOT_E164),
    ("set_sms_action", (), ("webhook", URL), NOT_E164),
    ("set_sms_action", (N,), (None,), NOT_AN_ACTION),
    ("set_sms_action", (N,), (N,), NOT_AN_ACTION),
    ("set_sms_action", (N,), (URL,), NOT_AN_ACTION),
    ("set_sms_action", (N, "forward"), (), [*NOT_E164, URL]),
    ("set_sms_action", (N, "webhook"), (), [*NOT_A_URL, None, N]),
    ("set_sms_action", (N, None), (), [*(value for value in NOT_E164 if value is not None), *NOT_A_URL, N, URL]),
]
CASES = [pytest.param(*row, id=f"{row[0]}-{len(row[1])}-{row[2]}") for row in RAISES]


@pytest.fixture(params=BOTH)
def nowhere(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A client of an address without a listener: any use of the network raises ConnectionFailedError."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        with client_of(request.param, "token", f"http://127.0.0.1:{port}", max_retries=0) as client:
            yield client


@pytest.mark.parametrize(("method", "before", "after", "malformed"), CASES)
def test_a_malformed_argument_raises_value_error_before_any_network(
    nowhere: Any, method: str, before: tuple[Any, ...], after: tuple[Any, ...], malformed: list[Any]
) -> None:
    assert len(malformed) >= 20
    for value in malformed:
        with pytest.raises(ValueError) as caught:
            getattr(nowhere, method)(*before, value, *after)
        # Neither an error response of the service, which is also a ValueError, nor a failed connection, which is not.
        assert type(caught.value) is ValueError, ascii(value)
        assert repr(value)[:40] in str(caught.value), ascii(value)


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("groups", ("mobile",)),
        ("groups", ("local",)),
        ("number", (N,)),
        ("end_rental", (N,)),
        ("set_sms_action", (N, None, None)),
        ("set_sms_action", (N, "forward", "+44123456789")),
        ("set_sms_action", (N, "webhook", URL)),
        ("set_sms_action", (N, "webhook", "http://example.org/webhook")),
    ],
)
def test_well_formed_arguments_reach_the_network(nowhere: Any, method: str, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(ConnectionFailedError) as caught:
        getattr(nowhere, method)(*arguments)
    assert not isinstance(caught.value, ValueError)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("kind", BOTH)
def test_arguments_that_only_the_service_can_reject_raise_value_error_too(kind: Any, db: Database, url: str) -> None:
    give_coins(db, open_account(db), 50_000)
    with client_of(kind, new_token(), url) as dtmf:
        number = dtmf.start_rental("us-mobile")["e164"]
        for destination in ("http://example.org/webhook", "https://10.0.0.1/webhook", "https://router.local/webhook"):
            with pytest.raises(ValueError) as caught:
                dtmf.set_sms_action(number, "webhook", destination)
            assert isinstance(caught.value, InvalidRequestError)
        with pytest.raises(ValueError, match="itself"):
            dtmf.set_sms_action(number, "forward", number)
        assert dtmf.number(number)["sms_forwarded_to"] is None
