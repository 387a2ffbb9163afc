"""`dtmf completion`: what teaches a shell the commands, their options, and your numbers."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="The shell:")],
    /,
) -> None:
    """Print the completion of a shell.

    bash: `eval "$(dtmf completion bash)"` in ~/.bashrc; zsh: the same in ~/.zshrc, after compinit;
    fish: `dtmf completion fish > ~/.config/fish/completions/dtmf.fish`."""
    from .app import build  # noqa: PLC0415  # the parser that is running imported this module

    print(build().generate_completion(prog_name="dtmf", shell=shell))
