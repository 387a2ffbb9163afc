"""What the commands print."""


def print_lines(line: str) -> None:
    print(line, flush=True)
