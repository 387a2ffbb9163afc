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
        is_network = bool(entry.values["mcc"] or entry.values["mcc_mnc"])
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
    if values["mcc"] or values["mcc_mnc"]:
        return _of_network(entry, name, networks, wrong)
    if values["prefix"] or not (values["country_prefix"] or values["area"]):
        return values["prefix"].split() or [""]
    countries, areas = values["country_prefix"].split(), values["area"].split()
    if len(countries) != 1:
        message = "the row has area codes and no single country code: put the whole prefix into one column"
        wrong.append(Complaint(name, entry.line, message, "country_prefix", values["country_prefix"]))
        return []
    return [f"{countries[0]}{area}" for area in areas] or countries


def _of_network(entry: Entry, name: str, networks: Networks, wrong: list[Complaint]) -> list[str]:
    mcc, _, mnc = (entry.values["mcc_mnc"] or f"{entry.values['mcc']} {entry.values['mnc']}").partition(" ")
    found = networks.get((mcc, mnc)) or networks.get((mcc, ""))
    if found:
        return [*found]
    shown = f"MCC {mcc}" + (f", MNC {mnc}" if mnc else "")
    if networks:
        message = f"the networks file has no prefixes of {shown}: add a line for it, or one with this MCC and no MNC"
    else:
        message = f"the row has {shown} and no prefix: add --networks FILE, a CSV file with the columns mcc,mnc,prefix"
    wrong.append(Complaint(name, entry.line, message, "mcc", mcc))
    return []
