"""Output of the commands."""


def print_line(line: str) -> None:
    """Print a line immediately, also if stdout is a pipe."""
    print(line, flush=True)
