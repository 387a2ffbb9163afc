#!/usr/bin/env python3
"""Plays the whole story of DTMF once, through the real client over HTTP. `make run` and `make demo` start it.

    python examples/story.py --stay [options of `dtmf-server run`]   on ./data, in ten lines, and stays up until Ctrl-C
    python examples/story.py                                         on a temporary folder, every call shown, and exits

Every line after `>>>` is printed, then run as printed. With --stay it is played on a sandbox that somebody has used:
it pays what it needs itself, takes any group that has a free number, leaves the clock alone, and what it can't do there
it says, and leaves out.

Exit status: 0 all went well, 1 a step was not what it should be; with --stay the server's.
"""

import sys

try:
    import argparse
    import os
    import queue
    import signal
    import tempfile
    from random import randrange
    from time import monotonic, sleep
    from typing import Any

    from by_webhook import receive_by_webhook
    from stage import Events, Refused, Unexpected, Voice, direct, expect, shown, start_server

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until main() takes it over, Ctrl-C just ends this
except KeyboardInterrupt:  # while modules load
    sys.exit(130)

PHONE = "+13105550123"  # somebody's phone elsewhere; 555-01xx numbers belong to nobody
PATIENCE_S = 20.0
DEPOSITS_MAX = 20
BUDGET = 100_000  # satoshis: what the story deposits if that is enough


class Story:
    """A client, and what the story has seen of its account so far. `brief`: it shows none of its calls."""

    def __init__(self, voice: Voice, *, brief: bool = False) -> None:
        from dtmf import DTMF  # noqa: PLC0415 - not before the first line is on the screen
        from dtmf.webhook import verify  # noqa: PLC0415 - the same

        self._voice = voice
        self.brief = brief
        self.tell("A client. DTMF_URL and DTMF_TOKEN say where the service is, and who asks.")
        for line in ("from dtmf import DTMF", "from dtmf.webhook import verify", "dtmf = DTMF()"):
            self.type(line)
        self.dtmf = DTMF()
        self._names: dict[str, Any] = {"dtmf": self.dtmf, "verify": verify}
        self.e164 = ""
        self.number: Any = {}
        self._last_id = 0
        for entry in self.dtmf.transactions():
            self._last_id = entry["id"]
        self.balance = self.dtmf.account()["balance"]

    def tell(self, text: str) -> None:
        """Says what comes next."""
        self._say()
        self._say(text, "bold")

    def _say(self, line: str = "", style: str = "") -> None:
        if not self.brief:
            self._voice.say(line, style)

    def type(self, line: str) -> None:
        """Prints a line as one would type it."""
        self._say(self._voice.styled(">>> ", "dim") + self._voice.styled(line, "cyan"))

    def play(self, line: str) -> Any:
        """Prints a line of Python, runs it, and prints its result and the satoshis it moved."""
        self.type(line)
        result = self._run(line)
        self._say(shown(result))
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
            raise Refused(line, error) from error

    def account_for(self) -> None:
        """Prints the satoshis that have moved since the last time, and why."""
        for entry in self.dtmf.transactions(after=self._last_id):
            sign, style = ("+", "green") if entry["amount"] > 0 else ("\N{MINUS SIGN}", "red")
            reason = entry["reference"] if len(entry["reference"]) < 20 else entry["reference"][:16] + "…"
            moved = self._voice.styled(f"{sign} {abs(entry['amount']):,} sats".rjust(15), style)
            self._say(f"{moved}  {entry['kind']:<16}  {reason:<17}  balance {entry['balance']:,}")
            self._last_id, self.balance = entry["id"], entry["balance"]

    def wait_for_sent(self, text: str) -> None:
        """Waits until another phone has this text: forwarding happens a moment after the SMS is stored."""
        until_s = monotonic() + PATIENCE_S
        while all(sms["content"] != text for sms in self.dtmf.sandbox.sent()):
            expect(monotonic() < until_s, f"{text!r} was not sent within {PATIENCE_S:.0f} s")
            sleep(0.02)
        self.account_for()

    def hear(self, text: str) -> None:
        """Prints something that came from outside."""
        self._say(self._voice.styled("  ← ", "dim") + text)


def tell_all(story: Story) -> None:
    """Every chapter, each call shown; raises Unexpected where a step is not what it should be."""
    for chapter in (pay, rent, receive, receive_by_webhook, forward, send, let_time_pass, end):
        chapter(story)


def tell_in_brief(story: Story, voice: Voice) -> None:
    """The chapters but the clock's, in a line that grows; a line more for each that this sandbox does not let it play."""
    chapters = {"deposit": pay, "rent": rent, "receive": receive, "webhook": receive_by_webhook}
    chapters |= {"forward": forward, "send": send, "end": end}
    began_s, left_out = monotonic(), []
    voice.say("  Story      ", more=True)
    for name, chapter in chapters.items():
        if chapter not in (pay, rent) and not story.e164:
            continue
        try:
            chapter(story)
        except Unexpected as error:
            left_out.append(f"             left out: {name}, {error.in_one_line()}")
        else:
            voice.say(f"{name}, ", "dim", more=True)
    voice.say(f"played in {monotonic() - began_s:.1f} s; the balance is {story.dtmf.account()['balance']:,} sats")
    for line in left_out:
        voice.say(line)


def pay(story: Story) -> None:
    """Coins, as many as the story needs after what the account owes."""
    story.tell("Money first: an address of your own, and coins that only the sandbox can make.")
    addresses = story.dtmf.addresses()
    address = story.play("dtmf.addresses()[-1]" if addresses else "dtmf.new_address()")["address"]
    budget = _budget(story)
    amount = max(BUDGET, budget - story.balance)
    for _ in range(DEPOSITS_MAX):
        deposit = story.play(f"dtmf.sandbox.deposit({address!r}, {amount:_})")
        expect(deposit["status"] == "credited", "the deposit was not credited")
        amount = 2 * amount
        if story.dtmf.account()["balance"] >= budget:  # else the account owed something, which was paid first
            return


def _groups(story: Story) -> list[Any]:
    """The groups that receive SMS: us-mobile, then the cheapest first."""
    groups = [group for kind in ("mobile", "local") for group in story.dtmf.groups(kind) if group["sms_support"]]
    return sorted(groups, key=lambda group: (group["id"] != "us-mobile", group["setup_cost"], group["id"]))


def _budget(story: Story) -> int:
    """What the story may cost in the first group it tries: two hours, its SMS, and as much again."""
    if not (groups := _groups(story)):
        return BUDGET
    group = groups[0]
    rental: int = group["setup_cost"] + 120 * group["rental_cost_per_minute"] + 4 * group["cost_per_inbound_message"]
    return max(BUDGET, 2 * rental)


def rent(story: Story) -> None:
    """A number of the first group that has a free one."""
    story.tell("What can be rented.")
    groups = _groups(story)
    story.play("dtmf.groups('mobile')")
    expect(groups, "no group of the catalog receives SMS")
    story.tell("Rent a number: set-up and the first minute are paid at once, each further minute as it starts.")
    for group in groups:
        try:
            story.number = story.play(f"dtmf.start_rental({group['id']!r})")
            break
        except Refused as refused:
            if refused.name not in ("NoNumbersAvailableError", "InsufficientFundsError"):
                raise
    expect(story.number, "every number is rented or resting, or costs more than the account has")
    story.e164 = story.number["e164"]
    expect(story.number["messages"] == [], f"{story.e164} came with somebody's messages")


def receive(story: Story) -> None:
    """An SMS is stored, and read."""
    e164 = story.e164
    story.tell("Somebody sends an SMS to it. It is stored before it is acknowledged.")
    message = story.play(f"dtmf.sandbox.receive({e164!r}, '+1234', 'Your code is 428613')")
    expect(message["cost"] == story.number["cost_per_inbound_message"], "the SMS did not cost what the group says")
    if not story.brief:
        story.play("dtmf.numbers()")
    texts = [message["content"] for message in story.play(f"dtmf.number({e164!r})['messages']")]
    expect(texts == ["Your code is 428613"], f"the number has these messages: {texts}")


def forward(story: Story) -> None:
    """An SMS goes on to another phone."""
    e164 = story.e164
    story.tell("Or forwarded to another phone; what is sent is charged per segment.")
    story.play(f"dtmf.set_sms_action({e164!r}, 'forward', {PHONE!r})")
    code = randrange(100_000, 1_000_000)  # another one each time: what a second run waits for is its own
    story.play(f"dtmf.sandbox.receive({e164!r}, '+1234', 'Your code is {code}')")
    text = f"From +1234: Your code is {code}"
    story.wait_for_sent(text)
    forwarded = story.play(f"[sms for sms in dtmf.sandbox.sent() if '{code}' in sms['content']]  # on other phones")
    expect(forwarded == [{"from": e164, "to": PHONE, "content": text}], "that is not the forwarded SMS")


def send(story: Story) -> None:
    """An SMS is sent."""
    story.tell("Answer from the rented number.")
    story.play(f"dtmf.set_sms_action({story.e164!r}, None, None)")
    message = story.play(f"dtmf.send_message({story.e164!r}, {PHONE!r}, 'It works')")
    expect(message["inbound"] is False and message["cost"] > 0, "the sent message is not one")


def let_time_pass(story: Story) -> None:
    """An hour goes by."""
    story.tell("Time passes. A minute is in the balance as it starts, and in the books with the next booking.")
    before = story.play("dtmf.usage()")["balance"]
    story.play("dtmf.sandbox.advance(3600)")
    after = story.play("dtmf.account()")["balance"]
    expect(before - after >= 60 * story.number["cost_per_minute"], f"an hour cost {before - after} sats")


def end(story: Story) -> None:
    """The rental ends, and the books agree with the balance."""
    story.tell("Give the number back.")
    expect(story.play(f"dtmf.end_rental({story.e164!r})") is True, "the rental did not end")
    others = story.play("dtmf.numbers()")
    expect(all(number["e164"] != story.e164 for number in others), f"{story.e164} is still rented")
    balance = story.play("dtmf.account()")["balance"]
    expect(others or balance == story.balance, f"the balance is {balance}, and {story.balance} by the books")


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
        if not chosen.stay:
            voice.say(f"Starting a DTMF sandbox in {shown_data} …")
        port = ["--port", chosen.port] if chosen.port else [] if chosen.stay else ["--port", "0"]
        server = start_server(["--data", data, *port, *options], events)

        def tell() -> None:
            if chosen.stay:
                tell_in_brief(Story(voice, brief=True), voice)
            else:
                tell_all(Story(voice))

        return direct(server, voice, events, tell=tell, stay=chosen.stay, data=shown_data)


if __name__ == "__main__":
    sys.exit(main())
