"""Credentials: those that can spend are refused without any risk, those that can't work, and wrong ones are named."""

from pathlib import Path

import pytest

from dtmf_server.config import ConfigError, load
from dtmf_server.payments.lightning import lnd_macaroon, registry
from dtmf_server.payments.lightning.base import CanSpend, NodeUnavailable
from dtmf_server.payments.lightning.cln_rune import METHODS, permitted
from support.lightning import cln, lnd
from support.lightning.shapes import Backend, Shape
from support.lightning.simulated_node import SimulatedNode


async def test_credentials_that_can_spend_are_refused_and_nothing_is_paid(
    backend: Backend, shape: Shape, simulated: SimulatedNode
) -> None:
    with pytest.raises(CanSpend) as raised:
        await backend(**shape.full).check_credentials()
    assert set(simulated.attempts_to_pay) <= {"none", ""}  # no invoice
    assert not [
        value
        for value in shape.full.values()
        if isinstance(value, str) and len(value) > 8 and value in str(raised.value)
    ]


async def test_credentials_that_can_only_receive_are_accepted(backend: Backend, simulated: SimulatedNode) -> None:
    await backend().check_credentials()
    assert simulated.attempts_to_pay == []


@pytest.mark.parametrize("kind", ["cln", "lnd"], indirect=True)
async def test_a_node_that_permits_more_than_the_credentials_say_is_refused(
    backend: Backend, simulated: SimulatedNode
) -> None:
    simulated.permits_everything = True
    with pytest.raises(CanSpend, match="did not deny a payment"):
        await backend().check_credentials()


async def test_wrong_credentials_name_their_setting(backend: Backend, shape: Shape) -> None:
    (setting,) = [name for name in shape.wrong if name not in ("user", "allow_hot_wallet")]
    with pytest.raises((NodeUnavailable, CanSpend), match=f"lightning.{setting}"):
        await backend(**shape.wrong).check_credentials()


@pytest.mark.parametrize(
    "more",
    [
        *("offchain:write", "onchain:write", "macaroon:generate", "macaroon:write", "address:write", "peers:write"),
        *("signer:generate", "info:write", "uri:/lnrpc.Lightning/SendPaymentSync"),
    ],
)
@pytest.mark.parametrize("kind", ["lnd"], indirect=True)
async def test_every_other_permission_of_lnd_is_refused(backend: Backend, more: str) -> None:
    with pytest.raises(CanSpend, match="bake one that cannot"):
        await backend(macaroon=lnd.macaroon(*lnd.PERMISSIONS, more)).check_credentials()


@pytest.mark.parametrize("missing", lnd.PERMISSIONS)
@pytest.mark.parametrize("kind", ["lnd"], indirect=True)
async def test_a_permission_of_lnd_that_is_missing_is_named(backend: Backend, missing: str) -> None:
    rest = [each for each in lnd.PERMISSIONS if each != missing]
    with pytest.raises(NodeUnavailable, match=r"lncli bakemacaroon"):
        await backend(macaroon=lnd.macaroon(*rest)).check_credentials()


def test_the_permissions_of_a_macaroon_are_read() -> None:
    found = lnd_macaroon.permissions(bytes.fromhex(lnd.macaroon("info:read", "onchain:read", "onchain:write")))
    assert found == ["info:read", "onchain:read", "onchain:write"]


@pytest.mark.parametrize("macaroon", ["", "02", "0201036c6e6402", "01" * 40, "0202f801" + "ff" * 40, "ff" * 99])
def test_other_bytes_are_not_a_macaroon(macaroon: str) -> None:
    with pytest.raises(ValueError, match=r"macaroon|identifier|number|codec"):
        lnd_macaroon.permissions(bytes.fromhex(macaroon))


@pytest.mark.parametrize(
    ("restrictions", "methods"),
    [
        (["|".join(f"method={method}" for method in METHODS)], set(METHODS)),
        (["method=invoice|method=pay"], {"invoice", "pay"}),
        (["method=invoice|method=pay", "method=invoice"], {"invoice"}),
        (["method=invoice", "rate=60"], {"invoice"}),
        (["method^list|method^get"], None),
        (["method=invoice|method^pay"], None),
        (["method=invoice|rate=60"], None),  # either alternative is enough
        (["method/pay"], None),
        ([], None),
    ],
)
def test_the_methods_that_a_rune_permits_are_read(restrictions: list[str], methods: set[str] | None) -> None:
    assert permitted(cln.rune(*restrictions)) == methods


@pytest.mark.parametrize("rune", ["", "abc", "ÿ", "=" * 60, "/" * 60])
def test_other_texts_permit_no_known_methods(rune: str) -> None:
    assert permitted(rune) is None


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ('kind = "lnd"', "needs macaroon"),
        ('kind = "lnd"\nmacaroon = "secret-Zq7"', "macaroon must be a macaroon in hexadecimal"),
        ('kind = "lnd"\nmacaroon = "%s"\nurl = "http://lnd.example:8080"' % ("ab" * 40), "must begin with https://"),
        ('kind = "cln"\nrune = "a b"', "rune must be a rune"),
        ('kind = "phoenixd"\npassword = "x"\nurl = "http://user:secret-Zq7@127.0.0.1:9740"', "must be a URL like"),
        ('kind = "phoenixd"\npassword = "x"\nurl = "ftp://127.0.0.1"', "must be a URL like"),
        (
            'kind = "electrum"\nurl = "http://127.0.0.1:7777"\nuser = "u"\npassword = "p"',
            "allow_hot_wallet must be true",
        ),
        ('kind = "lnbits"\ninvoice_key = "x"', "needs url"),
        ('kind = "eclair"', "Kinds: cln, electrum"),
    ],
)
def test_invalid_settings_are_refused_without_the_secret(tmp_path: Path, text: str, cause: str) -> None:
    path = tmp_path / "dtmf.toml"
    path.write_text(f'mode = "production"\n[lightning]\n{text}\n')
    with pytest.raises(ConfigError, match=cause) as raised:
        load(path, {}, lightning_of=registry.settings_class)
    assert "secret-Zq7" not in str(raised.value) or "url" in str(raised.value)


def test_a_sandbox_only_uses_nodes_on_this_machine(tmp_path: Path) -> None:
    path = tmp_path / "dtmf.toml"
    path.write_text('[lightning]\nkind = "phoenixd"\npassword = "x"\nurl = "http://10.0.0.7:9740"\n')
    with pytest.raises(ConfigError, match="a sandbox may only use nodes on loopback"):
        load(path, {}, lightning_of=registry.settings_class)


def test_credentials_come_from_the_environment_and_from_files(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("limited-Zq7\n")
    environ = {"DTMF_LIGHTNING__KIND": "phoenixd", "DTMF_LIGHTNING__PASSWORD_FILE": str(secret)}
    config = load(None, environ, lightning_of=registry.settings_class)
    assert config.lightning.password == "limited-Zq7"  # type: ignore[attr-defined]  # of the kind's class
    assert "limited-Zq7" not in repr(config)
