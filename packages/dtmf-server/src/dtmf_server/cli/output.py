"""What the commands print."""


def print_line(line: str) -> None:
    """Print a line now, also where standard output is a pipe."""
    print(line, flush=True)
