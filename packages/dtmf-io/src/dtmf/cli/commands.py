"""Every command as data: its name, its summary and its function. Pure; imports nothing.

`dtmf --help` is generated from this alone. app.py passes it to the parser, which imports a command's module on use."""

from __future__ import annotations

# heading: (name, summary, function)
COMMANDS: dict[str, list[tuple[str, str, str]]] = {
    "Account": [
        ("login", "save a token on this machine", "dtmf.cli.login:login"),
        ("signup", "open an account, also by a Lightning payment", "dtmf.cli.login:signup"),
        ("logout", "delete the saved token", "dtmf.cli.login:logout"),
        ("open", "open the website in your browser, signed in", "dtmf.cli.login:open_website"),
        ("account", "show your balance and how long it lasts", "dtmf.cli.account:account"),
        ("topup", "pay into your account, by Lightning or Bitcoin", "dtmf.cli.topup:topup"),
        ("invoices", "list your Lightning invoices", "dtmf.cli.topup:invoices"),
        ("transactions", "list all changes of your balance", "dtmf.cli.account:transactions"),
        ("deposits", "list payments to your addresses", "dtmf.cli.account:deposits"),
        ("tokens", "list, create and revoke tokens", "dtmf.cli.tokens:tokens"),
        ("webhook", "show or set the URL of your account's events", "dtmf.cli.deliveries:webhook"),
        ("secret", "print the secret that signs your webhooks", "dtmf.cli.deliveries:secret"),
    ],
    "Numbers": [
        ("groups", "list number groups and prices", "dtmf.cli.numbers:groups"),
        ("group", "show a group's terms and how its rentals went", "dtmf.cli.numbers:group"),
        ("available", "list free numbers of a group", "dtmf.cli.numbers:available"),
        ("rent", "rent a number from a group", "dtmf.cli.numbers:rent"),
        ("numbers", "list your numbers", "dtmf.cli.numbers:numbers"),
        ("show", "show a number and its messages", "dtmf.cli.numbers:show"),
        ("action", "forward a number's SMS, or post them to a URL", "dtmf.cli.numbers:action"),
        ("limits", "end a rental after so many minutes or satoshis", "dtmf.cli.numbers:limits"),
        ("label", "name a rental", "dtmf.cli.numbers:label"),
        ("end", "end a rental", "dtmf.cli.numbers:end"),
    ],
    "Messages": [
        ("code", "rent a number, wait for a code, end the rental", "dtmf.cli.code:code"),
        ("wait", "wait for an SMS, or for the code in it", "dtmf.cli.wait:wait"),
        ("messages", "list received and sent messages", "dtmf.cli.messages:messages"),
        ("send", "send an SMS from a number", "dtmf.cli.messages:send"),
        ("deliveries", "list deliveries to phones and webhooks", "dtmf.cli.deliveries:deliveries"),
        ("events", "stream the events of your account", "dtmf.cli.events:events"),
        ("listen", "post events to a program on this machine", "dtmf.cli.listen:listen"),
    ],
    "More": [
        ("mcp", "serve the tools for language models on stdio", "dtmf.cli.mcp:mcp"),
        ("sandbox", "simulate SMS and payments, advance the clock", "dtmf.cli.sandbox:sandbox"),
        ("completion", "print a completion script for your shell", "dtmf.cli.completion:completion"),
    ],
}
NAMES = [name for several in COMMANDS.values() for name, _, _ in several]
HIDDEN = ["__complete"]  # called by completion scripts

_EXPLAINED = """\
Run `dtmf COMMAND --help` for details. With --json, the output is what the
Python client returns. Token and address come from DTMF_TOKEN and DTMF_URL,
else from `dtmf login`, else from the sandbox with its data in ./data.

Exit codes: 0 success, 1 failure, 2 usage error, 3 no valid token, 4 not found,
5 insufficient funds, 6 no number available, 7 service unreachable or failing,
8 timed out, 9 rate limited, 129, 130, 143 stopped by a signal."""


def overview(*, bold: bool) -> str:
    """Return the text of `dtmf --help`."""
    lines = ["Rent phone numbers by the minute, and read every SMS they receive.", "", "  dtmf COMMAND …"]
    for heading, several in COMMANDS.items():
        lines += ["", f"\x1b[1m{heading}\x1b[0m" if bold else heading]
        lines += [f"  {name:<14}{summary}" for name, summary, _ in several]
    return "\n".join([*lines, "", _EXPLAINED])


def complaint(tokens: list[str]) -> str | None:
    """Return what is wrong with the first word, None if it is a command."""
    first = tokens[0]
    if first in NAMES or first in HIDDEN:
        return None
    if not first.startswith("-"):
        meant = nearest(first, NAMES)
        return f"there is no command {first!r}{_meant(meant) or '; see dtmf --help'}"
    if command := next((token for token in tokens if token in NAMES), None):
        return f"{first} goes after the command: dtmf {command} {first} …"
    meant = nearest(first, ["--help", "--version"])
    return f"there is no option {first}{_meant(meant) or '; see dtmf --help'}"


def _meant(word: str | None) -> str:
    return f"; did you mean {word}?" if word else ""


def nearest(word: str, words: list[str]) -> str | None:
    """Return the closest match for a misspelled word, None if there is none."""
    from difflib import get_close_matches  # noqa: PLC0415  # only needed for errors

    found = get_close_matches(word, words, n=1, cutoff=0.5)
    return found[0] if found else None
