"""A carrier's words about an SMS, made safe to store and show: they reach renters, logs and terminals."""

WORDS_MAX = 200  # characters


def bounded(words: str) -> str:
    """Return the words on one line, at most WORDS_MAX characters, without control, formatting and unassigned characters.

    Templates and terminals escape what is left, as for any text.
    """
    line = " ".join(words[: WORDS_MAX * 4].split())
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)
    return shown if len(shown) <= WORDS_MAX else f"{shown[: WORDS_MAX - 1]}…"
