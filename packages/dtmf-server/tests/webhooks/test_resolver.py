"""Lookups are bounded in time and number, and a dead name doesn't delay others."""

import asyncio
import socket
import threading

import pytest

from dtmf_server.webhooks.resolver import LookupFailed, NotVetted, VettingResolver, is_ours, look_up


class SlowNames:
    """Answers only once `go` is set; counts the lookups that run at the same time."""

    def __init__(self) -> None:
        self.started, self.go = threading.Event(), threading.Event()
        self.lock = threading.Lock()
        self.asked: list[str] = []
        self.running = self.most = 0

    def __call__(self, name: str) -> list[str]:
        with self.lock:
            self.asked.append(name)
            self.running += 1
            self.most = max(self.most, self.running)
        self.started.set()
        self.go.wait()
        with self.lock:
            self.running -= 1
        return ["8.8.8.8"]


async def test_resolve_gives_every_address():
    resolver = VettingResolver(sandbox=False, lookup=lambda name: ["8.8.8.8", "2606:4700::1111"])
    assert await resolver.resolve("example.org") == ["8.8.8.8", "2606:4700::1111"]


async def test_all_addresses_are_vetted_though_only_the_first_are_dialled():
    many = [f"8.8.8.{n}" for n in range(100)]
    assert len(await VettingResolver(sandbox=False, lookup=lambda name: many).resolve("example.org")) == 4
    with pytest.raises(NotVetted, match=r"resolves to 10\.0\.0\.1"):
        await VettingResolver(sandbox=False, lookup=lambda name: [*many, "10.0.0.1"]).resolve("example.org")


async def test_a_name_without_addresses_is_a_failed_lookup():
    with pytest.raises(LookupFailed, match=r"example\.org does not resolve to any address"):
        await VettingResolver(sandbox=False, lookup=lambda name: []).resolve("example.org")


async def test_a_hanging_lookup_is_left_at_its_limit_and_holds_one_thread():
    names = SlowNames()
    resolver = VettingResolver(sandbox=False, lookup=names, limit_s=0.1)
    for _ in range(3):
        with pytest.raises(LookupFailed, match=r"looking up slow\.example\.org took longer than 0\.1 s"):
            await resolver.resolve("slow.example.org")
    assert names.asked == ["slow.example.org"]
    names.go.set()


async def test_those_who_ask_for_the_same_name_share_one_lookup():
    names = SlowNames()
    resolver = VettingResolver(sandbox=False, lookup=names)
    asking = [asyncio.create_task(resolver.resolve("example.org")) for _ in range(20)]
    await asyncio.to_thread(names.started.wait)
    names.go.set()
    assert await asyncio.gather(*asking) == [["8.8.8.8"]] * 20
    assert names.asked == ["example.org"]


async def test_one_who_gives_up_does_not_end_the_lookup_of_the_others():
    names = SlowNames()
    resolver = VettingResolver(sandbox=False, lookup=names)
    first, second = (asyncio.create_task(resolver.resolve("example.org")) for _ in range(2))
    await asyncio.to_thread(names.started.wait)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    names.go.set()
    assert await second == ["8.8.8.8"]


async def test_lookups_are_bounded_in_number_and_waiting_counts():
    names = SlowNames()
    resolver = VettingResolver(sandbox=False, lookup=names, limit_s=0.2, lookups=2)
    asked = [resolver.resolve(f"n{n}.example.org") for n in range(10)]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {LookupFailed}
    assert (names.most, len(names.asked)) == (2, 2)
    names.go.set()
    for thread in [t for t in threading.enumerate() if t.name.startswith("look up n")]:
        await asyncio.to_thread(thread.join)
    assert await resolver.resolve("after.example.org") == ["8.8.8.8"]


async def test_lookups_are_repeated_once_the_last_one_is_over():
    names = SlowNames()
    names.go.set()
    resolver = VettingResolver(sandbox=False, lookup=names)
    for _ in range(5):
        await resolver.resolve("example.org")
    assert names.asked == ["example.org"] * 5


async def test_an_exception_of_the_lookup_reaches_all_who_wait():
    def fails(name: str) -> list[str]:
        raise LookupFailed(f"the name servers of {name} do not answer")

    resolver = VettingResolver(sandbox=False, lookup=fails)
    outcomes = await asyncio.gather(*(resolver.resolve("example.org") for _ in range(3)), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["the name servers of example.org do not answer"] * 3


def test_a_lookup_that_outlives_its_loop_does_no_harm():
    names = SlowNames()

    async def give_up() -> None:
        with pytest.raises(LookupFailed):
            await VettingResolver(sandbox=False, lookup=names, limit_s=0.05).resolve("example.org")

    asyncio.run(give_up())
    (thread,) = [t for t in threading.enumerate() if t.name == "look up example.org"]
    assert thread.daemon
    names.go.set()
    thread.join(timeout=10)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (socket.EAI_NONAME, "example.org does not resolve to any address"),
        (socket.EAI_AGAIN, "the name servers of example.org do not answer"),
        (socket.EAI_FAIL, "example.org does not resolve to any address"),
    ],
)
def test_the_systems_resolver_is_asked_for_an_absolute_name_and_its_faults_are_named(monkeypatch, fault, said):
    asked = []

    def getaddrinfo(host, port, **options):
        asked.append(host)
        raise socket.gaierror(fault, "no")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(LookupFailed) as failed:
        look_up("example.org")
    assert (str(failed.value), asked) == (said, [b"example.org."])


def test_the_systems_answer_is_given_once_per_address(monkeypatch):
    rows = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 0)),
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2606:4700::1111", 0, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: rows)
    assert look_up("example.org") == ["8.8.8.8", "2606:4700::1111"]


def test_neither_strangers_addresses_nor_loopback_are_ours():
    """That a public address of this machine is: tests/namespaces/namespace_proof.py, where it has one."""
    assert [a for a in ("8.8.8.8", "2606:4700::1111", "198.51.100.1", "127.0.0.1", "::1") if is_ours(a)] == []


async def test_a_name_that_leads_to_this_machine_is_refused_though_the_address_is_public():
    resolver = VettingResolver(sandbox=False, lookup=lambda name: ["8.8.8.8"], is_own=lambda address: True)
    with pytest.raises(NotVetted, match=r"resolves to 8\.8\.8\.8, which is an address of this service itself"):
        await resolver.resolve("example.org")
