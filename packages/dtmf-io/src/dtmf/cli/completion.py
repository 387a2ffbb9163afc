"""`dtmf completion`: shell completion."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from .app import build


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="The shell:")],
    /,
) -> None:
    """Print the completion script for a shell.

    bash: `eval "$(dtmf completion bash)"` in ~/.bashrc; zsh: the same in ~/.zshrc, after compinit;
    fish: `dtmf completion fish > ~/.config/fish/completions/dtmf.fish`."""
    print(build().generate_completion(prog_name="dtmf", shell=shell))
