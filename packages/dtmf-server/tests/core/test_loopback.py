"""Recognition of loopback hosts."""

import pytest

from dtmf_server.core.hosts import is_loopback


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.2", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1"])
def test_loopback_hosts(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        *(
            "",
            "0.0.0.0",
            "::",
            "192.0.2.1",
            "10.0.0.1",
            "example.org",
            "localhost.example.org",
            "127.0.0.1.example.org",
        ),
        *("127.1", "[::1]", "fe80::1%lo", "127.0.0.1:80", "2130706433", "LOCALHOST."),
    ],
)
def test_other_hosts(host: str) -> None:
    assert not is_loopback(host)
