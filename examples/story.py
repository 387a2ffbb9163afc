#!/usr/bin/env python3
"""Play the whole story of DTMF once, with the real client over HTTP. `make run` and `make demo` start it.

    python examples/story.py --stay [options of `dtmf-server run`]   on ./data, in ten lines; then runs until Ctrl-C
    python examples/story.py                                         in a temporary folder, shows every call, then exits

Every line after `>>>` is printed and then run as printed. With --stay, the story runs on a new or used sandbox: it deposits
what it needs, rents from any group with a free number, doesn't change the clock, and reports the steps that it skips.

Exit status: 0 on success, 1 if a step had an unexpected result; with --stay, the server's.
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

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until main() handles it, Ctrl-C ends the process
except KeyboardInterrupt:  # while modules are loading
    sys.exit(130)

PHONE = "+13105550123"  # another phone; numbers with 555-01xx are fictional
PATIENCE_S = 20.0
DEPOSITS_MAX = 20
BUDGET = 100_000  # satoshis that the story deposits, if that is enough


class Story:
    """A client, and the state of its account so far. With `brief`, calls are not shown."""

    def __init__(self, voice: Voice, *, brief: bool = False) -> None:
        from dtmf import DTMF  # noqa: PLC0415 - import after the first line is printed
        from dtmf.webhook import verify  # noqa: PLC0415 - the same

        self._voice = voice
        self.brief = brief
        self.tell("Create a client. DTMF_URL and DTMF_TOKEN set the address of the service and the token.")
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
        """Print the next step of the story."""
        self._say()
        self._say(text, "bold")

    def _say(self, line: str = "", style: str = "") -> None:
        if not self.brief:
            self._voice.say(line, style)

    def type(self, line: str) -> None:
        """Print a line as if it were typed."""
        self._say(self._voice.styled(">>> ", "dim") + self._voice.styled(line, "cyan"))

    def play(self, line: str) -> Any:
        """Print a line of Python, run it, and print its result and the satoshis it moved."""
        self.type(line)
        result = self._run(line)
        self._say(shown(result))
        self.account_for()
        return result

    def keep(self, name: str, line: str) -> Any:
        """Print and run an assignment to `name`; return the value."""
        self.type(f"{name} = {line}")
        self._names[name] = self._run(line)
        return self._names[name]

    def know(self, **names: Any) -> None:
        """Make these names available to later lines."""
        self._names |= names

    def _run(self, line: str) -> Any:
        try:
            return eval(line, self._names)
        except Exception as error:
            raise Refused(line, error) from error

    def account_for(self) -> None:
        """Print the transactions since the last call."""
        for entry in self.dtmf.transactions(after=self._last_id):
            sign, style = ("+", "green") if entry["amount"] > 0 else ("\N{MINUS SIGN}", "red")
            reason = entry["reference"] if len(entry["reference"]) < 20 else entry["reference"][:16] + "…"
            moved = self._voice.styled(f"{sign} {abs(entry['amount']):,} sats".rjust(15), style)
            self._say(f"{moved}  {entry['kind']:<16}  {reason:<17}  balance {entry['balance']:,}")
            self._last_id, self.balance = entry["id"], entry["balance"]

    def wait_for_sent(self, text: str) -> None:
        """Wait until another phone has received this text. Forwarding follows shortly after the SMS is stored."""
        until_s = monotonic() + PATIENCE_S
        while all(sms["content"] != text for sms in self.dtmf.sandbox.sent()):
            expect(monotonic() < until_s, f"{text!r} was not sent within {PATIENCE_S:.0f} s")
            sleep(0.02)
        self.account_for()

    def hear(self, text: str) -> None:
        """Print something received from outside."""
        self._say(self._voice.styled("  ← ", "dim") + text)


def tell_all(story: Story) -> None:
    """Play every chapter and show each call. Raises Unexpected if a step has an unexpected result."""
    for chapter in (pay, rent, receive, receive_by_webhook, forward, send, let_time_pass, end, top_up):
        chapter(story)


def tell_in_brief(story: Story, voice: Voice) -> None:
    """Play all chapters except the clock's on one line, plus one line for each chapter that had to be skipped."""
    chapters = {"deposit": pay, "rent": rent, "receive": receive, "webhook": receive_by_webhook}
    chapters |= {"forward": forward, "send": send, "end": end, "Lightning": top_up}
    began_s, left_out = monotonic(), []
    voice.say("  Story      ", more=True)
    for name, chapter in chapters.items():
        if chapter not in (pay, rent, top_up) and not story.e164:
            continue
        try:
            chapter(story)
        except Unexpected as error:
            left_out.append(f"             skipped: {name}, {error.in_one_line()}")
        else:
            voice.say(f"{name}, ", "dim", more=True)
    voice.say(f"played in {monotonic() - began_s:.1f} s; the balance is {story.dtmf.account()['balance']:,} sats")
    for line in left_out:
        voice.say(line)


def pay(story: Story) -> None:
    """Deposit the coins that the story needs, on top of the account's debt."""
    story.tell("Start with a deposit: an address of your own, and test coins from the sandbox.")
    addresses = story.dtmf.addresses()
    address = story.play("dtmf.addresses()[-1]" if addresses else "dtmf.new_address()")["address"]
    budget = _budget(story)
    amount = max(BUDGET, budget - story.balance)
    for _ in range(DEPOSITS_MAX):
        deposit = story.play(f"dtmf.sandbox.deposit({address!r}, {amount:_})")
        expect(deposit["status"] == "credited", "the deposit was not credited")
        amount = 2 * amount
        if story.dtmf.account()["balance"] >= budget:  # otherwise, the deposit paid a debt first
            return


def _groups(story: Story) -> list[Any]:
    """Return the groups that receive SMS: us-mobile, then by setup price."""
    groups = [group for kind in ("mobile", "local") for group in story.dtmf.groups(kind) if group["sms_support"]]
    return sorted(groups, key=lambda group: (group["id"] != "us-mobile", group["setup_cost"], group["id"]))


def _budget(story: Story) -> int:
    """Return the budget in the first group: twice the cost of two hours and four SMS."""
    if not (groups := _groups(story)):
        return BUDGET
    group = groups[0]
    rental: int = group["setup_cost"] + 120 * group["rental_cost_per_minute"] + 4 * group["cost_per_inbound_message"]
    return max(BUDGET, 2 * rental)


def rent(story: Story) -> None:
    """Rent a number of the first group that has a free one."""
    story.tell("List the groups that can be rented.")
    groups = _groups(story)
    story.play("dtmf.groups('mobile')")
    expect(groups, "no group of the catalog receives SMS")
    story.tell("Rent a number. Setup and the first minute are paid at once, each further minute when it starts.")
    for group in groups:
        try:
            story.number = story.play(f"dtmf.start_rental({group['id']!r})")
            break
        except Refused as refused:
            if refused.name not in ("NoNumbersAvailableError", "InsufficientFundsError"):
                raise
    expect(story.number, "every number is rented or in its cooldown, or costs more than the balance")
    story.e164 = story.number["e164"]
    expect(story.number["messages"] == [], f"{story.e164} already has messages")


def receive(story: Story) -> None:
    """Receive an SMS and read it."""
    e164 = story.e164
    story.tell("An SMS arrives. It is stored before it is acknowledged.")
    message = story.play(f"dtmf.sandbox.receive({e164!r}, '+1234', 'Your code is 428613')")
    expect(message["cost"] == story.number["cost_per_inbound_message"], "the SMS did not cost the price of the group")
    if not story.brief:
        story.play("dtmf.numbers()")
    texts = [message["content"] for message in story.play(f"dtmf.number({e164!r})['messages']")]
    expect(texts == ["Your code is 428613"], f"the number has these messages: {texts}")


def forward(story: Story) -> None:
    """Forward an SMS to another phone."""
    e164 = story.e164
    story.tell("Forward each SMS to another phone. Forwards are charged per segment.")
    story.play(f"dtmf.set_sms_action({e164!r}, 'forward', {PHONE!r})")
    code = randrange(100_000, 1_000_000)  # random, so that a second run waits for its own code
    story.play(f"dtmf.sandbox.receive({e164!r}, '+1234', 'Your code is {code}')")
    text = f"From +1234: Your code is {code}"
    story.wait_for_sent(text)
    forwarded = story.play(f"[sms for sms in dtmf.sandbox.sent() if '{code}' in sms['content']]  # on other phones")
    expect(forwarded == [{"from": e164, "to": PHONE, "content": text}], "the forwarded SMS is wrong")


def send(story: Story) -> None:
    """Send an SMS."""
    story.tell("Send an answer from the rented number.")
    story.play(f"dtmf.set_sms_action({story.e164!r}, None, None)")
    message = story.play(f"dtmf.send_message({story.e164!r}, {PHONE!r}, 'It works')")
    expect(message["inbound"] is False and message["cost"] > 0, "the result is not a sent message")


def let_time_pass(story: Story) -> None:
    """Move the clock forward one hour."""
    story.tell("Move the clock. A minute reduces the balance when it starts, and is booked with the next transaction.")
    before = story.play("dtmf.usage()")["balance"]
    story.play("dtmf.sandbox.advance(3600)")
    after = story.play("dtmf.account()")["balance"]
    expect(before - after >= 60 * story.number["cost_per_minute"], f"an hour cost {before - after} sats")


def end(story: Story) -> None:
    """End the rental, and check that the transactions agree with the balance."""
    story.tell("End the rental.")
    expect(story.play(f"dtmf.end_rental({story.e164!r})") is True, "the rental did not end")
    others = story.play("dtmf.numbers()")
    expect(all(number["e164"] != story.e164 for number in others), f"{story.e164} is still rented")
    balance = story.play("dtmf.account()")["balance"]
    expect(others or balance == story.balance, f"the balance is {balance}, but {story.balance} by the transactions")


def top_up(story: Story) -> None:
    """Top up by Lightning, which is credited within a second."""
    story.tell("Top up by Lightning. A wallet pays the invoice; here the sandbox does.")
    invoice = story.keep("invoice", "dtmf.new_invoice(10_000)")
    paid = story.play("dtmf.sandbox.pay(invoice)['status']")
    expect(paid == "settled", f"the invoice is {paid}")
    event = story.play("dtmf.wait_for_deposit(invoice)")
    expect(event["amount"] == invoice["amount"], f"{event['amount']} sats were credited")


def main() -> int:
    """Start the server and the story; return the exit status."""
    parser = argparse.ArgumentParser(
        description="Play the whole story once. Unknown options are passed to `dtmf-server run`.", allow_abbrev=False
    )
    parser.add_argument("--stay", action="store_true", help="keep running afterwards, until Ctrl-C")
    parser.add_argument(
        "--data", help="folder of the database (default: ./data with --stay, otherwise a temporary folder)"
    )
    parser.add_argument("--port", help="default: with --stay, 8000 or the next free port; otherwise any free port")
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
