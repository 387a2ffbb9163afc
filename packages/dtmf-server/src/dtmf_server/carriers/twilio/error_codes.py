"""Twilio's error codes: what each means for an SMS, and its meaning in a few words, which the renter sees.

`final`: this SMS will never be accepted. `temporary`: it may be later. `link`: the account or the settings are at fault,
so the SMS stays queued and the operator is warned. A code in a status callback is always final: the SMS was accepted and
not delivered. Source: twilio.com/docs/api/errors
"""

from dtmf_server.core.submission import Verdict

REDACTED = 30038
FINAL, TEMPORARY, LINK = Verdict.FINAL, Verdict.TEMPORARY, Verdict.LINK

CODES: dict[int, tuple[Verdict, str]] = {
    # Account and credentials
    20003: (LINK, "Twilio refuses the credentials"),
    20005: (LINK, "the Twilio account is not active"),
    20006: (LINK, "the credentials have no access to this Twilio account"),
    20008: (LINK, "test credentials can't send SMS"),
    20010: (LINK, "the Twilio account can't be used"),
    20404: (LINK, "Twilio does not know this account or address"),
    20429: (TEMPORARY, "Twilio gets too many requests from this account"),
    30002: (LINK, "the Twilio account is suspended"),
    30037: (LINK, "the Twilio account may not send SMS"),
    21703: (LINK, "the messaging service has no numbers"),
    21701: (LINK, "the messaging service does not exist"),
    21609: (LINK, "Twilio can't use the callback URL"),
    # Queues
    14107: (TEMPORARY, "too many SMS between these two numbers"),
    21611: (TEMPORARY, "this number has too many SMS queued"),
    30001: (TEMPORARY, "too many SMS are queued"),
    30022: (TEMPORARY, "the registered campaign's sending rate is exceeded"),
    30023: (FINAL, "the registered brand's daily limit is reached"),
    30027: (FINAL, "the mobile network's daily limit for this number is reached"),
    # The destination
    21211: (FINAL, "the destination is not a valid phone number"),
    21214: (FINAL, "the destination can't be reached"),
    21217: (FINAL, "the destination is not a valid phone number"),
    21265: (FINAL, "the destination must not be a short code"),
    21408: (FINAL, "the Twilio account may not send to this country"),
    21608: (FINAL, "a trial account can send only to verified numbers"),
    21610: (FINAL, "the recipient has opted out of SMS from this number"),
    21612: (FINAL, "this number can't send to this destination"),
    21614: (FINAL, "the destination is not a mobile number"),
    30003: (FINAL, "the phone can't be reached"),
    30004: (FINAL, "the phone or its network blocks this number"),
    30005: (FINAL, "the destination is unknown"),
    30006: (FINAL, "the destination is a landline or its network can't be reached"),
    30008: (FINAL, "the mobile network gave no reason"),
    30036: (FINAL, "the SMS expired before it could be sent"),
    30450: (FINAL, "Twilio blocks this destination to protect from fraud"),
    # The number that sends
    21212: (FINAL, "the sender is not a valid phone number"),
    21606: (FINAL, "this number can't send SMS"),
    21659: (FINAL, "this number is not in the Twilio account"),
    21660: (FINAL, "this number is not in the Twilio account"),
    21712: (FINAL, "this number is not in the messaging service"),
    30024: (FINAL, "this number can't send SMS yet or any more"),
    30032: (FINAL, "this toll-free number is not verified for sending"),
    30034: (FINAL, "this number is not registered for sending to US phones (A2P 10DLC)"),
    30035: (FINAL, "this number is still being registered for sending to US phones (A2P 10DLC)"),
    # The number to buy
    21422: (FINAL, "the number is not for sale any more"),
    21452: (FINAL, "no number is for sale there"),
    21631: (TEMPORARY, "the number needs an address in its country"),
    21649: (TEMPORARY, "the number needs a regulatory bundle of its country"),
    # The text
    21602: (FINAL, "the text is empty"),
    21605: (FINAL, "the text is too long"),
    21617: (FINAL, "the text is too long"),
    30007: (FINAL, "Twilio or the mobile network filtered the SMS"),
    30009: (FINAL, "a part of the SMS was lost"),
    30010: (FINAL, "the SMS costs more than allowed"),
    30019: (FINAL, "the text is too long for the destination"),
    30039: (FINAL, "Twilio stopped a loop of SMS"),
    REDACTED: (FINAL, "Twilio removed a one-time code from the SMS"),
    30041: (FINAL, "the destination's network blocks this kind of sender"),
    30044: (FINAL, "the text is too long for a trial account"),
}

# By status, for a reply without a code of the table.
STATUSES = {401: LINK, 403: LINK, 404: LINK, 407: LINK, 408: TEMPORARY, 425: TEMPORARY, 429: TEMPORARY}


def verdict_of(code: int | None, *, status: int) -> Verdict:
    """Return what a refusal of a request means for its SMS. A 4xx reply without a code is not Twilio's."""
    if code in CODES:
        return CODES[code][0]
    if status in STATUSES:
        return STATUSES[status]
    return FINAL if code is not None else LINK


def words_of(code: int | None) -> str:
    """Return the meaning of a code, with the code itself; empty for None."""
    if code is None:
        return ""
    return f"{CODES[code][1]} (Twilio {code})" if code in CODES else f"Twilio error {code}"
