"""`/healthz` and `/readyz`, and what every answer has: a HEAD without a body, a request id."""

import re
from dataclasses import replace

from support.connection import Connection, ask_for

from .operations import ONE_ENGINE, Renter, calls


def test_health_and_readiness_need_no_token(connection: Connection) -> None:
    alive = connection.ask("GET", "/healthz")
    assert (alive.status, alive.json) == (200, {"status": "ok"})
    ready = connection.ask("GET", "/readyz")
    assert ready.status == 200
    assert (ready.json["status"], ready.json["database"], ready.json["mode"]) == ("ready", "ok", "sandbox")
    assert ready.json["schema"] not in ("", "none")


@ONE_ENGINE
def test_a_head_is_answered_as_the_get_without_its_body(renter: Renter, connection: Connection) -> None:
    """Monitors and proxies ask so."""
    named = {name: call for name, call in calls(renter).items() if name.startswith("GET ")}
    asked = [call.asked(name, renter.token) for name, call in named.items()]
    asked += [ask_for("GET", path) for path in ("/", "/schema/openapi.json", "/nowhere")]
    for each in asked:
        got, head = connection.send(each), connection.send(replace(each, method="HEAD"))
        assert (head.status, head.body) == (got.status, b"")
        assert sorted(head.headers) == sorted(got.headers)
        assert connection.ask("GET", "/healthz").status == 200  # nothing of the body follows


@ONE_ENGINE
def test_every_answer_has_a_request_id_of_its_own_which_its_problem_repeats(
    renter: Renter, connection: Connection
) -> None:
    seen = set()
    asked = [call.asked(name, renter.token) for name, call in calls(renter).items()]
    asked += [call.asked(name, None) for name, call in calls(renter).items()]
    for each in asked:
        reply = connection.send(each)
        id_ = reply.headers["x-request-id"]
        assert re.fullmatch(r"req_[0-9a-f]{16}", id_)
        if reply.status >= 400:
            assert reply.json["request_id"] == id_
        seen.add(id_)
    assert len(seen) == len(asked)
    # A caller's own id is not taken over: it could be anything.
    assert connection.ask("GET", "/healthz", headers={"X-Request-Id": "mine"}).headers["x-request-id"] != "mine"
