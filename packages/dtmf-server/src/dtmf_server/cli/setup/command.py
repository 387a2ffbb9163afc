"""`dtmf-server init`: asks what the operator has, tests it, and writes the configuration and a starter catalog."""

import argparse
import os
import re
import secrets
import socket
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from dtmf_server.carriers.android.replies import Device
from dtmf_server.carriers.android.settings import ANY_SIM, AndroidSettings
from dtmf_server.carriers.base import CarrierRefused, CheckResult
from dtmf_server.cli.carrier_check import result_text
from dtmf_server.cli.output import print_line
from dtmf_server.cli.setup import catalog, config_file, kinds, live, next_steps, starter
from dtmf_server.cli.setup.kinds import SetupKind
from dtmf_server.cli.setup.plan import Plan
from dtmf_server.cli.setup.prompts import Prompts, Question
from dtmf_server.config import CarrierSettings, Config
from dtmf_server.core.errors import CannotStart
from dtmf_server.core.hosts import is_loopback

DEFAULT_FILE = Path("dtmf.toml")
DEFAULT_PORT, PORTS = 8000, 20
ROUNDS_MAX = 3  # of the questions about a carrier that fails its test
PLACEHOLDER = "+10000000"  # the number of a SIM, until it is known
CARRIER = Question("--carrier", "What do you have?")
NAME = Question("--name", "Name of the carrier")
PUBLIC_URL = Question("--public-url", "Address at which it reaches this service, https://…")
NUMBERS = Question("--number", "Numbers to rent out, separated by commas (-: import them later)")
PRICES = Question("--prices", "Prices: suggested, or free", default="suggested")
LOGIN_FIX = "is the app started, and are address and password those on its screen?"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for each question."""
    group = parser.add_argument_group("setting up a service, or adding a carrier to one")
    group.add_argument("--carrier", metavar="KIND", help=f"{', '.join(name for name, _ in kinds.CHOICES)}")
    group.add_argument("--name", help="the carrier's name (default: its KIND)")
    asked = dict[str, str]()
    for kind in kinds.SETUP_KINDS:
        for question in kind.questions:
            if not question.is_secret:
                asked.setdefault(question.option, f"{kind.name}: {question.text}")
    for option, text in asked.items():
        group.add_argument(option, metavar="VALUE", help=text)
    group.add_argument("--secret-file", metavar="FILE", help="a file with the password or key of the carrier; -: stdin")
    group.add_argument("--base-url", metavar="URL", help="twilio, telnyx: the API, if it is not the provider's own")
    group.add_argument("--public-url", metavar="URL", help="where the carrier reaches this service")
    group.add_argument("--number", metavar="NUMBERS", help="the numbers to rent out, separated by commas; -: none yet")
    group.add_argument("--prices", metavar="WHICH", help="suggested, or free (only accounts that you open can rent)")
    group.add_argument("--btc-price", type=_dollars, metavar="USD", help="price of a bitcoin, for the suggestion")
    group.add_argument(
        "--mode",
        choices=["sandbox", "production"],
        help="of a new service (default: sandbox if the carrier is on this machine)",
    )
    group.add_argument("--port", type=int, help=f"port of a new service (default {DEFAULT_PORT}, or the next free one)")
    group.add_argument(
        "--no-check", action="store_const", const=True, help="do not test the carrier; a phone must be reachable anyway"
    )
    parser.set_defaults(setup_options=[action.dest for action in group._group_actions])


def _dollars(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 10**9):
        raise argparse.ArgumentTypeError(f"{text!r} is not a price in whole dollars like {catalog.USD_PER_COIN}")
    return int(text)


def is_wanted(options: argparse.Namespace) -> bool:
    """Return True if an option of the set-up is given."""
    return any(getattr(options, name) is not None for name in options.setup_options)


def setup(options: argparse.Namespace) -> int:
    """Set up a service, or add a carrier. Returns the exit status."""
    path = options.config or DEFAULT_FILE
    config_file.require_writable(path)
    before = _content(path)
    existing = config_file.load(path, os.environ) if before is not None else None
    try:
        plan = _ask(options, existing)
    except KeyboardInterrupt:
        print_line("\nnothing was written")
        raise
    if plan is None:
        return 1
    _write(options, path, before, plan)
    return 0


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CannotStart(f"can't read {path}: {error.strerror}") from None


def _ask(options: argparse.Namespace, existing: Config | None) -> Plan | None:
    """Ask everything, and test the carrier. Returns None if it failed its test."""
    prompts = Prompts()
    chosen = prompts.choice(CARRIER, options.carrier, kinds.CHOICES)
    port = existing.server.port if existing else _free_port(options.port)
    known_url = ((existing.server.public_url if existing else None) or "").rstrip("/")
    if chosen == kinds.NOTHING:
        if existing is not None:
            raise CannotStart(f"{options.config or DEFAULT_FILE} exists, and there is no carrier to add to it")
        return Plan(options.mode or "sandbox", port, options.public_url or "")
    kind = kinds.BY_NAME[chosen]
    name = _name(options, prompts, kind, existing)
    found = _tested(options, prompts, kind, name, port=port, known_url=known_url, existing=existing)
    if found is None:
        return None
    plan, device, listed = found
    plan.adds_public_url = bool(plan.public_url) and not known_url
    _ask_numbers(options, prompts, plan, device, listed)
    _ask_prices(options, prompts, plan, existing)
    return plan


def _free_port(asked: int | None) -> int:
    """Return the port that was asked for, or the first free one. Raises CannotStart if it is taken."""
    for port in range(asked or DEFAULT_PORT, (asked or DEFAULT_PORT) + PORTS):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except (OSError, OverflowError) as error:
                if asked:
                    reason = getattr(error, "strerror", None) or error
                    raise CannotStart(f"port {asked} can't be used ({reason}): choose another --port") from None
                continue
        if not asked and port != DEFAULT_PORT:
            print_line(f"port {DEFAULT_PORT} is in use: the service will use {port}")
        return port
    raise CannotStart(f"ports {DEFAULT_PORT} to {DEFAULT_PORT + PORTS - 1} are in use: choose another with --port")


def _name(options: argparse.Namespace, prompts: Prompts, kind: SetupKind, existing: Config | None) -> str:
    taken = {carrier.name for carrier in existing.carrier} if existing else set[str]()

    def fault(name: str) -> str:
        if not re.fullmatch("[a-z0-9_-]{1,40}", name) or name == "simulator":
            return f"{name!r} is not 1 to 40 of a-z, 0-9, - and _"
        return f"the configuration has a carrier {name!r} already: choose another name" if name in taken else ""

    given = options.name or (None if prompts.is_terminal and kind.name in taken else kind.name)
    return prompts.answer(NAME, given, fault)


def _tested(
    options: argparse.Namespace,
    prompts: Prompts,
    kind: SetupKind,
    name: str,
    *,
    port: int,
    known_url: str,
    existing: Config | None,
) -> tuple[Plan, Device | None, list[str]] | None:
    """Ask for the carrier's settings until it passes its test. Returns the plan, the phone, and the account's numbers."""
    answers: dict[str, str] = {}
    phones = _phones(existing)
    for attempt in range(ROUNDS_MAX):
        given = options if attempt == 0 else argparse.Namespace()  # wrong options are asked for again
        answers = _answers(given, prompts, kind, answers, phones)
        if options.base_url and any(key in ("account_sid", "api_key") for key in answers):
            answers["base_url"] = options.base_url
        is_here = kinds.is_on_this_machine(kind, answers)
        mode = existing.mode if existing else options.mode or ("sandbox" if is_here else "production")
        if mode == "sandbox" and not (is_here or is_loopback(urlsplit(options.base_url or "").hostname or "")):
            fix = "use another folder" if existing else "leave out --mode sandbox"
            raise CannotStart(f"a sandbox has carriers on loopback only, and this {kind.name} is elsewhere: {fix}")
        url = known_url or _public_url(given, prompts, kind, port=port, is_here=is_here)
        values = kinds.table(kind, name, answers, [])
        if kind.kind == "android":
            values |= {"signing_key": secrets.token_hex(16), "sims": {ANY_SIM: PLACEHOLDER}}
        settings = config_file.checked(values, mode=mode, public_url=url)
        plan = Plan(mode, port, url, kind, values)
        device, results, listed = _check(settings, plan, skips=bool(options.no_check))
        for result in results:
            print_line(result_text(result))
        if not live.is_fatal(results):
            return plan, device, listed
        if not prompts.is_terminal:
            break
    more = "" if kind.kind == "android" else "; --no-check writes a carrier that fails its test"
    print_line(f"nothing was written{more}")
    return None


def _phones(existing: Config | None) -> dict[str, str]:
    """Return the name of each phone that is a carrier already, by its URL."""
    carriers = existing.carrier if existing else ()
    return {each.url.rstrip("/"): each.name for each in carriers if isinstance(each, AndroidSettings)}


def _answers(
    options: argparse.Namespace,
    prompts: Prompts,
    kind: SetupKind,
    before: Mapping[str, str],
    phones: Mapping[str, str],
) -> dict[str, str]:
    def fault(question: Question, answer: str) -> str:
        if kind.kind == "android" and question.setting == "url" and (name := phones.get(answer.rstrip("/"))):
            return f"the carrier {name!r} is this phone: setting it up again would break {name!r}"
        return kinds.answer_fault(kind, question, answer)

    found = {}
    for question in kind.questions:
        asked = replace(question, default="" if question.is_secret else before.get(question.setting, question.default))
        given = getattr(options, question.destination, None)
        found[question.setting] = prompts.answer(asked, given, partial(fault, asked))
    return found


def _public_url(options: argparse.Namespace, prompts: Prompts, kind: SetupKind, *, port: int, is_here: bool) -> str:
    if not kind.receives_callbacks:
        return (getattr(options, "public_url", None) or "").rstrip("/")
    local = f"http://127.0.0.1:{port}"

    def fault(url: str) -> str:
        if url.startswith("https://") or (is_here and url.startswith("http://127.0.0.1:")):
            return ""
        return f"{url!r} must begin with https:// (a proxy or a tunnel with TLS), because it gets the texts of SMS"

    question = replace(PUBLIC_URL, default=local if is_here else "")
    return prompts.answer(question, getattr(options, "public_url", None), fault).rstrip("/")


def _check(settings: CarrierSettings, plan: Plan, *, skips: bool) -> tuple[Device | None, list[CheckResult], list[str]]:
    """Test the carrier. Returns the phone if it is one, the results, and the numbers of the account."""
    if skips:
        return None, [], []
    print_line(f"testing {plan.name} …")
    if isinstance(settings, AndroidSettings):
        try:
            device = live.find_phone(settings)
        except CarrierRefused as refused:
            return None, [CheckResult("login", False, refused.reason, LOGIN_FIX)], []
        return device, [CheckResult("login", True, f"{device.name} {device.id}")], []
    results, listed = live.check(settings, is_sandbox=plan.mode == "sandbox", callback_url=plan.callback_url)
    return None, results, listed


def _ask_numbers(
    options: argparse.Namespace, prompts: Prompts, plan: Plan, device: Device | None, listed: list[str]
) -> None:
    kind = plan.kind
    assert kind is not None, "there is a carrier"
    if kind.kind == "android":
        plan.values["sims"] = sims = _sims(options, prompts, device)
        plan.numbers = list(sims.values())
        return
    question = NUMBERS
    if kind.kind == "gammu":
        question = replace(NUMBERS, text="Number of the modem's SIM, like +447700900001")
    elif listed:
        question = replace(NUMBERS, default=",".join(listed[:100]))

    def fault(text: str) -> str:
        if text == "-" and kind.kind != "gammu":
            return ""
        wrong = kinds.numbers_fault(text)
        if not wrong and (not kinds.numbers_of(text) or (kind.kind == "gammu" and len(kinds.numbers_of(text)) != 1)):
            return "enter one number like +447700900001"
        return wrong

    answer = prompts.answer(question, options.number, fault)
    plan.numbers = [] if answer == "-" else kinds.numbers_of(answer)
    if kind.kind == "gammu":
        modems = plan.values["modems"]
        assert isinstance(modems, dict), "`kinds.table` made it"
        plan.values["modems"] = dict.fromkeys(modems, plan.numbers[0])


def _sims(options: argparse.Namespace, prompts: Prompts, device: Device | None) -> dict[str, str]:
    """Return the number of each SIM: what Android knows, and else the answers."""
    cards = (device.sim_cards if device else None) or []
    known = {str(card.sim_number): f"+{card.phone_number.lstrip('+')}" for card in cards if card.phone_number}
    given = kinds.numbers_of(options.number) if options.number and not kinds.numbers_fault(options.number) else []
    if options.number and not given:
        raise CannotStart(f"--number: {kinds.numbers_fault(options.number) or 'it has no number'}")
    found = dict(known)
    for at, sim in enumerate([str(card.sim_number) for card in cards] or [ANY_SIM]):
        if sim in known and not given:
            continue
        if given:
            if at < len(given):
                found[sim] = given[at]
            continue
        is_needed = not found
        text = "the SIM" if sim == ANY_SIM else f"SIM {sim}"
        more = "" if is_needed else " (empty: not used)"
        question = replace(NUMBERS, text=f"Number of {text}, like +447700900001{more}")
        if not is_needed and not prompts.is_terminal:
            continue
        answer = prompts.answer(question, None, partial(_sim_fault, is_needed=is_needed))
        if answer:
            found[sim] = kinds.numbers_of(answer)[0]
    return found


def _sim_fault(answer: str, *, is_needed: bool) -> str:
    if not answer:
        return "enter its number, like +447700900001" if is_needed else ""
    return kinds.numbers_fault(answer)


def _ask_prices(options: argparse.Namespace, prompts: Prompts, plan: Plan, existing: Config | None) -> None:
    assert plan.kind is not None, "there is a carrier"
    if not plan.numbers:
        return
    prices = catalog.suggested(plan.kind.kind, usd_per_coin=options.btc_price or catalog.USD_PER_COIN)
    can_be_paid = plan.mode == "sandbox" or (existing is not None and existing.takes_payments)
    shown = f"{prices.setup} to start, {prices.minute} a minute, {prices.received} per SMS received"
    question = replace(PRICES, default="suggested" if can_be_paid else "free")
    if prompts.is_terminal and options.prices is None:
        print_line(f"suggested, in satoshis: {shown}: {prices.reason}")
    answer = prompts.answer(
        question, options.prices, lambda text: "" if text in ("suggested", "free") else "enter suggested or free"
    )
    plan.prices = prices if answer == "suggested" else catalog.FREE


def _connect(plan: Plan) -> None:
    """Register the webhooks of a phone. Raises CannotStart."""
    if plan.kind is None or plan.kind.kind != "android":
        return
    settings = config_file.checked(plan.values, mode=plan.mode, public_url=plan.public_url)
    assert isinstance(settings, AndroidSettings), "its kind says so"
    try:
        live.connect_phone(settings, plan.callback_url, sets_key=True)
    except CarrierRefused as refused:
        raise CannotStart(f"{plan.name}: {refused.reason}; nothing was written") from None


def _write(options: argparse.Namespace, path: Path, before: bytes | None, plan: Plan) -> None:
    """Write the secrets, the catalog and the configuration, all or nothing, and print the next step."""
    values, hidden = dict(plan.values), dict[str, str]()
    block = ""
    if plan.kind is not None:
        wanted = {key: f"{plan.name}-{key}" for key in kinds.secret_settings(plan.kind, values)}
        for key, file in config_file.free_names(path.resolve().parent, wanted).items():
            hidden[file] = str(values.pop(key))
            values[f"{key}_file"] = file
        block = config_file.carrier_text(values, comment=f"{plan.kind.text[0].upper()}{plan.kind.text[1:]}")
    if before is None:
        closed = plan.mode == "production" and plan.prices is catalog.FREE
        head = config_file.new_text(mode=plan.mode, port=plan.port, public_url=plan.public_url, closed=closed)
        content = f"{head}\n{block}".rstrip("\n").encode() + b"\n"
    else:
        content = config_file.extended(before, block, public_url=plan.public_url if plan.adds_public_url else "")
    with config_file.writing(path, content, hidden, before=before, environ=os.environ) as loaded:
        groups = starter.import_into(options, loaded, plan, last=partial(_connect, plan))
    for line in next_steps.lines(options, path, plan, groups, is_new=before is None, secret_files=list(hidden)):
        print_line(line)
    if loaded.signup.mode == "open" and plan.mode == "production" and plan.numbers and not plan.prices.minute:
        print_line('warning: anybody can sign up and rent these numbers for nothing: set [signup] mode to "closed"')
