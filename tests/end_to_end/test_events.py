"""Events survive the service: a follower misses none and sees none twice, however often the service is killed."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.server_process import Service, request
from support.streaming import EventSource

KILLS = 4
SMS_EACH = 15


class Follower:
    """Follows the events of a token in a thread, like a browser's EventSource, which resumes after the last id."""

    def __init__(self, token: str, url: str) -> None:
        self.seen: list[dict[str, Any]] = []
        self._token, self._url = token, url
        self._changed = threading.Condition()
        self._done = False
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def _follow(self) -> None:
        while not self._done:
            position = str(self.seen[-1]["id"]) if self.seen else ""
            try:
                with EventSource(self._url, self._token, headers={"Last-Event-ID": position}) as source:
                    for event in source.events():
                        with self._changed:
                            self.seen.append(event)
                            self._changed.notify_all()
                        if self._done:
                            return
            except (OSError, ValueError, IndexError):  # killed: the connection may end at any point
                threading.Event().wait(0.01)

    def wait_for(self, event_id: int) -> None:
        """Wait until the event has been seen."""
        with self._changed:
            assert self._changed.wait_for(lambda: bool(self.seen) and self.seen[-1]["id"] >= event_id, 60)

    def moved_to(self, url: str) -> None:
        """Set the current address of the service."""
        self._url = url

    def end(self, cause: Callable[[], object]) -> None:
        """Stop at the next event, which `cause` triggers."""
        self._done = True
        cause()
        self._thread.join(60)
        assert not self._thread.is_alive()


def texts(found: list[dict[str, Any]]) -> list[str]:
    """Return the received events in order."""
    return [event["message"]["content"] for event in found if event["kind"] == "message"]


def events_of(url: str, token: str) -> list[dict[str, Any]]:
    """Return all events."""
    found: list[dict[str, Any]] = []
    while True:
        after = found[-1]["id"] if found else 0
        with EventSource(url, token, query={"after": after, "wait": 0}) as source:
            page = list(source.events())
        if not page:
            return found
        found += page


def rent(url: str, token: str) -> str:
    """Rent a number on a funded account."""
    address = request(url, token, "POST", "/addresses").json["address"]
    request(url, token, "POST", "/sandbox/deposit", {"address": address, "amount": 10_000_000})
    return str(request(url, token, "POST", "/numbers", {"group_id": "gb-mobile"}).json["e164"])


def test_a_killed_and_restarted_service_loses_no_event_for_a_follower(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    with Service(tmp_path) as service:
        service.wait_ready()
        token, e164 = service.token, rent(service.url, service.token)
        follower = Follower(token, service.url)
        follower.wait_for(1)
    for kill in range(KILLS):
        with Service(tmp_path) as service:
            service.wait_ready()
            follower.moved_to(service.url)
            for n in range(SMS_EACH):
                body = {"to": e164, "from": "+1234", "content": f"{kill} {n}"}
                assert request(service.url, token, "POST", "/sandbox/message", body).status == 201
                acknowledged.append(body["content"])
            service.kill()  # some of the last ones are still in transit to the follower
    with Service(tmp_path) as service:
        service.wait_ready()
        follower.moved_to(service.url)
        every = events_of(service.url, token)
        follower.wait_for(every[-1]["id"])
        follower.end(lambda: request(service.url, token, "DELETE", f"/number?e164=%2B{e164[1:]}"))
        assert follower.seen[: len(every)] == every
        assert texts(every) == acknowledged
        assert service.stop() == 0


def test_sigterm_ends_a_stream_cleanly_before_the_process_exits(tmp_path: Path) -> None:
    with Service(tmp_path) as service:
        service.wait_ready()
        rent(service.url, service.token)
        with EventSource(service.url, service.token) as source:
            assert next(source.events())["kind"].startswith("deposit.")
            service.process.terminate()
            rest = list(source.blocks())  # raises if the stream is cut off instead of ended
        assert all("data" in block for block in rest)
        assert service.process.wait(60) == 0
