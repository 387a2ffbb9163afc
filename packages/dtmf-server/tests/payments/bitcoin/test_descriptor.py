"""Descriptors: the published test vectors, and an error message for each unsupported one."""

import threading

import pytest
from embit.descriptor.checksum import add_checksum

from dtmf_server.payments.bitcoin.descriptor import SANDBOX_DESCRIPTOR, BadDescriptor, deriver, prefetching

# Accounts of the mnemonic "abandon … about" (BIP-39), as published in BIP-49, BIP-84 and BIP-86.
X44 = "xpub6BosfCnifzxcFwrSzQiqu2DBVTshkCXacvNsWGYJVVhhawA7d4R5WSWGFNbi8Aw6ZRc1brxMyWMzG3DSSSSoekkudhUd9yLb6qx39T9nMdj"
X49 = "tpubDD7tXK8KeQ3YY83yWq755fHY2JW8Ha8Q765tknUM5rSvjPcGWfUppDFMpQ1ScziKfW3ZNtZvAD7M3u7bSs7HofjTD3KP3YxPK7X6hwV8Rk2"
X84 = "xpub6CatWdiZiodmUeTDp8LT5or8nmbKNcuyvz7WyksVFkKB4RHwCD3XyuvPEbvqAQY3rAPshWcMLoP2fMFMKHPJ4ZeZXYVUhLv1VMrjPC7PW6V"
X86 = "xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3VCECoY49yfdDEHGCtMMj92pReUsQ"


@pytest.mark.parametrize(
    ("descriptor", "network", "addresses"),
    [
        (f"pkh({X44}/0/*)", "main", ["1LqBGSKuX5yYUonjxT5qGfpUsXKYYWeabA", "1Ak8PffB2meyfYnbXZR9EGfLfFZVpzJvQP"]),
        (f"sh(wpkh({X49}/0/*))", "test", ["2Mww8dCYPUpKHofjgcXcBCEGmniw9CoaiD2"]),
        (
            f"wpkh([73c5da0a/84h/0h/0h]{X84}/0/*)",
            "main",
            ["bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu", "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g"],
        ),
        (f"wpkh([73c5da0a/84'/0'/0']{X84}/1/*)", "main", ["bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el"]),
        (
            f"tr([73c5da0a/86h/0h/0h]{X86}/0/*)",
            "main",
            [
                "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
                "bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh",
            ],
        ),
    ],
)
def test_addresses_match_the_published_vectors(descriptor: str, network: str, addresses: list[str]):
    derive = deriver(add_checksum(descriptor), network)
    assert [derive(index)[0] for index in range(len(addresses))] == addresses


def test_the_sandbox_uses_regtest_addresses():
    address, script_pubkey = deriver(SANDBOX_DESCRIPTOR, "regtest")(1)
    assert address.startswith("bcrt1q")
    assert len(script_pubkey) == 22


def test_deriving_ahead_changes_no_address():
    derive, is_ahead = deriver(SANDBOX_DESCRIPTOR, "regtest"), threading.Event()

    def noting(index: int) -> tuple[str, bytes]:
        if index == 502:
            is_ahead.set()
        return derive(index)

    given = prefetching(noting)
    order = [*range(1, 30), 5, 500, 3, 501, 2**31 - 1]
    assert [given(index) for index in order] == [derive(index) for index in order]
    assert is_ahead.wait(20), "address 502 was not derived ahead, after 501"
    with pytest.raises(Exception, match="hardened"):  # the last index has no successor, which fails only on request
        given(2**31)


def test_a_correct_checksum_is_accepted():
    assert deriver(f"wpkh({X84}/0/*)#kj7aqcx6", "main")(0)


ZPUB = "zpub6rFR7y4Q2AijBEqTUquhVz398htDFrtymD9xYYfG1m4wAcvPhXNfE3EfH1r1ADqtfSdVCToUG868RvUUkgDKf31mGDtKsAYz2oz2AGutZYs"
XPRV = "xprv9s21ZrQH143K3GJpoapnV8SFfukcVBSfeCficPSGfubmSFDxo1kuHnLisriDvSnRRuL2Qrg5ggqHKNVpxR86QEC8w35uxmGoggxtQTPvfUu"
WIF = "KwDiBf89QgGbjEhKnhXJuH7LrciVrZi3qYjgd9M7rFU73sVHnoWn"
KEY = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"


@pytest.mark.parametrize(
    ("descriptor", "said"),
    [
        (f"wpkh({XPRV}/0/*)", "contains a private key"),
        (f"wpkh({WIF})", "contains a private key"),
        (f"wpkh([73c5da0a/84h/0h/0h]{XPRV}/0/*)#aaaaaaaa", "contains a private key"),
        (f"wsh(sortedmulti(1,{X84}/0/*,{XPRV}/0/*))", "contains a private key"),
        (f"tr({X86}/0/*,pk({WIF}))", "contains a private key"),
        (f"wpkh({XPRV.replace('xprv', 'zprv')}/0/*)", "contains a private key"),
        (XPRV, "contains a private key"),
        (f"wpkh({X84}/0)", "does not end in /*"),
        (f"wpkh({X84})", "does not end in /*"),
        (f"wpkh({X84}/*/0)", "does not end in /*"),
        (f"wpkh({KEY})", "has a single public key"),
        (f"wpkh({X84}/0h/*)", "/0h after the extended key is hardened"),
        (f"wpkh({X84}/0'/*)", "is hardened"),
        (f"wpkh({X84}/0/*h)", "is hardened"),
        (f"wpkh({X84}/<0;1>/*)", "several branches at once"),
        (f"wpkh({X84}/-1/*)", "is not a valid derivation step"),
        (f"wpkh({X84}/x/*)", "is not a valid derivation step"),
        (f"wpkh({X84}/2147483648/*)", "is not a valid derivation step"),
        (f"wpkh({X84}/*/*)", "is not a valid derivation step"),
        (f"wpkh({X49}/0/*)", "tpub is a key of another network: 'main' uses xpub"),
        (f"wpkh({ZPUB}/0/*)", "zpub is a SLIP-132 prefix"),
        (f"sh(wpkh({ZPUB.replace('zpub', 'ypub')}/0/*))", "ypub is a SLIP-132 prefix"),
        (
            f"wpkh({X84}/0/*)",
            "has no checksum: check it against the wallet's character by character, then append #kj7aqcx6",
        ),
        (f"wpkh({X84}/0/*)#aaaaaaaa", "it was changed or copied incorrectly"),
        (f"wpkh({X84}/0/*)#", "it was changed or copied incorrectly"),
        (f"wpkh({X84[:-1]}W/0/*)", "is not an extended public key"),
        (f"wpkh([73c5da0/84h]{X84}/0/*)", "is not a key's origin"),
        (f"wsh(multi(1,{X84}/0/*))", "only wpkh(…), tr(…), pkh(…) and sh(wpkh(…))"),
        (f"sh(wsh(pk({X84}/0/*)))", "only wpkh(…), tr(…), pkh(…) and sh(wpkh(…))"),
        (f"tr({X86}/0/*,pk({X84}/0/*))", "scripts or more than one key"),
        (f"wpkh({X84}/0/*", "only wpkh(…)"),
        ("", "only wpkh(…)"),
        ("wpkh()", "is not an extended public key"),
        (f"addr({X84})", "only wpkh(…)"),
        (f"wpkh({X84}/0/*é)#aaaaaaaa", "contains an invalid character"),
    ],
)
def test_an_unsupported_descriptor_is_refused_with_the_reason(descriptor: str, said: str):
    with pytest.raises(BadDescriptor) as refused:
        deriver(descriptor, "main")
    assert said in str(refused.value)
    assert XPRV not in str(refused.value)
    assert WIF not in str(refused.value)
