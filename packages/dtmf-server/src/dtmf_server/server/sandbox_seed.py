"""The seed data of a sandbox: groups of both types, with numbers reserved for fiction."""

from dtmf_server.storage import numbers
from dtmf_server.storage.db import Tx

COST_PER_SEGMENT = 1000  # one flat price for all destinations

_Group = tuple[str, str, str, str, int, int, int | None, str, int]
# ID, type, name, country, set-up, per minute, per SMS received (None: no SMS), prefix, count. Where they exist, blocks
# that regulators reserve for drama are used: Ofcom's 07700 900xxx and 020 7946 0xxx, North America's 555-01xx, ARCEP's
# 06 39 98 xx xx, ACMA's 0491 570 xxx and 02 5550 xxxx, PTS's 070 1740 6xx.
_GROUPS: list[_Group] = [
    ("cz-mobile", "mobile", "Czech Republic", "cz", 32093, 269, 601, "+4207000000", 100),
    ("us-mobile", "mobile", "United States", "us", 5000, 13, 705, "+12025550", 100),
    ("gb-mobile", "mobile", "United Kingdom", "gb", 4200, 11, 540, "+447700900", 1000),
    ("se-mobile", "mobile", "Sweden", "se", 6100, 17, 620, "+467017406", 100),
    ("fr-mobile", "mobile", "France", "fr", 7400, 21, 655, "+336399800", 100),
    ("au-mobile", "mobile", "Australia", "au", 6900, 19, 640, "+614915701", 100),
    ("ca-mobile", "mobile", "Canada", "ca", 5200, 14, 705, "+16135550", 100),
    ("de-mobile", "mobile", "Germany", "de", 9800, 34, 690, "+4915200000", 100),
    ("nl-mobile", "mobile", "Netherlands", "nl", 8700, 29, 660, "+3197000000", 100),
    ("us-local", "local", "United States", "us", 2500, 4, 310, "+12125550", 100),
    ("gb-local", "local", "United Kingdom", "gb", 2300, 4, 290, "+4420794600", 100),
    ("ca-local", "local", "Canada", "ca", 2600, 5, 315, "+14165550", 100),
    ("au-local", "local", "Australia", "au", 3100, 6, 350, "+612555012", 100),
    ("fr-local", "local", "France", "fr", 2900, 5, None, "+331990000", 100),
]


def stock_sandbox(tx: Tx) -> None:
    """Add the catalog to a new sandbox."""
    numbers.add_groups(
        tx,
        [
            (position, id_, type_, name, country, sms is not None, False, setup, minute, sms, None)
            for position, (id_, type_, name, country, setup, minute, sms, _, _) in enumerate(_GROUPS)
        ],
    )
    for group_id, *_, prefix, count in _GROUPS:
        numbers.add_numbers(tx, group_id, _numbers(prefix, count))
    numbers.set_destination(tx, "", COST_PER_SEGMENT)


def _numbers(prefix: str, count: int) -> list[str]:
    """Return numbers with a prefix: 555-01xx in North America, else every number of the block."""
    if prefix.startswith("+1"):
        return [f"{prefix}1{number:02d}" for number in range(count)]
    return [f"{prefix}{number:0{len(str(count - 1))}d}" for number in range(count)]
