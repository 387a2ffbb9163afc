"""Every command as data: its name, what it does, where its function is. Pure; imports nothing.

`dtmf --help` is made from this alone; app.py gives it to the parser, which imports a command's module when it runs."""

from __future__ import annotations

# heading: (name, what it does, function)
COMMANDS: dict[str, list[tuple[str, str, str]]] = {
    "Account": [
        ("login", "keep a token on this machine", "dtmf.cli.login:login"),
        ("logout", "forget it", "dtmf.cli.login:logout"),
        ("account", "what you have, and how long it lasts", "dtmf.cli.account:account"),
        ("topup", "a Bitcoin address to pay to, with its QR code", "dtmf.cli.account:topup"),
        ("transactions", "why each satoshi moved", "dtmf.cli.account:transactions"),
    ],
    "Numbers": [
        ("groups", "what can be rented, with prices", "dtmf.cli.numbers:groups"),
        ("rent", "rent a number of a group", "dtmf.cli.numbers:rent"),
        ("numbers", "your numbers", "dtmf.cli.numbers:numbers"),
        ("show", "one number and its messages", "dtmf.cli.numbers:show"),
        ("action", "forward each SMS of a number, or post it to a URL", "dtmf.cli.numbers:action"),
        ("end", "end a rental", "dtmf.cli.numbers:end"),
    ],
    "Messages": [
        ("code", "rent a number, wait for a code, end the rental", "dtmf.cli.code:code"),
        ("wait", "wait for an SMS, or for the code in it", "dtmf.cli.wait:wait"),
        ("messages", "what your numbers received and sent", "dtmf.cli.messages:messages"),
        ("send", "send an SMS from a number", "dtmf.cli.messages:send"),
        ("deliveries", "what became of forwards and webhooks", "dtmf.cli.deliveries:deliveries"),
        ("events", "what happens, as it happens", "dtmf.cli.events:events"),
    ],
    "More": [
        ("sandbox", "let an SMS or coins arrive, let time pass", "dtmf.cli.sandbox:sandbox"),
        ("completion", "print the completion of your shell", "dtmf.cli.completion:completion"),
    ],
}
NAMES = [name for several in COMMANDS.values() for name, _, _ in several]
HIDDEN = ["__complete"]  # what completion scripts call

_EXPLAINED = """\
`dtmf COMMAND --help` says more. With --json, results are what the Python
client returns. Token and address come from DTMF_TOKEN and DTMF_URL, else from
`dtmf login`, else from the sandbox that keeps its data in ./data.

Exit status: 0 done, 1 failed, 2 wrong usage, 3 no valid token, 4 not found,
5 no money, 6 no number free, 7 service unreachable or failing, 8 nothing came
in time, 9 too many requests, 129, 130, 143 stopped by a signal."""


def overview(*, bold: bool) -> str:
    """What `dtmf --help` says."""
    lines = ["Rent phone numbers by the minute, and read every SMS they receive.", "", "  dtmf COMMAND …"]
    for heading, several in COMMANDS.items():
        lines += ["", f"\x1b[1m{heading}\x1b[0m" if bold else heading]
        lines += [f"  {name:<14}{summary}" for name, summary, _ in several]
    return "\n".join([*lines, "", _EXPLAINED])


def complaint(tokens: list[str]) -> str | None:
    """What is wrong with the first word, None when it is a command."""
    first = tokens[0]
    if first in NAMES or first in HIDDEN:
        return None
    if not first.startswith("-"):
        meant = nearest(first, NAMES)
        return f"there is no command {first!r}{_meant(meant) or '; dtmf --help lists them'}"
    if command := next((token for token in tokens if token in NAMES), None):
        return f"{first} goes after the command: dtmf {command} {first} …"
    meant = nearest(first, ["--help", "--version"])
    return f"there is no option {first}{_meant(meant) or '; dtmf --help says more'}"


def _meant(word: str | None) -> str:
    return f"; did you mean {word}?" if word else ""


def nearest(word: str, words: list[str]) -> str | None:
    """The word that was probably meant."""
    from difflib import get_close_matches  # noqa: PLC0415  # only when something is wrong

    found = get_close_matches(word, words, n=1, cutoff=0.5)
    return found[0] if found else None
