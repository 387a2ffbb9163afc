"""The log is one line per event, for machines or people, and holds no token, text or whole phone number."""

import io
import json
import logging
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtmf_server.core import api_token
from dtmf_server.runtime.logging import OURS, mask, request_id, setup

TOKEN = api_token.mint(bytes(range(32)))
NUMBER = "+447700900123"


@pytest.fixture
def start(monkeypatch):
    """Sets up logging alone in the process, to a stream of its own; afterwards all is as before."""
    stream = io.StringIO()
    levels = {name: logging.getLogger(name).level for name in (None, *OURS)}

    def begin(*arguments, is_terminal=False, **named):
        monkeypatch.setattr(stream, "isatty", lambda: is_terminal)
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setattr(logging.getLogger(), "handlers", [])
        setup(*arguments, **named)
        return stream

    yield begin
    logging.captureWarnings(False)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture(params=["json", "people"])
def log(request, start):
    """Starts logging in either form: a logger, and what it has written."""
    return lambda: (logging.getLogger("dtmf.test"), start("debug", json=request.param == "json"))


def test_a_json_line_has_time_level_logger_message_request_id_and_extra(start):
    stderr = start("info", json=True)
    request_id.set("req-1")
    try:
        logging.getLogger("dtmf.meter").info("settled %d", 3, extra={"accounts": 3, "late": None, "ids": (1, "a")})
    finally:
        request_id.set(None)
    line = json.loads(stderr.getvalue())
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line.pop("time"))
    assert line == {
        "level": "info",
        "logger": "dtmf.meter",
        "message": "settled 3",
        "request_id": "req-1",
        "accounts": 3,
        "late": None,
        "ids": [1, "a"],
    }


def test_a_line_for_people_is_one_line_that_cannot_forge_another(start):
    stderr = start("info", json=False)
    logging.getLogger("dtmf.api").warning("refused\n2018 fake \x1b[2J %s", "é\u2028", extra={"path": "/a\rb"})
    (line,) = stderr.getvalue().splitlines()
    assert line.endswith("Z warning dtmf.api refused\\n2018 fake \\x1b[2J é\\u2028 path=/a\\rb")


@pytest.mark.parametrize(("is_terminal", "starts"), [(True, "20"), (False, "{")])
def test_a_terminal_gets_lines_for_people_and_anything_else_json(start, is_terminal, starts):
    stderr = start(is_terminal=is_terminal)
    logging.getLogger("dtmf").info("hello")
    assert stderr.getvalue().startswith(starts)


def test_json_escapes_line_ends_and_broken_surrogates(start):
    stderr = start(json=True)
    logging.getLogger("dtmf").info("a\nb\u2028c\ud800", extra={"x": {"k\n": {1}}})
    (line,) = stderr.getvalue().splitlines()
    assert line.isascii()
    assert json.loads(line)["message"] == "a\nb\u2028c\ud800"
    assert json.loads(line)["x"] == {"k\n": [1]}


def test_extra_fields_never_take_the_place_of_ours(start):
    stderr = start(json=True)
    logging.getLogger("dtmf").info("hello", extra={"time": 1, "level": 2, "logger": 3, "exception": 4})
    line = json.loads(stderr.getvalue())
    assert (line["level"], line["logger"], line["exception"]) == ("info", "dtmf", 4)
    assert line["time"] != 1


@pytest.mark.parametrize("secret", [TOKEN, TOKEN[:-3], f"Bearer {TOKEN}x", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
def test_tokens_and_webhook_secrets_are_masked(secret):
    assert mask(f"a {secret}, b").endswith("_…, b")
    assert secret[-12:] not in mask(secret)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"from {NUMBER}.", "from +447…23."),
        ("/number?e164=%2B447700900123&x=1", "/number?e164=%2B447…23&x=1"),
        ("%2b12025550123", "%2b120…23"),
        ("+12025550123+12025550124", "+120…23+120…24"),
        ("+1234567", "+1…"),
        ("+12345678", "+123…78"),
        ("+1234", "+1…"),
        ("+123 sats", "+123 sats"),
        ("+01:00 2018-01-01T01:01:01.000000 1514768461000000", "+01:00 2018-01-01T01:01:01.000000 1514768461000000"),
        ("http://user:pa+ss@127.0.0.1:8332/", "http://…@127.0.0.1:8332/"),
        ("https://example.org/a@b", "https://example.org/a@b"),
        ("dtmf_server.main dtmf_…", "dtmf_server.main dtmf_…"),
    ],
)
def test_numbers_and_passwords_are_masked_and_nothing_else(text, masked):
    assert mask(text) == masked


@given(st.from_regex(r"\+[1-9][0-9]{3,14}", fullmatch=True), st.text(max_size=5), st.text(max_size=5))
def test_no_whole_number_passes_the_mask(number, before, after):
    assert number not in mask(before + number + after)


@given(st.text())
def test_masking_twice_changes_nothing_more(text):
    assert mask(mask(text)) == mask(text)


class Sms:
    """A value whose text holds what must not be logged."""

    def __str__(self):
        return f"{NUMBER} {TOKEN}"

    __repr__ = __str__


def test_arguments_extra_fields_and_tracebacks_are_masked(log):
    logger, written = log()
    logger.info("%s %r", NUMBER, Sms(), extra={"to": NUMBER, "deep": [{TOKEN: Sms()}], NUMBER: 1})
    try:
        try:
            raise KeyError(NUMBER)
        except KeyError as error:
            raise ValueError(TOKEN) from error
    except ValueError:
        logger.exception("failed", stack_info=True)
    logger.error("%(n)s", {"n": NUMBER})
    text = written.getvalue()
    assert "ValueError" in text
    assert "KeyError" in text
    assert Path(__file__).name in text
    assert "447…23" in text.replace("\\u2026", "…")
    for secret in (NUMBER, NUMBER[1:], TOKEN):
        assert secret not in text


@pytest.mark.parametrize("name", ["content", "text", "body", "token", "password", "Authorization"])
def test_fields_that_hold_texts_or_secrets_are_withheld(log, name):
    logger, written = log()
    logger.info("stored", extra={name: "canary", "deep": {name: "canary"}})
    assert "canary" not in written.getvalue()
    assert name in written.getvalue()


def test_a_message_that_does_not_fit_its_arguments_is_logged_without_them(log):
    logger, written = log()
    logger.info("%d from %s", NUMBER, "canary")
    logger.info("%d", {"canary": 1})
    text = written.getvalue()
    assert len(text.splitlines()) == 2
    assert "do not fit" in text
    assert "canary" not in text
    assert NUMBER not in text


def test_the_level_is_for_our_loggers_and_others_speak_from_warning_on(log):
    _, written = log()
    logging.getLogger("sqlalchemy.engine").info("INSERT canary")
    logging.getLogger("httpcore2").debug("Authorization: canary")
    logging.getLogger("dtmf_server.server.process").debug("ours")
    logging.getLogger("httpcore2").warning("theirs")
    assert "canary" not in written.getvalue()
    assert "ours" in written.getvalue()
    assert "theirs" in written.getvalue()


def test_a_higher_level_is_for_everyone(start):
    stderr = start("error", json=True)
    for name in ("dtmf", "httpcore2"):
        logging.getLogger(name).warning("quiet")
        logging.getLogger(name).error("loud")
    assert [json.loads(line)["message"] for line in stderr.getvalue().splitlines()] == ["loud", "loud"]


def test_setting_up_twice_does_not_write_twice(start):
    stderr = start("info", json=True)
    setup(logging.INFO, json=True)
    logging.getLogger("dtmf").info("once")
    assert stderr.getvalue().count("once") == 1


@pytest.mark.parametrize("level", ["loud", "", "5x"])
def test_an_unknown_level_is_refused_and_changes_nothing(start, level):
    stderr = start("info", json=True)
    with pytest.raises(ValueError, match="Unknown level"):
        setup(level)
    logging.getLogger("dtmf").info("still here")
    assert "still here" in stderr.getvalue()
