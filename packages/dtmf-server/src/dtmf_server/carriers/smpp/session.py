"""The state machine of one SMPP bind: octets and requests in, events out, the time as an argument. Pure.

    OPEN ──bind──▶ BINDING ──bind_resp──▶ BOUND ──unbind──▶ UNBINDING ──▶ CLOSED       (SMPP 3.4 §2.2)

Rules:
1. A deliver_sm or data_sm becomes an `Arrived`, and is answered only when the caller calls `answer`, once it is

      stored. Messages that arrive before the bind's response, or in the same TCP segment, are treated the same.
2. At most `window` submit_sm are unanswered (§2.9); the rest are queued in order. A throttled submit returns to the

      head of the queue, and submitting pauses; the pause doubles each time until one is accepted (§5.1.3).
   A configured rate is never exceeded in any second; what waits for it counts as queued.
3. Each submit is decided at most `submit_s` plus `response_s` after it was requested. `Submitted` has the SMSC's

      status; RTHROTTLED or RMSGQFUL if the SMSC does not have it (its key is then in `not_sent`); None if unanswered.

      A later answer on the same bind is an `AnsweredLate`; the last `LATE_MAX` sequence numbers are remembered for it.
4. A link silent for `enquire_s` is probed with enquire_link. If a bind, enquire_link or unbind is not answered

      within `link_response_s`, the link is closed (§7.2). The SMSC's own enquire_link is answered at once.
5. An unknown request is answered with generic_nack and ESME_RINVCMDID; undecodable content never is.
6. After `drain` nothing more is submitted; the bind ends once every submit already sent is decided.
7. A message that can't be decoded is answered with ESME_RX_T_APPN: the SMSC keeps it, and the operator is notified.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from dtmf_server.carriers.smpp.codec import Frames, decode, encode
from dtmf_server.carriers.smpp.events import AnsweredLate, Arrived, Bound, Closed, Event, Submitted, Times, Unreadable
from dtmf_server.carriers.smpp.pdu import (
    RESPONSE,
    Bind,
    Body,
    Command,
    DataSm,
    LostFrames,
    Malformed,
    Pdu,
    Sm,
    SmResp,
)
from dtmf_server.carriers.smpp.status import THROTTLED, Status, words
from dtmf_server.core.trace import Direction

LATE_MAX = 10_000
_SEQUENCE_MAX = 0x7FFF_FFFF  # §3.2
_BINDS = {
    "receiver": Command.BIND_RECEIVER,
    "transmitter": Command.BIND_TRANSMITTER,
    "transceiver": Command.BIND_TRANSCEIVER,
}
_MESSAGES = (Command.DELIVER_SM, Command.DATA_SM)


def _no_trace(_direction: Direction, _frame: bytes) -> None:
    """Record nothing."""


class State(Enum):
    """The state of a bind."""

    OPEN = "connected"
    BINDING = "binding"
    BOUND = "bound"
    UNBINDING = "unbinding"
    CLOSED = "closed"


@dataclass(slots=True)
class _Submit:
    key: int
    body: Body
    until_s: float
    answer_by_s: float = 0.0
    throttled: int | None = None  # the status it was throttled with


class Session:
    """One bind, from connect to close. Send the octets of `to_send` after each call, and call `tick` at `next_tick_s`."""

    def __init__(
        self,
        bind: str,
        body: Bind,
        *,
        window: int,
        times: Times | None = None,
        throttled: frozenset[int] = THROTTLED,  # statuses after which the bind pauses and resubmits
        submits_per_s: float = 0.0,  # 0: no limit
        trace: Callable[[Direction, bytes], None] = _no_trace,  # called with each PDU
    ) -> None:
        self.state, self._trace = State.OPEN, trace
        self.times = times or Times()
        self.not_sent = set[
            int
        ]()  # keys of decided submits that the SMSC certainly does not have; the caller removes them
        self.can_submit, self.window = bind != "receiver", window
        self.refusal: Pdu | None = None  # the bind response, if the bind was refused
        self._bind, self._bind_body = _BINDS[bind], body
        self._frames = Frames()
        self._out: list[bytes] = []
        self._events: list[Event] = []
        self._sequence = 0
        self._waiting: deque[_Submit] = deque()
        self._unanswered: dict[int, _Submit] = {}
        self._late: OrderedDict[int, int] = OrderedDict()  # sequence number: key
        self._throttled_by = throttled
        self._is_draining, self._why_stopped = False, "the service is stopping"
        self._answer_by_s: float | None = None  # deadline of our bind, enquire_link or unbind
        self._heard_s = 0.0
        self._paused_until_s, self._pause_s = 0.0, 0.0
        # At most so many submits in any period of this length, however they are spread.
        self._burst = max(1, int(submits_per_s))
        self._period_s = self._burst / submits_per_s if submits_per_s else 0.0
        self._submitted_s: deque[float] = deque(maxlen=self._burst)

    def start(self, now_s: float) -> None:
        """Send the bind request. Call it once connected."""
        assert self.state is State.OPEN
        self.state, self._heard_s = State.BINDING, now_s
        self._ask(self._bind, self._bind_body, now_s)

    def to_send(self) -> bytes:
        """Return the octets to write now."""
        out, self._out = self._out, []
        return b"".join(out)

    @property
    def load(self) -> int:
        """Return the number of undecided submits."""
        return len(self._waiting) + len(self._unanswered)

    def receive(self, data: bytes, now_s: float) -> list[Event]:
        """Process received octets."""
        self._heard_s = now_s
        for frame in self._frames.feed(data):
            if self.state is not State.CLOSED:
                self._receive(frame, now_s)
        if self._frames.lost and self.state is not State.CLOSED:
            self._nack(Status.ESME_RINVCMDLEN, 0)
            self._close(f"the SMSC sent data that is not SMPP: {self._frames.lost.reason}")
        self._submit_next(now_s)
        return self._take_events()

    def answer(self, arrived: Arrived, status: int) -> None:
        """Answer a message, stored or not."""
        if self.state is not State.CLOSED:
            self._send(arrived.command | RESPONSE, arrived.sequence, SmResp(), status)

    def submit(self, key: int, body: Body, now_s: float) -> list[Event]:
        """Send a submit_sm, now or when the window has room; a Submitted with this key reports the outcome. Keys ascend."""
        assert self.can_submit, "a receiver cannot submit"
        self._waiting.append(_Submit(key, body, now_s + self.times.submit_s))
        self._submit_next(now_s)
        return self._take_events()

    def stop(self, now_s: float) -> list[Event]:
        """End the bind: abandon pending requests and unbind."""
        if self.state is State.BOUND:
            self.state = State.UNBINDING
            self._ask(Command.UNBIND, Body(), now_s)
        elif self.state is not State.UNBINDING:
            self._close("the service is stopping")
        return self._take_events()

    def drain(self, now_s: float, reason: str) -> list[Event]:
        """Stop submitting, and end the bind for this reason once every submit already sent is decided."""
        self.can_submit, self._is_draining, self._why_stopped = False, True, reason
        self._not_sent(list(self._waiting))
        self._waiting.clear()
        self._submit_next(now_s)
        return self._take_events()

    def lost(self, reason: str) -> list[Event]:
        """Handle a lost connection."""
        self._close(reason)
        return self._take_events()

    def tick(self, now_s: float) -> list[Event]:
        """Run the timers that are due."""
        if self.state is State.CLOSED:
            return []
        for sequence in [s for s, submit in self._unanswered.items() if submit.answer_by_s <= now_s]:
            self._late[sequence] = self._unanswered.pop(sequence).key
            self._events.append(Submitted(self._late[sequence], None))
        while len(self._late) > LATE_MAX:
            self._late.popitem(last=False)
        overdue = [submit for submit in self._waiting if submit.until_s <= now_s]
        for submit in overdue:
            self._waiting.remove(submit)
        self._not_sent(overdue)
        if self._answer_by_s is not None and self._answer_by_s <= now_s:
            self._close(f"the SMSC did not answer within {self.times.link_response_s:g} s while {self.state.value}")
        elif self._answer_by_s is None and self._heard_s + self.times.enquire_s <= now_s:
            self._ask(Command.ENQUIRE_LINK, Body(), now_s)
        self._submit_next(now_s)
        return self._take_events()

    @property
    def next_tick_s(self) -> float:
        """Return when to call `tick` next."""
        due = [self._heard_s + self.times.enquire_s if self._answer_by_s is None else self._answer_by_s]
        due += [submit.answer_by_s for submit in self._unanswered.values()][:1]  # the first is the oldest
        due += [submit.until_s for submit in self._waiting][:1]
        if self._waiting and self._paused_until_s:
            due.append(self._paused_until_s)
        elif self._waiting and len(self._unanswered) < self._room:
            due.append(self._next_submit_s)
        return min(due)

    def _receive(self, frame: bytes, now_s: float) -> None:
        self._trace("in", frame)
        try:
            pdu = decode(frame)
        except LostFrames as error:
            raise AssertionError("frames are cut to their length") from error
        except Malformed as error:
            self._malformed(error)
            return
        if pdu.command & RESPONSE:
            self._response(pdu, now_s)
        elif pdu.command in _MESSAGES and isinstance(pdu.body, Sm | DataSm):
            if self.state is not State.UNBINDING:  # messages that arrive after our unbind stay with the SMSC
                self._events.append(Arrived(pdu.command, pdu.sequence, pdu.body, frame))
        else:
            self._request(pdu)

    def _request(self, pdu: Pdu) -> None:
        if pdu.command == Command.ENQUIRE_LINK:
            self._send(Command.ENQUIRE_LINK_RESP, pdu.sequence)
        elif pdu.command == Command.UNBIND:
            self._send(Command.UNBIND_RESP, pdu.sequence)
            self._close("the SMSC ended the bind")
        elif pdu.command not in (Command.ALERT_NOTIFICATION, Command.OUTBIND):  # which have no response
            self._nack(Status.ESME_RINVCMDID, pdu.sequence)

    def _response(self, pdu: Pdu, now_s: float) -> None:
        if pdu.command == self._bind | RESPONSE or (
            pdu.command == Command.GENERIC_NACK and self.state is State.BINDING
        ):
            self._bind_response(pdu)
        elif pdu.command == Command.ENQUIRE_LINK_RESP and self.state is State.BOUND:
            self._answer_by_s = None
        elif pdu.command == Command.UNBIND_RESP and self.state is State.UNBINDING:
            self._close(self._why_stopped)
        elif pdu.command in (Command.SUBMIT_SM_RESP, Command.GENERIC_NACK):
            self._submit_response(pdu, now_s)

    def _bind_response(self, pdu: Pdu) -> None:
        if self.state is not State.BINDING:
            return
        self._answer_by_s = None
        if pdu.status or pdu.command == Command.GENERIC_NACK:
            self.refusal = pdu
            self._close(f"the SMSC refused the bind: {words(pdu.status)}", refused=True)
            return
        self.state = State.BOUND
        self._events.append(Bound(getattr(pdu.body, "system_id", "")))

    def _submit_response(self, pdu: Pdu, now_s: float) -> None:
        status = pdu.status or (Status.ESME_RSYSERR if pdu.command == Command.GENERIC_NACK else Status.ESME_ROK)
        if (late := self._late.pop(pdu.sequence, None)) is not None:
            self._events.append(AnsweredLate(late, status, getattr(pdu.body, "message_id", "")))
            return
        submit = self._unanswered.pop(pdu.sequence, None)
        if submit is None:  # an unknown sequence number; a nack of our enquire_link still shows that the SMSC is alive
            if pdu.command == Command.GENERIC_NACK and self.state is State.BOUND:
                self._answer_by_s = None
            return
        if pdu.status in self._throttled_by and not self._is_draining:
            self._throttled(submit, pdu.status, now_s)
            return
        if not pdu.status:
            self._pause_s = 0.0
        self._events.append(Submitted(submit.key, status, getattr(pdu.body, "message_id", "")))

    def _throttled(self, submit: _Submit, status: int, now_s: float) -> None:
        """Return it to the queue before later submits; a whole throttled window counts as one pause."""
        submit.throttled = status
        at = next((at for at, other in enumerate(self._waiting) if other.key > submit.key), len(self._waiting))
        self._waiting.insert(at, submit)
        if not self._paused_until_s:
            self._pause_s = min(max(self._pause_s * 2, self.times.throttle_first_s), self.times.throttle_max_s)
            self._paused_until_s = now_s + self._pause_s

    def _submit_next(self, now_s: float) -> None:
        if self.state is not State.BOUND:
            return
        if self._is_draining and not self._unanswered:
            self.state = State.UNBINDING
            self._ask(Command.UNBIND, Body(), now_s)
            return
        if now_s < self._paused_until_s:
            return
        self._paused_until_s = 0.0
        while self._waiting and len(self._unanswered) < self._room and now_s >= self._next_submit_s:
            submit = self._waiting.popleft()
            submit.answer_by_s = now_s + self.times.response_s
            sequence = self._next_sequence()
            self._unanswered[sequence] = submit
            self._submitted_s.append(now_s)
            self._send(Command.SUBMIT_SM, sequence, submit.body)

    @property
    def _room(self) -> int:
        """How many submits may be unanswered. While the SMSC throttles, one at a time probes whether it still does."""
        return 1 if self._pause_s else self.window

    @property
    def _next_submit_s(self) -> float:
        """When the configured rate allows the next submit."""
        is_full = self._period_s and len(self._submitted_s) == self._burst
        return self._submitted_s[0] + self._period_s if is_full else 0.0

    def _malformed(self, error: Malformed) -> None:
        self._events.append(Unreadable(error.reason))
        if error.command in _MESSAGES:
            self._send(error.command | RESPONSE, error.sequence, SmResp(), Status.ESME_RX_T_APPN)
        elif not error.command & RESPONSE:
            self._nack(Status.ESME_RINVCMDLEN, error.sequence)

    def _close(self, reason: str, *, refused: bool = False) -> None:
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        for submit in self._unanswered.values():
            self._events.append(Submitted(submit.key, None))
        self._not_sent(self._waiting)
        self._unanswered.clear()
        self._waiting.clear()
        self._late.clear()
        self._events.append(Closed(reason, refused))

    def _not_sent(self, submits: Iterable[_Submit]) -> None:
        for submit in submits:
            self.not_sent.add(submit.key)
            self._events.append(Submitted(submit.key, submit.throttled or Status.ESME_RMSGQFUL))

    def _ask(self, command: Command, body: Body, now_s: float) -> None:
        self._answer_by_s = now_s + self.times.link_response_s
        self._send(command, self._next_sequence(), body)

    def _nack(self, status: Status, sequence: int) -> None:
        self._send(Command.GENERIC_NACK, sequence, status=status)

    def _send(self, command: int, sequence: int, body: Body | None = None, status: int = 0) -> None:
        frame = encode(Pdu(command, sequence, body or Body(), status))
        self._trace("out", frame)
        self._out.append(frame)

    def _next_sequence(self) -> int:
        self._sequence = self._sequence % _SEQUENCE_MAX + 1
        return self._sequence

    def _take_events(self) -> list[Event]:
        events, self._events = self._events, []
        return events
