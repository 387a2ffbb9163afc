"""Rate sources: files and HTTP, their bounds, their age and their cache."""

import asyncio
import os
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from dtmf_server.config import ConfigError, Prices, load
from dtmf_server.core.rates import RateUnavailable
from dtmf_server.payments.rates import REFRESH_S, RETRY_S, RateSource
from support.lightning.http_server import Answer, HttpServer, Received

NOW_US = 1_800_000_000_000_000


class Clocks:
    """The real time and the time of the caches, which pass together."""

    def __init__(self) -> None:
        self.s = 0.0

    def wall_us(self) -> int:
        return NOW_US + int(self.s * 1_000_000)

    def monotonic_s(self) -> float:
        return self.s

    def source(self, **settings: object) -> RateSource:
        prices = Prices(currency="EUR", **settings)  # type: ignore[arg-type]  # the settings of one case
        return RateSource(prices, wall_us=self.wall_us, monotonic_s=self.monotonic_s)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def written(path: Path, text: str, *, age_s: float = 0) -> str:
    path.write_text(text)
    at_s = NOW_US / 1_000_000 - age_s
    os.utime(path, (at_s, at_s))
    return str(path)


async def test_the_rate_of_a_file_is_read_again_after_a_minute(tmp_path: Path, clocks: Clocks) -> None:
    source = clocks.source(rate_file=written(tmp_path / "rate", "65000\n"))
    assert await source.current_rate() == 65000
    written(tmp_path / "rate", "66000")
    clocks.s = REFRESH_S - 1
    assert await source.current_rate() == 65000
    clocks.s = REFRESH_S
    assert await source.current_rate() == 66000


@pytest.mark.parametrize(
    ("text", "settings", "cause"),
    [
        ("65000", {"rate_min": 70000.0}, "has the rate 65000, outside of 70000 to"),
        ("65000", {"rate_max": 60000.0}, "has the rate 65000, outside of"),
        ("0", {}, "has the rate 0, outside of"),
        ("1e20", {}, "outside of"),
        ("NaN", {}, "is not a positive number"),
        ("-1", {}, "is not a positive number"),
        ("<html>", {}, "is an HTML page"),
        ("{}", {"rate_pointer": "/eur"}, "has nothing at /eur"),
    ],
)
async def test_a_bad_rate_is_refused(
    tmp_path: Path, clocks: Clocks, text: str, settings: dict[str, object], cause: str
) -> None:
    with pytest.raises(RateUnavailable, match=cause):
        await clocks.source(rate_file=written(tmp_path / "rate", text), **settings).current_rate()


async def test_a_file_from_the_future_is_refused_because_it_would_never_be_old(tmp_path: Path, clocks: Clocks) -> None:
    source = clocks.source(rate_file=written(tmp_path / "rate", "65000", age_s=-3600))
    with pytest.raises(RateUnavailable, match="has a time of change in the future"):
        await source.current_rate()


async def test_a_missing_file_is_refused(tmp_path: Path, clocks: Clocks) -> None:
    with pytest.raises(RateUnavailable, match="No such file"):
        await clocks.source(rate_file=str(tmp_path / "none")).current_rate()


async def test_an_old_rate_is_refused_even_if_it_was_used_before(tmp_path: Path, clocks: Clocks) -> None:
    source = clocks.source(rate_file=written(tmp_path / "rate", "65000", age_s=590), rate_max_age_s=600)
    assert await source.current_rate() == 65000
    clocks.s = 11
    with pytest.raises(RateUnavailable, match="the rate is 601 s old"):
        await source.current_rate()


async def test_the_last_rate_is_used_while_the_source_fails(tmp_path: Path, clocks: Clocks) -> None:
    source = clocks.source(rate_file=written(tmp_path / "rate", "65000"), rate_max_age_s=600)
    assert await source.current_rate() == 65000
    written(tmp_path / "rate", "")
    clocks.s = REFRESH_S
    assert await source.current_rate() == 65000
    clocks.s = 601
    with pytest.raises(RateUnavailable, match=r"601 s old.*is not a positive number"):
        await source.current_rate()
    written(tmp_path / "rate", "64000", age_s=-602)
    clocks.s += RETRY_S
    assert await source.current_rate() == 64000


async def test_a_failure_is_not_repeated_at_once(tmp_path: Path, clocks: Clocks) -> None:
    source = clocks.source(rate_file=str(tmp_path / "rate"))
    with pytest.raises(RateUnavailable):
        await source.current_rate()
    written(tmp_path / "rate", "65000")
    with pytest.raises(RateUnavailable, match="No such file"):
        await source.current_rate()
    clocks.s = RETRY_S
    assert await source.current_rate() == 65000


async def test_a_rate_over_http_is_found_by_its_pointer_and_fetched_once_a_minute(clocks: Clocks) -> None:
    def answer(received: Received) -> Answer:
        assert (received.method, received.path, received.query) == ("GET", "/v1/ticker", {"pair": "BTCEUR"})
        return Answer.json({"eur": {"last": "65000.10"}})

    with HttpServer(answer) as server:
        source = clocks.source(rate_url=f"{server.url}/v1/ticker?pair=BTCEUR", rate_pointer="/eur/last")
        assert await asyncio.gather(source.current_rate()) == [Decimal("65000.10")]
        assert await source.current_rate() == Decimal("65000.10")
        assert len(server.received) == 1


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (Answer(200, b"<html>Sign in</html>"), "is an HTML page"),
        (
            Answer(302, b"", {"Location": "https://elsewhere.example"}),
            r"redirects \(status 302\): check prices\.rate_url",
        ),
        (Answer(500, b"65000"), "answered with status 500"),
        (Answer(429, b"65000"), "answered with status 429"),
        (Answer(200, b'{"eur": 65000'), "is not JSON"),
    ],
)
async def test_a_bad_reply_is_refused(clocks: Clocks, answer: Answer, cause: str) -> None:
    with HttpServer(lambda _received: answer) as server, pytest.raises(RateUnavailable, match=cause):
        await clocks.source(rate_url=server.url, rate_pointer="/eur").current_rate()


async def test_a_slow_source_is_read_once_for_all_even_if_they_stop_waiting(clocks: Clocks) -> None:
    asked, answers = threading.Event(), threading.Event()

    def answer(_received: Received) -> Answer:
        asked.set()
        answers.wait()
        return Answer(200, b"65000")

    with HttpServer(answer) as server:
        source = clocks.source(rate_url=server.url)
        impatient = [asyncio.create_task(source.current_rate()) for _ in range(20)]
        await asyncio.to_thread(asked.wait)
        for waiting in impatient:
            waiting.cancel()
        await asyncio.wait(impatient)
        answers.set()
        assert await source.current_rate() == 65000
        assert len(server.received) == 1


async def test_an_unreachable_source_is_refused(clocks: Clocks) -> None:
    with HttpServer(lambda _received: Answer(200, b"1")) as server:
        url = server.url
    with pytest.raises(RateUnavailable, match=r"can't connect to 127\.0\.0\.1"):
        await clocks.source(rate_url=url).current_rate()


Write = Callable[[str], Path]


@pytest.fixture
def configured(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        (tmp_path / "dtmf.toml").write_text(text)
        return tmp_path / "dtmf.toml"

    return write


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ('currency = "EUR"', "needs rate_file or rate_url"),
        ('currency = "euro"\nrate_file = "/r"', "must be a code of ISO 4217"),
        ('rate_file = "/r"', "needs currency"),
        ('currency = "EUR"\nrate_file = "r"', "must be an absolute path"),
        ('currency = "EUR"\nrate_file = "/r"\nrate_url = "https://a.example"', "use only one of them"),
        ('currency = "EUR"\nrate_url = "http://rates.example"', "must begin with https://"),
        ('currency = "EUR"\nrate_url = "ftp://rates.example"', "must be an http:// or https:// URL"),
        ('currency = "EUR"\nrate_url = "https://user:pw@rates.example"', "must be an http:// or https:// URL"),
        ('currency = "EUR"\nrate_file = "/r"\nrate_pointer = "eur"', "must be a JSON pointer"),
        ('currency = "EUR"\nrate_file = "/r"\nrate_min = 2.0\nrate_max = 1.0', "must not be above rate_max"),
        ('currency = "EUR"\nrate_file = "/r"\nrate_min = nan', "must be a number above 0"),
        ('currency = "EUR"\nrate_file = "/r"\nrate_max = -1.0', "must be a number above 0"),
        ('currency = "EUR"\nrate_file = "/r"\nrate_max_age_s = 5', "must be whole seconds from 60"),
    ],
)
def test_invalid_settings_are_refused(configured: Write, text: str, cause: str) -> None:
    with pytest.raises(ConfigError, match=cause):
        load(configured(f"[prices]\n{text}\n"), {})
