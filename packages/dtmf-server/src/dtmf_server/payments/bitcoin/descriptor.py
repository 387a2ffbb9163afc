"""Derives addresses from a public descriptor (BIP-380) with embit. Private keys are never accepted.

One key, one branch, one address per index: `wpkh([fingerprint/84h/0h/0h]xpub…/0/*)#checksum`, or tr, pkh, sh(wpkh).
"""

import re
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from embit import script
from embit.base import EmbitError
from embit.bip32 import HDKey
from embit.descriptor import checksum
from embit.networks import NETWORKS

# Public keys whose private keys were discarded: coins sent to them, on any network, are lost.
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
# Where a private key starts: an extended one, or a single one in WIF.
_PRIVATE = re.compile(r"(?:^|[^0-9A-Za-z])(?:[A-Za-z]prv|[5KLc9][1-9A-HJ-NP-Za-km-z]{50,51}(?![0-9A-Za-z]))")
_ORIGIN = re.compile(r"\[[0-9a-fA-F]{8}(/[0-9]+[h'H]?)*\]")
_STEP = re.compile(r"[0-9]{1,10}")


class BadDescriptor(ValueError):
    """A descriptor that cannot be watched; its text is the reason, for the operator."""


def deriver(descriptor: str, network: str) -> Derive:
    """Return a function from an index to its address and scriptPubKey. Raises BadDescriptor."""
    text, right = _checked(descriptor)
    kind, key, path = _parsed(text, network)
    if "#" not in descriptor:
        raise BadDescriptor(
            f"the descriptor has no checksum: check it against the wallet's character by character, then append #{right}"
        )
    branch = key.derive(path) if path else key
    parameters, make = NETWORKS[_PARAMETERS[network]], _SCRIPTS[kind]

    def derive(index: int) -> tuple[str, bytes]:
        script_pubkey = make(branch.child(index).key)
        return script_pubkey.address(parameters), bytes(script_pubkey.data)

    return derive


def ahead(derive: Derive) -> Derive:
    """Return the same function, deriving the next addresses in the background: a caller that needs one will need the
    next."""
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
    """Return the text without its checksum, which is verified if present, and the valid checksum."""
    if _PRIVATE.search(descriptor):
        raise BadDescriptor(
            "the descriptor contains a private key, which the service must never have. Use the wallet's public"
            " descriptor, and treat this key as compromised"
        )
    text, sign, given = descriptor.strip().partition("#")
    try:
        right: str = checksum.checksum(text)
    except EmbitError as error:
        raise BadDescriptor(f"the descriptor contains an invalid character: {error}") from error
    if sign and given != right:
        raise BadDescriptor(
            f"the descriptor ends with the checksum {given!r}, but the checksum of its text is {right!r}: it was changed or"
            " copied incorrectly; copy it from the wallet again"
        )
    return text, right


def _parsed(text: str, network: str) -> tuple[str, HDKey, list[int]]:
    """Return the script type, the extended key, and the steps from it to the wildcard."""
    kind = next((kind for kind in _SCRIPTS if text.startswith(kind + "(")), None)
    closing = ")" * (kind.count("(") + 1) if kind else ""
    if kind is None or not text.endswith(closing):
        raise BadDescriptor(
            f"the descriptor begins with {text[:12]!r}: only wpkh(…), tr(…), pkh(…) and sh(wpkh(…)) of one key are"
            " supported, not multisig or miniscript"
        )
    inner = text[len(kind) + 1 : -len(closing)]
    if "," in inner:
        raise BadDescriptor("the descriptor has scripts or more than one key: only a single key is supported")
    origin = _ORIGIN.match(inner)
    if inner.startswith("[") and origin is None:
        raise BadDescriptor("the part in [ ] is not a key's origin like [73c5da0a/84h/0h/0h]")
    key, *steps = inner[origin.end() if origin else 0 :].split("/")
    return kind, _extended_key(key, network), _path(steps)


def _extended_key(text: str, network: str) -> HDKey:
    wanted = "xpub" if network == "main" else "tpub"
    if re.fullmatch(r"[0-9a-fA-F]{64,130}", text):
        raise BadDescriptor(
            f"the descriptor has a single public key, so everyone would get the same address: use a {wanted}…/0/*"
        )
    if text[1:4] == "pub" and text[0] not in "xt":
        raise BadDescriptor(
            f"{text[:4]} is a SLIP-132 prefix, which is not valid in descriptors: export the key as {wanted}, and state"
            " the script type with wpkh(…), sh(wpkh(…)) or pkh(…)"
        )
    if text[:4] in {"xpub", "tpub"} and text[:4] != wanted:
        raise BadDescriptor(f"{text[:4]} is a key of another network: {network!r} uses {wanted}…")
    try:
        key = HDKey.from_base58(text)
    except Exception as error:  # embit's errors have no common base
        raise BadDescriptor(f"{text[:12]}… is not an extended public key ({wanted}…): {error}") from error
    assert not key.is_private, "it has a public prefix"
    return key


def _path(steps: list[str]) -> list[int]:
    """Return the steps before the wildcard, which must be the last step."""
    for step in steps:
        if step.endswith(("h", "'", "H")):
            raise BadDescriptor(
                f"/{step} after the extended key is hardened, which needs the private key: derive it in the wallet,"
                " and put the step into the origin, [fingerprint/84h/0h/0h]xpub…"
            )
        if step.startswith(("<", "{")):
            raise BadDescriptor(f"/{step} is several branches at once: use only the receiving branch, usually /0/*")
    if not steps or steps[-1] != "*":
        raise BadDescriptor("the descriptor does not end in /*, so everyone would get the same address")
    for step in steps[:-1]:
        if not _STEP.fullmatch(step) or int(step) > INDEX_MAX:
            raise BadDescriptor(f"/{step} is not a valid derivation step: only numbers are, and /* at the end")
    return [int(step) for step in steps[:-1]]
