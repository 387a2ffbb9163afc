"""Turn the rows of a carrier's price list into one price per prefix."""

from collections.abc import Mapping, Sequence

from dtmf_server.operations.catalog_columns import Reading
from dtmf_server.operations.catalog_entries import Complaint, Entry, ImportErrors, place

Networks = Mapping[tuple[str, str], Sequence[str]]


def prices(entries: Sequence[Entry], name: str, reading: Reading, notes: list[str]) -> list[Entry]:
    """Return an entry for each prefix. A prefix of several mobile networks has the price of the dearest one, because
    numbers are ported between them. Raises ImportErrors."""
    found: dict[str, Entry] = {}
    wrong: list[Complaint] = []
    shared = 0
    for entry in entries:
        is_network = _is_network(entry)
        for prefix in _prefixes(entry, name, reading.networks, wrong):
            price = Entry(entry.line, {"prefix": prefix, "cost_per_segment": entry.values["cost_per_segment"]})
            first = found.setdefault(prefix, price)
            if first is price:
                continue
            if not is_network:
                message = f"prefix {prefix!r} is already at {place(name, first.line)}"
                wrong.append(Complaint(name, entry.line, message, "prefix", prefix))
            shared += is_network
            found[prefix] = max(first, price, key=lambda each: int(each.values["cost_per_segment"]))
    if wrong:
        raise ImportErrors(wrong)
    if shared:
        notes.append(f"{name}: several networks share a prefix in {shared} rows: the dearest price applies")
    if "" in found:
        notes.append(f"{place(name, found[''].line)}: without a prefix, the price is that of every other destination")
    return [*found.values()]


def _prefixes(entry: Entry, name: str, networks: Networks, wrong: list[Complaint]) -> list[str]:
    values = entry.values
    has_prefix = values["prefix"] or values["country_prefix"] or values["area"]
    if _is_network(entry) and (found := _of_network(entry, networks)):
        return found
    if _is_network(entry) and not has_prefix:
        wrong.append(_unknown_network(entry, name, networks))
        return []
    if values["prefix"] or not has_prefix:
        return values["prefix"].split() or [""]
    countries, areas = values["country_prefix"].split(), values["area"].split()
    if len(countries) != 1:
        message = "the row has area codes and no single country code: put the whole prefix into one column"
        wrong.append(Complaint(name, entry.line, message, "country_prefix", values["country_prefix"]))
        return []
    return [f"{countries[0]}{area}" for area in areas] or countries


def _is_network(entry: Entry) -> bool:
    return bool(entry.values["mcc"] or entry.values["mcc_mnc"])


def _network(entry: Entry) -> tuple[str, str]:
    mcc, _, mnc = (entry.values["mcc_mnc"] or f"{entry.values['mcc']} {entry.values['mnc']}").partition(" ")
    return mcc, mnc


def _of_network(entry: Entry, networks: Networks) -> list[str]:
    """Return the prefixes that the networks file has of a row's network, or else of the rest of its country."""
    mcc, mnc = _network(entry)
    return [*(networks.get((mcc, mnc)) or networks.get((mcc, "")) or ())]


def _unknown_network(entry: Entry, name: str, networks: Networks) -> Complaint:
    mcc, mnc = _network(entry)
    shown = f"MCC {mcc}" + (f", MNC {mnc}" if mnc else "")
    if networks:
        message = f"the networks file has no prefixes of {shown}: add a line for it, or one with this MCC and no MNC"
    else:
        message = f"the row has {shown} and no prefix: add --networks FILE, a CSV file with the columns mcc,mnc,prefix"
    return Complaint(name, entry.line, message, "mcc", mcc)
