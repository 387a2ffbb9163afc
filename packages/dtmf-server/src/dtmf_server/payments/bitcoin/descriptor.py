"""Addresses from a public descriptor (BIP-380), by embit. Private keys never come here.

One key, one branch, one address an index: `wpkh([fingerprint/84h/0h/0h]xpub…/0/*)#checksum`, or tr, pkh, sh(wpkh).
"""

import re
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from embit import script
from embit.base import EmbitError
from embit.bip32 import HDKey
from embit.descriptor import checksum
from embit.networks import NETWORKS

# Public keys whose private half was thrown away: coins sent there, on any network, are nobody's.
SANDBOX_DESCRIPTOR = (
    "wpkh([9d873d58/84h/1h/0h]tpubDC7WhN57y8FrKEwd7rn2t67hcRLp9ua1RsQXqt7F8oa4vJcBYBhGjEtCKDDafGwfHFH2ptfaST93"
    "L2iqEnLSq4c6FKnxKyzKogahT1Pq1ro/0/*)#m3xt0eg7"
)
DERIVED_AHEAD = 16
INDEX_MAX = 2**31 - 1  # BIP-32: indexes above are hardened

Derive = Callable[[int], tuple[str, bytes]]

_SCRIPTS = {  # BIP-84, BIP-86, BIP-44, BIP-49
    "wpkh": script.p2wpkh,
    "tr": script.p2tr,
    "pkh": script.p2pkh,
    "sh(wpkh": lambda key: script.p2sh(script.p2wpkh(key)),
}
_PARAMETERS = {"main": "main", "test": "test", "testnet4": "test", "signet": "signet", "regtest": "regtest"}
# Where a key begins: an extended private one, or one alone in WIF.
_PRIVATE = re.compile(r"(?:^|[^0-9A-Za-z])(?:[A-Za-z]prv|[5KLc9][1-9A-HJ-NP-Za-km-z]{50,51}(?![0-9A-Za-z]))")
_ORIGIN = re.compile(r"\[[0-9a-fA-F]{8}(/[0-9]+[h'H]?)*\]")
_STEP = re.compile(r"[0-9]{1,10}")


class BadDescriptor(ValueError):
    """A descriptor that can't be watched; its text says why, for whoever wrote the configuration."""


def deriver(descriptor: str, network: str) -> Derive:
    """A function from an index to its address and scriptPubKey. Raises BadDescriptor."""
    text, right = _checked(descriptor)
    kind, key, path = _parsed(text, network)
    if "#" not in descriptor:
        raise BadDescriptor(
            f"the descriptor has no checksum: see that it is the wallet's to the letter, then end it with #{right}"
        )
    branch = key.derive(path) if path else key
    parameters, make = NETWORKS[_PARAMETERS[network]], _SCRIPTS[kind]

    def derive(index: int) -> tuple[str, bytes]:
        script_pubkey = make(branch.child(index).key)
        return script_pubkey.address(parameters), bytes(script_pubkey.data)

    return derive


def prefetching(derive: Derive) -> Derive:
    """The same, with the next ones derived while the caller goes on: whoever asks for one will ask for the next."""
    helper = ThreadPoolExecutor(1, thread_name_prefix="derive")
    begun: dict[int, Future[tuple[str, bytes]]] = {}

    def derive_and_go_on(index: int) -> tuple[str, bytes]:
        ready = begun.pop(index, None)
        if index + 1 not in begun:
            begun.clear()
            begun.update({n: helper.submit(derive, n) for n in range(index + 1, index + 1 + DERIVED_AHEAD)})
        return ready.result() if ready else derive(index)

    return derive_and_go_on


def _checked(descriptor: str) -> tuple[str, str]:
    """The text without its checksum, which is right if there is one, and the right one."""
    if _PRIVATE.search(descriptor):
        raise BadDescriptor(
            "the descriptor has a private key: it must never be given to the service. Take the wallet's public"
            " descriptor, and treat the key you wrote here as known to others"
        )
    text, sign, given = descriptor.strip().partition("#")
    try:
        right: str = checksum.checksum(text)
    except EmbitError as error:
        raise BadDescriptor(f"the descriptor has a character that none may have: {error}") from error
    if sign and given != right:
        raise BadDescriptor(
            f"the descriptor ends with the checksum {given!r}, but its text gives {right!r}: it was changed or"
            " copied wrong; take it from the wallet again"
        )
    return text, right


def _parsed(text: str, network: str) -> tuple[str, HDKey, list[int]]:
    """Which script, the extended key, and the steps from it to the wildcard."""
    kind = next((kind for kind in _SCRIPTS if text.startswith(kind + "(")), None)
    closing = ")" * (kind.count("(") + 1) if kind else ""
    if kind is None or not text.endswith(closing):
        raise BadDescriptor(
            f"the descriptor begins with {text[:12]!r}: only wpkh(…), tr(…), pkh(…) and sh(wpkh(…)) of one key are"
            " watched, no multisig and no miniscript"
        )
    inner = text[len(kind) + 1 : -len(closing)]
    if "," in inner:
        raise BadDescriptor("the descriptor has scripts or further keys beside its key: only a single key is watched")
    origin = _ORIGIN.match(inner)
    if inner.startswith("[") and origin is None:
        raise BadDescriptor("the part in [ ] is not a key's origin like [73c5da0a/84h/0h/0h]")
    key, *steps = inner[origin.end() if origin else 0 :].split("/")
    return kind, _extended_key(key, network), _path(steps)


def _extended_key(text: str, network: str) -> HDKey:
    wanted = "xpub" if network == "main" else "tpub"
    if re.fullmatch(r"[0-9a-fA-F]{64,130}", text):
        raise BadDescriptor(
            f"the descriptor has a single public key, so everyone would get the same address: give a {wanted}…/0/*"
        )
    if text[1:4] == "pub" and text[0] not in "xt":
        raise BadDescriptor(
            f"{text[:4]} is a form that descriptors don't have (SLIP-132): export the key as {wanted}, and say what"
            " it is for by wpkh(…), sh(wpkh(…)) or pkh(…)"
        )
    if text[:4] in {"xpub", "tpub"} and text[:4] != wanted:
        raise BadDescriptor(f"{text[:4]} is a key of another network: {network!r} has {wanted}…")
    try:
        key = HDKey.from_base58(text)
    except Exception as error:  # embit's errors have no common base
        raise BadDescriptor(f"{text[:12]}… is not an extended public key ({wanted}…): {error}") from error
    assert not key.is_private, "it begins like a public one"
    return key


def _path(steps: list[str]) -> list[int]:
    """The steps before the wildcard, which must be the last."""
    for step in steps:
        if step.endswith(("h", "'", "H")):
            raise BadDescriptor(
                f"/{step} after the extended key is hardened, which needs the private key: derive it in the wallet,"
                " and write the step into the origin, [fingerprint/84h/0h/0h]xpub…"
            )
        if step.startswith(("<", "{")):
            raise BadDescriptor(f"/{step} is several branches at once: give the receiving branch alone, usually /0/*")
    if not steps or steps[-1] != "*":
        raise BadDescriptor("the descriptor has no /* at its end, so everyone would get the same address")
    for step in steps[:-1]:
        if not _STEP.fullmatch(step) or int(step) > INDEX_MAX:
            raise BadDescriptor(f"/{step} is not a step from one key to the next: only numbers, and /* at the end")
    return [int(step) for step in steps[:-1]]
