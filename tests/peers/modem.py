"""A GSM modem on a pseudo-terminal, for gammu-smsd: it answers AT commands (3GPP TS 27.007, and 27.005 in PDU mode).

    with Modem(folder / "tty") as modem:      # the path that smsd opens
        modem.deliver("+447700900999", "hello")
        modem.sent                            # the SMS that smsd sent
        modem.report(modem.sent[0])           # the network's delivery report of one

The SIM has 30 places. Two answers matter to gammu: AT+MODE=2 must be an error, else it takes the modem for a Siemens phone,
and AT+CFUN=1 must be OK, else it waits for half a minute.
"""

import os
import pty
import re
import select
import threading
import tty
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from dtmf_server.core.sms_encoding import decode, encode_gsm7

PLACES = 30
SMSC = "07911326040000F0"  # +31624000000
IS_OK = re.compile(
    r"AT(E[01]|&F|V1|Z|H|\+(CMEE|CMGF|CNMI|CSCS|CREG|CGREG|CSMP|CSDH|CMMS|CLIP|CRC|CSSN|CUSD|CFUN)=.*)?"
).fullmatch
ANSWERS = {
    "AT+CGMI": "SIMCOM",
    "AT+CGMM": "SIM800",
    "ATI": "SIM800",
    "AT+CGMR": "1.0",
    "AT+CGSN": "350000000000006",
    "AT+CIMI": "001010000000001",
    "AT+CPIN?": "+CPIN: READY",
    "AT+CSQ": "+CSQ: 20,0",
    "AT+CREG?": "+CREG: 0,1",
    "AT+CGREG?": "+CGREG: 0,1",
    "AT+COPS?": '+COPS: 0,2,"00101"',
    "AT+CMGF=?": "+CMGF: (0,1)",
    "AT+CPMS=?": '+CPMS: ("SM"),("SM"),("SM")',
    "AT+CSCA?": '+CSCA: "+31624000000",145',
    "AT+CNMI=?": "+CNMI: (0-2),(0-3),(0,2),(0-2),(0,1)",
    "AT+CSCS=?": '+CSCS: ("GSM","IRA","UCS2")',
    "AT+CSCS?": '+CSCS: "GSM"',
    "AT+CMGD=?": f"+CMGD: (1-{PLACES}),(0-4)",
}


@dataclass(frozen=True)
class Sent:
    """An SMS-SUBMIT of smsd's, one segment."""

    reference: int
    to: str
    text: str
    udh: bytes
    wants_report: bool


class Modem:
    """The modem and its SIM. `refuses` is the error code that the network returns for the next SMS, if any."""

    def __init__(self, link: Path) -> None:
        self.link, self.sent, self.refuses = link, list[Sent](), 0
        self._places: dict[int, tuple[str, bool]] = {}  # the PDU, and whether it is unread
        self._expected = -1  # octets of the PDU after the prompt
        self._echo, self._lock = True, threading.Lock()

    def __enter__(self) -> Self:
        self._master, self._slave = pty.openpty()
        tty.setraw(self._master)
        tty.setraw(self._slave)
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(os.ttyname(self._slave))
        self._stop, self._wake = os.pipe()
        self._thread = threading.Thread(target=self._serve, name="modem")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._wake)
        self._thread.join(20)
        for descriptor in (self._stop, self._master, self._slave):
            os.close(descriptor)

    @property
    def used(self) -> int:
        """How many places of the SIM are taken."""
        return len(self._places)

    def deliver(self, sender: str, text: str, *, udh: bytes = b"", offset_h: int = 0) -> None:
        """Put an SMS on the SIM, sent now according to an SMS centre with this time zone. Raises OverflowError if the SIM
        is full."""
        dcs, length, octets = _user_data(text, udh)
        header = ("44" if udh else "04") + _sender(sender) + "00" + dcs + _timestamp(offset_h) + f"{length:02X}"
        self._store(SMSC + header + octets.hex().upper())

    def report(self, sent: Sent, *, status: int = 0) -> None:
        """Put the delivery report of an SMS on the SIM. `status` is of TS 23.040 §9.2.3.15."""
        now = _timestamp(0)
        self._store(SMSC + f"06{sent.reference:02X}{_sender(sent.to)}{now}{now}{status:02X}")

    def _store(self, pdu: str) -> None:
        with self._lock:
            free = next((place for place in range(1, PLACES + 1) if place not in self._places), None)
            if free is None:
                raise OverflowError("the SIM is full")
            self._places[free] = (pdu, True)
            self._say(f'+CMTI: "SM",{free}')

    def _serve(self) -> None:
        buffered = b""
        while True:
            ready, _, _ = select.select([self._master, self._stop], [], [])
            if self._stop in ready:
                return
            try:
                octets = os.read(self._master, 4096)
            except OSError:
                return
            with self._lock:
                if self._echo and self._expected < 0:
                    os.write(self._master, octets)
                buffered = self._take(buffered + octets)

    def _take(self, buffered: bytes) -> bytes:
        """Obey what is complete, and return the rest."""
        while True:
            ends = b"\x1a\x1b" if self._expected >= 0 else b"\r\n"
            at = min((place for place in map(buffered.find, (bytes([end]) for end in ends)) if place >= 0), default=-1)
            if at < 0:
                return buffered
            line, end, buffered = buffered[:at], buffered[at], buffered[at + 1 :]
            text = line.strip(b"\x1a\x1b\r\n").decode("latin-1").strip()
            if self._expected < 0:
                if text.upper().startswith("AT"):
                    self._say(*self._answer(text.upper()))
            else:
                self._expected = -1
                self._say(*(self._submit(bytes.fromhex(text)) if end == 0x1A else ["OK"]))

    def _answer(self, command: str) -> list[str]:
        if found := re.match(r"AT\+CMG([RDS])=(\d+)", command):
            return self._message(found[1], int(found[2]))
        if command in ANSWERS:
            return [ANSWERS[command], "OK"]
        if command in ("ATE0", "ATE1"):
            self._echo = command == "ATE1"
        elif command.startswith("AT+CPMS"):
            used = f"{self.used},{PLACES}"
            return ["+CPMS: " + ",".join([used] * 3 if "=" in command else [f'"SM",{used}'] * 3), "OK"]
        if command.startswith("AT+CMGL"):
            return [*(line for place in [*self._places] for line in self._read("+CMGL", place)), "OK"]
        if command.startswith("AT+CSMS="):
            return ["+CSMS: 1,1,1", "OK"]
        return ["OK"] if IS_OK(command) else ["ERROR"]

    def _message(self, verb: str, number: int) -> list[str]:
        """Read or delete the SMS in a place, or ask for an SMS-SUBMIT of this many octets."""
        if verb == "S":
            self._expected = number
            os.write(self._master, b"\r\n> ")
            return []
        if verb == "D":
            self._places.pop(number, None)
            return ["OK"]
        return [*self._read("+CMGR", number), "OK"] if number in self._places else ["+CMS ERROR: 321"]

    def _read(self, name: str, place: int) -> list[str]:
        pdu, is_unread = self._places[place]
        self._places[place] = (pdu, False)
        where = f"{place}," if name == "+CMGL" else ""
        return [f"{name}: {where}{0 if is_unread else 1},,{len(pdu) // 2 - len(SMSC) // 2}", pdu]

    def _submit(self, pdu: bytes) -> list[str]:
        """Take an SMS-SUBMIT (TS 23.040 §9.2.2.2)."""
        if self.refuses:
            code, self.refuses = self.refuses, 0
            return [f"+CMS ERROR: {code}"]
        tpdu = pdu[1 + pdu[0] :]
        first, digits = tpdu[0], tpdu[2]
        at = 4 + (digits + 1) // 2
        to = "+" + "".join(f"{octet & 15:X}{octet >> 4:X}" for octet in tpdu[4:at])[:digits]
        dcs = tpdu[at + 1]
        at += 2 + (0, 7, 1, 7)[first >> 3 & 3]
        length, data = tpdu[at], tpdu[at + 1 :]
        udh = data[: data[0] + 1] if first & 0x40 else b""
        if dcs & 0x0C == 0x08:
            text = decode(data[len(udh) : length], "ucs2")
        else:
            skipped = -(-len(udh) * 8 // 7)
            text = decode(_unpacked(data, length)[skipped:], "gsm7")
        self.sent.append(Sent(len(self.sent) + 1, to, text, udh, bool(first & 0x20)))
        return [f"+CMGS: {len(self.sent)}", "OK"]

    def _say(self, *lines: str) -> None:
        for line in lines:
            with suppress(OSError):
                os.write(self._master, b"\r\n" + line.encode() + b"\r\n")


def _user_data(text: str, udh: bytes) -> tuple[str, int, bytes]:
    """Return the data coding scheme, the length and the octets of a text behind a header."""
    try:
        septets = encode_gsm7(text)
    except ValueError:
        octets = udh + text.encode("utf-16-be")
        return "08", len(octets), octets
    fill = -(-len(udh) * 8 // 7)
    return "00", fill + len(septets), udh + _packed(septets, at_bit=fill * 7 - len(udh) * 8)


def _packed(septets: bytes, *, at_bit: int) -> bytes:
    value, bits = 0, at_bit
    for septet in septets:
        value |= septet << bits
        bits += 7
    return value.to_bytes(-(-bits // 8), "little")


def _unpacked(octets: bytes, count: int) -> bytes:
    value = int.from_bytes(octets, "little")
    return bytes(value >> 7 * at & 0x7F for at in range(count))


def _sender(sender: str) -> str:
    """Return an address field (TS 23.040 §9.1.2.5): a number, or a name in 7-bit characters."""
    digits = sender.removeprefix("+")
    if digits.isdigit():
        padded = digits + "F" * (len(digits) % 2)
        kind = "91" if sender.startswith("+") else "81"
        return f"{len(digits):02X}{kind}" + "".join(padded[at + 1] + padded[at] for at in range(0, len(padded), 2))
    packed = _packed(encode_gsm7(sender), at_bit=0)
    return f"{-(-len(sender) * 7 // 4):02X}D0{packed.hex().upper()}"


def _timestamp(offset_h: int) -> str:
    """Return the time now at an SMS centre whose clock is this many hours ahead of UTC (TS 23.040 §9.2.3.11)."""
    local = datetime.now(UTC) + timedelta(hours=offset_h)
    quarters = f"{abs(offset_h) * 4:02d}"
    zone = f"{int(quarters[1]) << 4 | int(quarters[0]) | (8 if offset_h < 0 else 0):02X}"
    return "".join(pair[1] + pair[0] for pair in re.findall("..", local.strftime("%y%m%d%H%M%S"))) + zone
