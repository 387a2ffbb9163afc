"""tools/prose_check.py: what it finds, what it passes over, and how an exception is marked."""

import runpy

import pytest

from support.paths import ROOT

check = runpy.run_path(str(ROOT / "tools" / "prose_check.py"))["check"]


def found(suffix: str, text: str) -> list[tuple[int, str]]:
    return [(line, words) for line, words, _ in check(suffix, text)]


@pytest.mark.parametrize(
    ("suffix", "text", "expected"),
    [
        (".md", "Whoever waits is told.\n", [(1, "Whoever"), (1, "Whoever waits is told. …"), (1, "told")]),
        (".md", "It is said in\nwords, for\never.\n", [(1, "in words"), (1, "is said"), (2, "for ever")]),
        (".md", "One line.\nWhat comes again is dropped.\n", [(2, "What comes again is …")]),
        (".sql", "-- read it\n-- anew\n", [(2, "anew")]),
        (".html", "<p>{{ _('This is no token of ours.') }}</p>", [(1, "is no"), (1, "of ours")]),
        (".py", '"""Say it in words."""\n', [(1, "in words")]),
        (".py", '"""Gives a number."""\n', [(1, "Gives")]),
        (".py", "x = 1  # is told in\n# words\n", [(1, "in words"), (1, "told")]),
        (".py", "def test_whoever_waits():\n    raise E(f'{told} nobody')\n", [(1, "whoever"), (2, "nobody")]),
        (".mjs", 'const kept = 1;  // kept\nfail("it is told");\n', [(1, "kept"), (2, "told")]),
    ],
)
def test_forbidden_words_are_found_with_their_lines(suffix, text, expected):
    assert found(suffix, text) == expected


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".md", "There is no limit. It is no longer read. The `told` column is kept open.\n"),
        (".md", "# What it costs\n\nWhat does it cost? [What is new](x.md)\n\n| What is it | cost |\n"),
        (".py", "kept = told = nobody\nKEPT = kept['nobody']\ndef told(): ...\n"),
        (".py", "raise ValueError(f'{kept} {whoever(anew)}')\n"),
        (".html", "{{ macros.kept(draft) }}"),
    ],
)
def test_plain_english_and_code_are_not_found(suffix, text):
    assert found(suffix, text) == []


def test_a_mark_with_a_reason_excuses_its_line_and_the_next():
    assert found(".md", "<!-- prose: ok - quoted from BIP 84 -->\nIt is told.\nIt is told.\n") == [(3, "told")]
    assert found(".py", "x = 'is told'  # prose: ok - quoted from BIP 84\n") == []


def test_a_mark_above_a_fence_excuses_the_block():
    mark = "<!-- prose: ok - printed by Kannel -->\n"
    assert found(".md", f"{mark}```\nno\nis told\n```\nis told\n") == [(6, "told")]


def test_a_mark_without_a_reason_or_without_use_is_found():
    assert found(".md", "is told <!-- prose: ok -->\n") == [(1, "prose: ok"), (1, "told")]
    assert found(".md", "fine <!-- prose: ok - quoted from BIP 84 -->\n") == [(1, "prose: ok")]


def test_a_file_can_be_skipped_with_a_reason():
    assert found(".py", "# prose: skip file - words of many languages\nX = 'is told'\n") == []
    assert found(".py", "# prose: skip file\nX = 'is told'\n") == [(2, "told")]
