"""`dtmf open`: sign in to the website."""

from __future__ import annotations

import webbrowser
from typing import Annotated

from cyclopts import Parameter

from . import connect, output
from .options import Json


def open_website(
    *,
    show: Annotated[bool, Parameter(name="--print", help="Print the link instead of opening it.")] = False,
    json: Json = False,
) -> None:
    """Open the website in your browser, signed in. The link works once, within a day."""
    with connect.client() as dtmf:
        link = dtmf.sign_in_link()
    if json:
        output.json(link)
    elif show or not output.console().is_terminal or not webbrowser.open(link):
        print(link)
