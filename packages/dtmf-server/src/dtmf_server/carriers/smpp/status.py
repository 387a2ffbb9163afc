"""The command_status of a response: its number (SMPP 3.4 §5.1.3), description, and meaning for the SMS."""

from enum import IntEnum

from dtmf_server.core.submission import Retries, Verdict


class Status(IntEnum):
    """The statuses handled specially; any other number is passed through unchanged."""

    ESME_ROK = 0x00
    ESME_RINVMSGLEN = 0x01
    ESME_RINVCMDLEN = 0x02
    ESME_RINVCMDID = 0x03
    ESME_RINVBNDSTS = 0x04
    ESME_RALYBND = 0x05
    ESME_RSYSERR = 0x08
    ESME_RINVSRCADR = 0x0A
    ESME_RINVDSTADR = 0x0B
    ESME_RINVMSGID = 0x0C
    ESME_RBINDFAIL = 0x0D
    ESME_RINVPASWD = 0x0E
    ESME_RINVSYSID = 0x0F
    ESME_RMSGQFUL = 0x14
    ESME_RINVESMCLASS = 0x43
    ESME_RSUBMITFAIL = 0x45
    ESME_RINVSRCTON = 0x48
    ESME_RINVSRCNPI = 0x49
    ESME_RINVDSTTON = 0x50
    ESME_RINVDSTNPI = 0x51
    ESME_RINVSYSTYP = 0x53
    ESME_RTHROTTLED = 0x58
    ESME_RINVOPTPARSTREAM = 0xC0
    ESME_ROPTPARNOTALLWD = 0xC1
    ESME_RINVPARLEN = 0xC2
    ESME_RX_T_APPN = 0x64
    ESME_RX_P_APPN = 0x65
    ESME_RX_R_APPN = 0x66
    ESME_RUNKNOWNERR = 0xFF


# Temporary overload: the bind pauses, then resubmits the same PDU (§5.1.3, and §2.9 on throttling).
THROTTLED = frozenset({Status.ESME_RTHROTTLED, Status.ESME_RMSGQFUL})
# The default table. Any other status is final, including vendor-specific ones (0x400 and above).
_VERDICTS: Retries = {
    **dict.fromkeys((*THROTTLED, Status.ESME_RX_T_APPN, Status.ESME_RSYSERR), Verdict.TEMPORARY),
    **dict.fromkeys(
        (
            Status.ESME_RINVCMDID,
            Status.ESME_RINVBNDSTS,
            Status.ESME_RALYBND,
            Status.ESME_RBINDFAIL,
            Status.ESME_RINVPASWD,
            Status.ESME_RINVSYSID,
            Status.ESME_RINVSYSTYP,
        ),
        Verdict.LINK,
    ),
}


def verdict(status: int, retries: Retries) -> Verdict:
    """Return what the status of a submit_sm_resp means: from the operator's table, else from the default one."""
    return retries.get(status) or _VERDICTS.get(status, Verdict.FINAL)


_WORDS = {
    Status.ESME_RINVMSGLEN: "the text is too long for it",
    Status.ESME_RINVCMDLEN: "it could not read our PDU's length",
    Status.ESME_RINVCMDID: "it does not know this command",
    Status.ESME_RINVBNDSTS: "this bind does not allow that: is it a receiver where a transmitter is needed?",
    Status.ESME_RALYBND: "it reports that this system_id is already bound: is another process using it?",
    Status.ESME_RSYSERR: "it has an internal error",
    Status.ESME_RINVSRCADR: "it refuses the sender's number",
    Status.ESME_RINVDSTADR: "it does not know the number",
    Status.ESME_RBINDFAIL: "it refuses the bind: ask the carrier whether this address may connect",
    Status.ESME_RINVPASWD: "it refuses the password",
    Status.ESME_RINVSYSID: "it does not know the system_id",
    Status.ESME_RMSGQFUL: "its queue is full",
    Status.ESME_RSUBMITFAIL: "it could not accept the SMS",
    Status.ESME_RINVSYSTYP: "it refuses the system_type",
    Status.ESME_RTHROTTLED: "it limits the rate of SMS",
    Status.ESME_RX_T_APPN: "it can't accept this now",
    Status.ESME_RX_P_APPN: "it does not accept this",
    Status.ESME_RX_R_APPN: "it rejects this",
}


def words(status: int) -> str:
    """Describe a status for an operator: 'it refuses the password (ESME_RINVPASWD)'."""
    if status not in Status._value2member_map_:
        return f"it answered with status 0x{status:08x}"
    known = Status(status)
    return f"{_WORDS[known]} ({known.name})" if known in _WORDS else known.name
