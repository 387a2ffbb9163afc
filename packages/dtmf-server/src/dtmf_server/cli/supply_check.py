"""Asks carriers, before groups with a `supply` are imported, whether their numbers can be bought without an address."""

import asyncio
from collections.abc import Mapping
from typing import Literal, cast

from dtmf_server.carriers.base import CarrierRefused, SellsNumbers, SmsCarrier
from dtmf_server.carriers.simulator import SimulatedCarrier
from dtmf_server.config import Config
from dtmf_server.core import number_supply
from dtmf_server.operations.catalog_entries import Complaint, Entry, ImportErrors
from dtmf_server.operations.catalog_file import CatalogFile

OFFERS_MAX = 20


def check(file: CatalogFile, configuration: Config) -> list[str]:
    """Return a warning for each supply that can't be asked. Raises ImportErrors for groups whose carrier does not sell
    numbers, or sells those of their country only to customers with an address or documents there."""
    entries = [entry for entry in file.entries if entry.values.get("supply")]
    if not entries:
        return []
    from dtmf_server.server import startup  # noqa: PLC0415 - only where it is used

    built = startup.build_carriers(configuration, startup.CarrierDatabase())
    if not built and startup.settings_of(configuration).sandbox:
        built = [SimulatedCarrier(is_ours=_is_ours)]
    carriers = {carrier.name: carrier for carrier in built}
    complaints, warnings, answers = [], [], dict[tuple[str, str, str], str]()
    for entry in entries:
        name, country, kind = (entry.values[column] for column in ("supply", "country_code", "type"))
        if name not in carriers:
            warnings.append(f"{file.where(entry)}: carrier {name} is not in the configuration: add it as a [[carrier]]")
            continue
        try:
            if (name, country, kind) not in answers:
                answers[name, country, kind] = asyncio.run(_refusal(carriers[name], entry.values))
            if reason := answers[name, country, kind]:
                complaints.append(_complaint(file, entry, reason))
        except CarrierRefused as error:
            warnings.append(
                f"{file.where(entry)}: carrier {name} can't be asked for numbers at present: {error.reason}"
            )
    if complaints:
        raise ImportErrors(complaints)
    return warnings


async def _refusal(carrier: SmsCarrier, group: Mapping[str, str]) -> str:
    """Return why this carrier can't supply the group; empty if it can. Raises CarrierRefused."""
    if not isinstance(carrier, SellsNumbers):
        return f"carrier {carrier.name} does not sell numbers: leave supply empty and import the numbers that you have"
    kind = cast("Literal['mobile', 'local']", group["type"])
    offers = await carrier.offers(group["country_code"], kind=kind, limit=OFFERS_MAX)
    if offers and all(offer.needs_address for offer in offers):
        fix = "buy them in the carrier's portal, leave supply empty and import them"
        return f"{number_supply.NEEDS_ADDRESS}: {fix}"
    return ""


async def _is_ours(_: str) -> bool:
    return False


def _complaint(file: CatalogFile, entry: Entry, reason: str) -> Complaint:
    return Complaint(file.name, entry.line, reason, "supply", value=entry.values["supply"])
