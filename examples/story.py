#!/usr/bin/env python3
"""Plays the whole story of DTMF once, through the real client over HTTP. `make run` and `make demo` start it.

    python examples/story.py --stay [options of `dtmf-server run`]   on ./data, and stays up until Ctrl-C
    python examples/story.py                                         on a temporary folder, and exits

Every line after `>>>` is printed, then run as printed.

Exit status: 0 all went well, 1 a step was not what it should be, with --stay the server's.
"""

import sys

try:
    import argparse
    import os
    import queue
    import signal
    import tempfile
    import threading
    from random import randrange
    from time import monotonic, sleep
    from typing import Any

    from by_webhook import receive_by_webhook
    from stage import Events, Unexpected, Voice, direct, expect, shown, start_server

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until main() takes it over, Ctrl-C just ends this
except KeyboardInterrupt:  # while modules load
    sys.exit(130)

PHONE = "+13105550123"  # somebody's phone elsewhere; 555-01xx numbers belong to nobody
PATIENCE_S = 20.0
LEASE_S = 60  # of a delivery under way (workers/outbox.py)


class Story:
    """A client, and what the story has seen of its account so far."""

    def __init__(self, voice: Voice) -> None:
        from dtmf import DTMF  # noqa: PLC0415 - not before the first line is on the screen
        from dtmf.webhook import verify  # noqa: PLC0415 - the same

        self._voice = voice
        self.tell("A client. DTMF_URL and DTMF_TOKEN say where the service is, and who asks.")
        for line in ("from dtmf import DTMF", "from dtmf.webhook import verify", "dtmf = DTMF()"):
            self.type(line)
        self._dtmf = DTMF()
        self._names: dict[str, Any] = {"dtmf": self._dtmf, "verify": verify}
        self._wait_for_leftovers(DTMF(timeout=2 * LEASE_S))
        self._last_id = max((entry["id"] for entry in self._dtmf.transactions()), default=0)
        self.balance = self._dtmf.account()["balance"]

    def _wait_for_leftovers(self, patient: Any) -> None:
        """Waits for deliveries that a killed run had under way: their lease has to run out first."""
        words = f"Waiting for what an earlier run left under way, at most {LEASE_S} s …"
        soon = threading.Timer(1, self._voice.say, (words, "dim"))
        soon.daemon = True
        soon.start()
        with patient:
            patient.sandbox.advance(0)
        soon.cancel()

    def tell(self, text: str) -> None:
        """Says what comes next."""
        self._voice.say()
        self._voice.say(text, "bold")

    def type(self, line: str) -> None:
        """Prints a line as one would type it."""
        self._voice.say(self._voice.styled(">>> ", "dim") + self._voice.styled(line, "cyan"))

    def play(self, line: str) -> Any:
        """Prints a line of Python, runs it, and prints its result and the satoshis it moved."""
        self.type(line)
        result = self._run(line)
        self._voice.say(shown(result))
        self.account_for()
        return result

    def keep(self, name: str, line: str) -> Any:
        """Prints a line of Python that gives its result a name, and runs it."""
        self.type(f"{name} = {line}")
        self._names[name] = self._run(line)
        return self._names[name]

    def know(self, **names: Any) -> None:
        """Lets lines use these names from now on."""
        self._names |= names

    def _run(self, line: str) -> Any:
        try:
            return eval(line, self._names)
        except Exception as error:
            raise Unexpected(f"{line}\n{type(error).__name__}: {error}") from error

    def account_for(self) -> None:
        """Prints the satoshis that have moved since the last time, and why."""
        for entry in self._dtmf.transactions(after=self._last_id):
            sign, style = ("+", "green") if entry["amount"] > 0 else ("\N{MINUS SIGN}", "red")
            reason = entry["reference"] if len(entry["reference"]) < 20 else entry["reference"][:16] + "…"
            moved = self._voice.styled(f"{sign} {abs(entry['amount']):,} sats".rjust(15), style)
            self._voice.say(f"{moved}  {entry['kind']:<16}  {reason:<17}  balance {entry['balance']:,}")
            self._last_id, self.balance = entry["id"], entry["balance"]

    def wait_for_sent(self, text: str) -> None:
        """Waits until another phone has this text: forwarding happens a moment after the SMS is stored."""
        until_s = monotonic() + PATIENCE_S
        while all(sms["content"] != text for sms in self._dtmf.sandbox.sent()):
            expect(monotonic() < until_s, f"{text!r} was not sent within {PATIENCE_S:.0f} s")
            sleep(0.02)
        self.account_for()

    def hear(self, text: str) -> None:
        """Prints something that came from outside."""
        self._voice.say(self._voice.styled("  ← ", "dim") + text)


def tell_all(story: Story) -> None:
    """Deposit, rent, receive, webhook, forward, send, time, end."""
    story.tell("Money first: an address of your own, and coins that only the sandbox can make.")
    address = story.play("dtmf.new_address()")["address"]
    deposit = story.play(f"dtmf.sandbox.deposit({address!r}, 100_000)")
    expect(deposit["status"] == "credited", "the deposit was not credited")

    story.tell("What can be rented.")
    groups = story.play("dtmf.groups('mobile')")
    expect(any(group["id"] == "us-mobile" for group in groups), "there is no group us-mobile")

    story.tell("Rent a number: set-up and the first minute are paid at once, each further minute as it starts.")
    number = story.play("dtmf.start_rental('us-mobile')")
    e164 = number["e164"]
    expect(number["messages"] == [], f"{e164} came with somebody's messages")

    story.tell("Somebody sends an SMS to it. It is stored before it is acknowledged.")
    message = story.play(f"dtmf.sandbox.receive({e164!r}, '+1234', 'Your code is 428613')")
    expect(message["cost"] == number["cost_per_inbound_message"], "the SMS did not cost what the group says")
    story.play("dtmf.numbers()")
    texts = [message["content"] for message in story.play(f"dtmf.number({e164!r})['messages']")]
    expect(texts == ["Your code is 428613"], f"the number has these messages: {texts}")

    receive_by_webhook(story, e164)
    forward_and_send(story, e164)
    let_time_pass(story, e164, cost_per_minute=number["cost_per_minute"])


def forward_and_send(story: Story, e164: str) -> None:
    """An SMS goes on to another phone, and one is sent."""
    story.tell("Or forwarded to another phone; what is sent is charged per segment.")
    story.play(f"dtmf.set_sms_action({e164!r}, 'forward', {PHONE!r})")
    code = randrange(100_000, 1_000_000)  # another one each time: what a second run waits for is its own
    story.play(f"dtmf.sandbox.receive({e164!r}, '+1234', 'Your code is {code}')")
    text = f"From +1234: Your code is {code}"
    story.wait_for_sent(text)
    forwarded = story.play("dtmf.sandbox.sent()[-1]  # what other phones received")
    expect(forwarded == {"from": e164, "to": PHONE, "content": text}, "that is not the forwarded SMS")

    story.tell("Answer from the rented number.")
    story.play(f"dtmf.set_sms_action({e164!r}, None, None)")
    message = story.play(f"dtmf.send_message({e164!r}, {PHONE!r}, 'It works')")
    expect(message["inbound"] is False and message["cost"] > 0, "the sent message is not one")


def let_time_pass(story: Story, e164: str, *, cost_per_minute: int) -> None:
    """An hour goes by, the rental ends, and the books agree with the balance."""
    story.tell("Time passes. A minute is in the balance as it starts, and in the books with the next booking.")
    before = story.play("dtmf.usage()")["balance"]
    story.play("dtmf.sandbox.advance(3600)")
    after = story.play("dtmf.account()")["balance"]
    expect(before - after >= 60 * cost_per_minute, f"an hour cost {before - after} sats")

    story.tell("Give the number back.")
    expect(story.play(f"dtmf.end_rental({e164!r})") is True, "the rental did not end")
    others = story.play("dtmf.numbers()")
    expect(all(number["e164"] != e164 for number in others), f"{e164} is still rented")
    balance = story.play("dtmf.account()")["balance"]
    booked_right = balance == story.balance if not others else balance <= story.balance
    expect(booked_right, f"the balance is {balance}, and {story.balance} by the books")


def main() -> int:
    """Starts the server and the story; the exit status."""
    parser = argparse.ArgumentParser(
        description="Plays the whole story once. Options it does not know go to `dtmf-server run`.", allow_abbrev=False
    )
    parser.add_argument("--stay", action="store_true", help="stay up afterwards, until Ctrl-C")
    parser.add_argument("--data", help="folder of the database (default: ./data with --stay, else a temporary one)")
    parser.add_argument("--port", help="default: 8000 or the next free one with --stay, else any free one")
    chosen, options = parser.parse_known_args()
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # stdout is a TextIOWrapper here
    events: Events = queue.SimpleQueue()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, _frame: events.put(("signal", number)))
    for name in ("DTMF_URL", "DTMF_TOKEN"):
        os.environ.pop(name, None)
    voice = Voice(events)
    with tempfile.TemporaryDirectory(prefix="dtmf-", ignore_cleanup_errors=True) as temporary:
        data = chosen.data or ("data" if chosen.stay else temporary)
        shown_data = f"./{data}" if data == "data" else data
        voice.say(f"Starting a DTMF sandbox in {shown_data} …")
        port = ["--port", chosen.port] if chosen.port else [] if chosen.stay else ["--port", "0"]
        server = start_server(["--data", data, *port, *options], events)
        return direct(server, voice, events, tell=lambda: tell_all(Story(voice)), stay=chosen.stay)


if __name__ == "__main__":
    sys.exit(main())
