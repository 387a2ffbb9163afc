"""Report words and phrases that the style guide rules out, in all tracked prose.

    python tools/prose_check.py            every tracked text file
    python tools/prose_check.py FILE …     these files only

Prints `file:line: words: suggestion` and exits with 1 if there is a finding. Of Python it reads comments, docstrings,
strings and the names of tests; of every other file the whole text. Text in `backticks` is code and is skipped.

An exception carries its reason, on the same line or on the line above, in a comment of the file's own kind:

    # prose: ok - quotes the SMPP specification
    <!-- prose: ok - sample output of another program -->

Above a Markdown code fence the mark covers the whole block. `prose: skip file - reason` among a file's first ten lines
skips the file. A mark without a reason, and a mark that excuses nothing, is a finding too.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

SUFFIXES = {".py", ".md", ".html", ".sql", ".js", ".mjs", ".css", ".sh", ".toml", ".yml", ".txt"}
NAMES = {"Makefile", "run"}  # run: .ci/run
# The client's document, which is verbatim; lock files; released migrations, which never change; SMS in many languages; and
# the lists of these words themselves.
SKIPPED = re.compile(
    r"tests/end_to_end/document\.txt$|requirements/.*\.txt$|benchmarks/gateways/jasmin\.txt$"
    r"|dtmf-io/tests/codes/.*\.toml$|migrations/versions/.*\.sql$|tools/prose_check\.py$|tests/test_prose_check\.py$"
)

# A space matches any run of them, also across a line break.
PHRASES = {
    "anew": "again",
    "whoever": '"anyone who", or name the caller, process or client',
    "nobody": 'name what is absent: "no client", "no process", "no other account"',
    "mend(?:s|ed|ing)?": "fix",
    "for ever|forever": "permanently, indefinitely",
    "in words": "plainly, in full; or describe, explain",
    "told": "shown, notified",
    "tells": "shows, notifies, reports",
    "(?:is|are|was|were) said": "is reported, is printed, is documented",
    "of (?:ours|theirs)": '"our …", "their …"',
    "(?:what|nothing) (?:came|comes|has come) of": "the result of, the outcome of",
    "(?:is|are|was|were) no": '"isn\'t a …", "is not …", "must not", "is invalid"',
    "kept": "saved, stored, retained",
    "he|him|his": 'they; or name the thing: "the client", "the receiver"',
    "stands? in (?:no )?line": "is queued",
    "(?:us|me|them|itself) neither": '"not even by …"',
    "coins from nowhere": "test coins",
    "put forward": "fast-forward",
}
# The same words where they are plain English.
FINE = (
    "(?:there|there's) (?:is|are|was|were)? ?no|(?:is|are|was|were) no (?:longer|more|less|later|earlier|one)"
    "|tells? apart|told apart|kept (?:open|up|alive|short|small|separate|in sync|for [0-9]+|until|apart|from|out)"
    "|(?:is|are|was|were) said to"
)
# A sentence that begins with a relative clause. A question may; so may a heading, a link or the cell of a table.
CLAUSE = re.compile(r"(?<![\[*|'\"(])(?<![|] )\b(?:What|Whatever|Whoever|Who|Which) (?=[a-z])[^.?!]*.?", re.DOTALL)
IN_DOCSTRINGS = {"gives": "return, yield; or begin with a noun"}


def words(pattern: str) -> re.Pattern[str]:
    """The pattern as whole words, in either case, with any white space between them; `:kept` is a parameter of SQL."""
    return re.compile(rf"(?<![\w.$:-])(?:{pattern.replace(' ', ' +')})\b(?!-)", re.IGNORECASE)


FORBIDDEN = [(words(pattern), suggestion) for pattern, suggestion in PHRASES.items()]
ANY = words("|".join([*PHRASES, *IN_DOCSTRINGS]))
ALLOWED = words(FINE)
GIVES = [(words(pattern), suggestion) for pattern, suggestion in IN_DOCSTRINGS.items()]

CODE_SPAN = re.compile(r"`[^`\n]+`")
# Comments (those of consecutive lines are one), strings, and the names of tests. Enough for code that is formatted.
STRING = r"(?P<prefix>[rRbBuUfF]{0,2})(?P<quote>\"\"\"|'''|\"|'|`)(?P<text>(?:\\.|(?!(?P=quote)).)*?)(?P=quote)"
PYTHON = re.compile(
    rf"(?P<comment>#[^\n]*(?:\n[ \t]*#[^\n]*)*)|{STRING}|def (?P<test>test_\w+)".replace("|`", ""), re.DOTALL
)
JAVASCRIPT = re.compile(rf"(?P<comment>//[^\n]*|/\*.*?\*/)|{STRING}|(?P<test>(?!))", re.DOTALL)
# A line break within a paragraph, with the comment sign of the next line.
WRAP = re.compile(r"\n[ \t]*(?:#|--)?[ \t]*")
PARAGRAPH = re.compile(r"\n(?=[ \t]*(?:#|--)?[ \t]*(?:\n|[-*>|] |\d+\. ))")
HEADING = re.compile(r"\[[^\]\n]*\]\(|^ *#+ .*$|^.*<h[1-6].*$|^.*<t[hd].*$", re.MULTILINE)
FENCE = re.compile(r"^([ \t]*)(```+|~~~+).*?^\1\2", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"prose: ok\b(?: - (?P<reason>\w[^\n]{6,}))?")
SKIP_FILE = re.compile(r"prose: skip file - \w[^\n]{6,}")

Finding = tuple[int, str, str]  # line, words, suggestion


def main(arguments: list[str]) -> int:
    """1 if there is a finding, else 0."""
    paths = [Path(argument).resolve() for argument in arguments] or tracked()
    count = 0
    for path in paths:
        name = path.relative_to(ROOT).as_posix()
        for line, found, suggestion in check(path.suffix, path.read_text("utf-8")):
            print(f"{name}:{line}: {found}: {suggestion}")
            count += 1
    if count:
        print(f"{count} findings. Exceptions: `prose: ok - reason` (see tools/prose_check.py)", file=sys.stderr)
    return 1 if count else 0


def tracked() -> list[Path]:
    """Every tracked text file that is not skipped."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    names = [name for name in listed.split("\0") if name and not SKIPPED.search(name)]
    paths = [ROOT / name for name in names if Path(name).suffix in SUFFIXES or Path(name).name in NAMES]
    return [path for path in paths if path.is_file()]


def check(suffix: str, text: str) -> list[Finding]:
    """The findings in a file's text, in the order of lines, without those that a mark excuses."""
    if any(SKIP_FILE.search(line) for line in text.split("\n", 10)[:10]):
        return []
    grammar = {".py": PYTHON, ".js": JAVASCRIPT, ".mjs": JAVASCRIPT}.get(suffix)
    found = [*(in_code(text, grammar) if grammar else in_text(text, is_markdown=suffix == ".md"))]
    return sorted(excuse(text, found, is_markdown=suffix == ".md"))


def in_code(text: str, grammar: re.Pattern[str]) -> Iterator[Finding]:
    """The findings in comments, docstrings, strings of more than one word, and the names of tests."""
    for piece in grammar.finditer(text):
        shown, start = piece["comment"] or piece["text"] or piece["test"] or "", piece.start()
        if piece["text"] is not None:
            start = piece.start("text")
            if "f" in piece["prefix"].lower():
                shown = re.sub(r"\{[^{}]*\}", blank, shown)
        elif piece["test"]:
            shown = shown.replace("_", " ")
        is_docstring = bool(piece["quote"]) and len(piece["quote"]) == 3
        if piece["quote"] and " " not in shown:
            continue  # a key, a path, a name
        if ANY.search(WRAP.sub(blank, shown)) or "W" in shown:
            first = text.count("\n", 0, start)
            is_prose = is_docstring or bool(piece["comment"])
            for line, words_found, suggestion in findings(shown, is_docstring=is_docstring, has_clauses=is_prose):
                yield first + line, words_found, suggestion


def in_text(text: str, *, is_markdown: bool) -> Iterator[Finding]:
    """The findings in a whole text. Clauses are looked for in Markdown's paragraphs only."""
    yield from findings(text, has_clauses=False)
    if is_markdown:
        paragraphs = FENCE.sub(blank, HEADING.sub(blank, text))
        yield from findings(paragraphs, only_clauses=True)


def findings(
    text: str, *, is_docstring: bool = False, has_clauses: bool = True, only_clauses: bool = False
) -> Iterator[Finding]:
    """The findings in a piece of text, their lines counted from 1."""
    flat = WRAP.sub(blank, PARAGRAPH.sub("\x00", CODE_SPAN.sub(blank, text)))
    fine = [match.span() for match in ALLOWED.finditer(flat)]
    for pattern, suggestion in [] if only_clauses else [*FORBIDDEN, *(GIVES if is_docstring else [])]:
        for match in pattern.finditer(flat):
            is_fine = any(start <= match.start() and match.end() <= end for start, end in fine)
            if not is_fine and not match[0].isupper():
                yield text.count("\n", 0, match.start()) + 1, " ".join(match[0].split()), suggestion
    if has_clauses or only_clauses:
        for match in CLAUSE.finditer(flat.replace("\x00", ".")):
            if not match[0].endswith("?"):
                begin, line = " ".join(match[0].split()[:4]), text.count("\n", 0, match.start()) + 1
                yield line, f"{begin} …", "begin with the subject: subject, verb, object"


def blank(match: re.Match[str]) -> str:
    """As many spaces as were matched; line breaks stay where they separate paragraphs."""
    return re.sub(r"[^\n]", " ", match[0]) if match.re in (FENCE, HEADING) else " " * len(match[0])


def excuse(text: str, found: list[Finding], *, is_markdown: bool) -> Iterator[Finding]:
    """The findings that no mark excuses, and the marks that are of no use."""
    lines = text.split("\n")
    fences = {}  # the line before a fence: its last line
    if is_markdown and "prose: ok" in text:
        for fence in FENCE.finditer(text):
            first = text.count("\n", 0, fence.start())
            fences[first] = first + fence[0].count("\n") + 1
    excused = set[int]()
    for number, line in enumerate(lines, 1):
        if mark := MARK.search(line):
            covered = range(number, fences.get(number, number + 1) + 1)
            used = [finding for finding in found if finding[0] in covered]
            if not mark["reason"]:
                yield number, "prose: ok", "needs a reason: `prose: ok - reason`"
            elif not used:
                yield number, "prose: ok", "excuses nothing: remove it"
            else:
                excused.update(covered)
    yield from (finding for finding in found if finding[0] not in excused)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
