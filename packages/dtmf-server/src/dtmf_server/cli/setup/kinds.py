"""The kinds of carriers that `dtmf-server init` can set up, and what it asks about each."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from dtmf_server.carriers.gammu.settings import is_postgresql
from dtmf_server.carriers.registry import settings_class
from dtmf_server.cli.setup.prompts import Question
from dtmf_server.config.section import description, extra, fields
from dtmf_server.core.hosts import is_loopback
from dtmf_server.core.phone_numbers import BadNumber, to_e164

NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class SetupKind:
    """A kind of carrier under the name that operators use, and the questions about it. `group_type`: the type of its numbers;
    `after`: a last step at the carrier, with the callback URL in braces."""

    name: str
    kind: str
    text: str
    questions: tuple[Question, ...]
    group_type: str
    receives_callbacks: bool = False
    after: str = ""


def _secret(text: str, setting: str) -> Question:
    return Question("--secret-file", text, setting, is_secret=True)


SETUP_KINDS = (
    SetupKind(
        "phone",
        "android",
        "an Android phone with a SIM and the app android-sms-gateway",
        (
            Question("--phone-url", "Address that the app shows, like http://192.168.1.20:8080", "url"),
            _secret("Password that the app shows (not displayed)", "password"),
        ),
        "mobile",
        receives_callbacks=True,
        after="restart the app on the phone, so that its heartbeat begins",
    ),
    SetupKind(
        "modem",
        "gammu",
        "a GSM modem with gammu-smsd",
        (
            Question(
                "--modem-database", "SQLite file or postgresql:// URL of smsd", "database", "/var/lib/smsd/smsd.db"
            ),
            Question("--modem-id", "phoneid of the modem in smsd's configuration", "modems", "modem1"),
            Question("--time-zone", "Time zone that smsd runs in", "time_zone", "UTC"),
        ),
        "mobile",
    ),
    SetupKind(
        "twilio",
        "twilio",
        "numbers at Twilio",
        (
            Question("--account-sid", "Account SID, from the console", "account_sid"),
            _secret("Auth token, from the console (not displayed)", "auth_token"),
        ),
        "local",
        receives_callbacks=True,
        after='in the console, set "A message comes in" of each number to {}#rc=3&rp=all',
    ),
    SetupKind(
        "telnyx",
        "telnyx",
        "numbers at Telnyx",
        (
            _secret("API key, from the portal (not displayed)", "api_key"),
            Question("--public-key", "Public key of the account, from the portal", "public_key"),
            Question("--profile", "ID of the messaging profile", "messaging_profile_id"),
        ),
        "local",
        receives_callbacks=True,
        after="in the portal, set the webhook URL of the messaging profile to {}",
    ),
    SetupKind(
        "smpp",
        "smpp",
        "a contract with a carrier that offers SMPP",
        (
            Question("--smpp-host", "Host name or IP address of the SMSC", "host"),
            Question("--smpp-port", "Port of the SMSC", "port", "2775"),
            Question("--smpp-tls", "Does this port use TLS: yes or no", "tls", "no"),
            Question("--system-id", "system_id, the user name that the carrier gave", "system_id"),
            _secret("Password (not displayed)", "password"),
        ),
        "mobile",
    ),
)
CHOICES = [
    *((kind.name, kind.text) for kind in SETUP_KINDS),
    (NOTHING, "nothing yet: a sandbox with fictional numbers"),
]
BY_NAME = {kind.name: kind for kind in SETUP_KINDS}


def answer_fault(kind: SetupKind, question: Question, answer: str) -> str:
    """Return what is wrong with the answer to a question about a setting; empty if nothing is."""
    type_ = fields(settings_class(kind.kind))[question.setting]
    shown = description(type_)
    if question.setting == "modems":
        return "" if answer else "enter the phoneid, like modem1"
    if question.setting == "tls":
        return "" if answer in ("yes", "no") else "enter yes or no"
    if question.setting == "port":
        return "" if answer.isascii() and answer.isdigit() and 0 < int(answer) < 65536 else f"must be {shown}"
    works = extra(type_).get("works") or bool
    if answer and answer.isprintable() and works(answer):
        return ""
    return f"must be {shown}" if question.is_secret else f"must be {shown}, not {answer!r}"


def table(kind: SetupKind, name: str, answers: Mapping[str, str], e164s: list[str]) -> dict[str, object]:
    """Return the `[[carrier]]` table, with secrets."""
    values: dict[str, object] = {"name": name, "kind": kind.kind, **answers}
    if kind.kind == "gammu":
        values["modems"] = {answers["modems"]: e164s[0] if e164s else "+10000000"}
    if kind.kind == "smpp":
        values |= {"port": int(answers["port"]), "tls": answers["tls"] == "yes"}
    return values


def secret_settings(kind: SetupKind, values: Mapping[str, object]) -> list[str]:
    """Return the keys whose values belong into a file of their own."""
    found = [question.setting for question in kind.questions if question.is_secret]
    if kind.kind == "android":
        found.append("signing_key")
    if kind.kind == "gammu" and is_postgresql(str(values["database"])):
        found.append("database")
    return found


def is_on_this_machine(kind: SetupKind, answers: Mapping[str, str]) -> bool:
    """Return True if a sandbox may use this carrier."""
    if kind.kind == "android":
        return is_loopback(urlsplit(answers["url"]).hostname or "")
    if kind.kind == "gammu":
        database = answers["database"]
        return not is_postgresql(database) or is_loopback(urlsplit(database).hostname or "localhost")
    return kind.kind == "smpp" and is_loopback(answers["host"])


def numbers_of(text: str) -> list[str]:
    """Return the E.164 numbers of an answer, which are separated by commas. Raises ValueError."""
    found = []
    for part in text.replace(";", ",").split(","):
        if not part.strip():
            continue
        try:
            found.append(to_e164(part))
        except BadNumber:
            raise ValueError(f"{part.strip()!r} is not a number like +447700900001") from None
    return list(dict.fromkeys(found))


def numbers_fault(text: str) -> str:
    """Return what is wrong with an answer of numbers; empty if nothing is."""
    try:
        numbers_of(text)
    except ValueError as error:
        return str(error)
    return ""
