"""`dtmf-server completion`: shell completion of commands and options, generated from the parser."""

import argparse
from collections.abc import Iterator

from dtmf_server.cli.output import print_line

HOW_TO = (
    'bash, in ~/.bashrc: eval "$(dtmf-server completion bash)"; zsh, in ~/.zshrc after compinit: the same with zsh; fish:'
    " dtmf-server completion fish > ~/.config/fish/completions/dtmf-server.fish"
)
# The words of the command before the cursor that name commands are joined to a path, like "carriers check".
_BASH = """\
_dtmf_server() {{
  local path="" words="" word
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case "$path $word" in
      {paths}) path="$path $word" ;;
    esac
  done
  case "$path" in
{cases}
  esac
  COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _dtmf_server dtmf-server"""
_ZSH = "autoload -U +X bashcompinit && bashcompinit\n"
_FISH = """\
function __dtmf_server_path
  set -l path ""
  for word in (commandline -opc)[2..-1]
    if contains -- "$path $word" {paths}
      set path "$path $word"
    end
  end
  echo "$path"
end
{cases}"""


def show(parser: argparse.ArgumentParser, shell: str) -> int:
    """Print the script for a shell. Returns the exit status."""
    print_line(SHELLS[shell](dict(_paths(parser, ""))))
    return 0


def _paths(parser: argparse.ArgumentParser, path: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each command, like " carriers check", with the words that can follow it."""
    words: list[str] = []
    for action in parser._actions:
        words += action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            words += action.choices
            for name, command in action.choices.items():
                yield from _paths(command, f"{path} {name}")
        elif action.choices and not action.option_strings:
            words += action.choices
    yield path, words


def _bash(paths: dict[str, list[str]]) -> str:
    cases = [f'    "{path}") words="{" ".join(words)}" ;;' for path, words in sorted(paths.items())]
    return _BASH.format(paths="|".join(f'"{path}"' for path in sorted(paths) if path), cases="\n".join(cases))


def _zsh(paths: dict[str, list[str]]) -> str:
    return _ZSH + _bash(paths)


def _fish(paths: dict[str, list[str]]) -> str:
    cases = [
        f"complete -c dtmf-server -n 'test (__dtmf_server_path) = \"{path}\"' -a '{' '.join(words)}'"
        for path, words in sorted(paths.items())
    ]
    return _FISH.format(paths=" ".join(f'"{path}"' for path in sorted(paths) if path), cases="\n".join(cases))


SHELLS = {"bash": _bash, "zsh": _zsh, "fish": _fish}
