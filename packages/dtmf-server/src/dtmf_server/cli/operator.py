"""The options of commands whose actions are recorded in the audit log."""

import argparse
import os
import pwd

from dtmf_server.operations.audit import By
from dtmf_server.runtime.clock import wall_us


def add_options(command: argparse.ArgumentParser, *, requires_reason: bool = False) -> None:
    """Add --as and --reason."""
    command.add_argument(
        "--as", dest="operator", type=name, metavar="NAME", help="your name in the audit log (default: the OS user)"
    )
    command.add_argument(
        "--reason",
        type=_reason,
        required=requires_reason,
        metavar="TEXT",
        help="the reason, for the audit log (up to 500 characters)",
    )


def acting(options: argparse.Namespace) -> By:
    """Return who acts, and why."""
    return By(options.operator or _os_user(), options.reason or "", wall_us())


def _os_user() -> str:
    """Return the name of the user that runs this process, not what the environment claims; with sudo, who called it."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user without a name
        user = f"uid {os.getuid()}"
    caller = os.environ.get("SUDO_USER", "") if os.getuid() == 0 else ""
    return f"{caller} as {user}"[:100] if caller.isprintable() and caller else user[:100]


def name(text: str) -> str:
    """Return an operator's name given as an argument."""
    if not (1 <= len(text) <= 100 and text.isprintable() and text.strip()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a name of 1 to 100 printable characters")
    return text


def _reason(text: str) -> str:
    if not (1 <= len(text) <= 500 and text.isprintable() and text.strip()):
        raise argparse.ArgumentTypeError(f"{text[:500]!r} is not a reason of 1 to 500 printable characters")
    return text
