"""Telnyx's error codes: what each means for an SMS, and its meaning in a few words, which the renter sees.

`FINAL`: this SMS will never be accepted. `TEMPORARY`: it may be later. `LINK`: the account or the settings are at fault,
so the SMS stays queued and the operator is warned. In a callback every code is final: the SMS was accepted and not
delivered. Source: developers.telnyx.com/docs/messaging/messages/error-codes and …/api-fundamentals/api-errors
"""

from dtmf_server.core.submission import Verdict

TITLE_MAX = 100  # characters of Telnyx's own words for a code that is not in the table
FINAL, TEMPORARY, LINK = Verdict.FINAL, Verdict.TEMPORARY, Verdict.LINK

CODES: dict[str, tuple[Verdict, str]] = {
    # Credentials and account
    "10009": (LINK, "Telnyx refuses the API key"),
    "10010": (LINK, "the API key has no access to this messaging profile"),
    "20002": (LINK, "the API key has been revoked"),
    "20006": (LINK, "the API key has expired"),
    "20012": (LINK, "the Telnyx account is inactive"),
    "20013": (LINK, "the Telnyx account is blocked"),
    "20014": (LINK, "the Telnyx account is not verified"),
    "20015": (LINK, "the Telnyx account may not send SMS"),
    "20016": (LINK, "the Telnyx account is not verified at level 1"),
    "20017": (LINK, "the Telnyx account is not verified at level 2"),
    "20100": (LINK, "the Telnyx account has no credit"),
    "40312": (LINK, "the messaging profile is disabled"),
    "40314": (LINK, "messaging is disabled on the Telnyx account"),
    "40321": (LINK, "the messaging profile has no usable numbers"),
    "40333": (LINK, "the messaging profile's daily spend limit is reached"),
    # Rates and queues
    "10011": (TEMPORARY, "Telnyx gets too many requests from this account"),
    "40318": (TEMPORARY, "too many SMS are queued"),
    "40320": (TEMPORARY, "this number can't be used yet"),
    "40011": (FINAL, "the mobile network gets too many SMS"),
    "40014": (FINAL, "the SMS expired before it could be sent"),
    "40016": (FINAL, "the mobile network's daily limit for this campaign is reached"),
    "40018": (FINAL, "the mobile network's limit for this campaign is reached"),
    # The destination
    "10002": (FINAL, "a phone number is invalid"),
    "10016": (FINAL, "a phone number is not in E.164 format"),
    "10039": (FINAL, "the Telnyx account may only send to verified numbers"),
    "40001": (FINAL, "the destination is a landline or can't be reached"),
    "40004": (FINAL, "the destination's network rejected the SMS"),
    "40005": (FINAL, "the SMS expired before it was delivered"),
    "40006": (FINAL, "the destination's network can't be reached"),
    "40008": (FINAL, "the mobile network did not accept the SMS"),
    "40012": (FINAL, "the destination is not a valid number"),
    "40300": (FINAL, "the recipient has opted out of SMS from this number"),
    "40301": (FINAL, "the destination can't receive this kind of message"),
    "40309": (FINAL, "the messaging profile does not allow this country"),
    "40310": (FINAL, "the destination is not a valid number"),
    "40319": (FINAL, "the destination can't receive this kind of message"),
    # The number that sends
    "10001": (FINAL, "this number is not active"),
    "40010": (FINAL, "this number is not registered for sending to US phones (10DLC)"),
    "40013": (FINAL, "the mobile network does not accept this sender"),
    "40100": (FINAL, "messaging is not enabled for this number"),
    "40150": (FINAL, "this toll-free number can't send SMS"),
    "40151": (FINAL, "messaging is not enabled for this number yet"),
    "40305": (FINAL, "this number is not in the messaging profile"),
    "40315": (FINAL, "Telnyx stopped SMS from this number, because too few were delivered"),
    "40329": (FINAL, "this toll-free number is not verified for sending"),
    # The text
    "40002": (FINAL, "the SMS was blocked as spam"),
    "40003": (FINAL, "this number is blocked as a sender of spam"),
    "40009": (FINAL, "the text has characters that the mobile network does not accept"),
    "40015": (FINAL, "Telnyx blocked the SMS as spam"),
    "40017": (FINAL, "the mobile network blocked the SMS as spam"),
    "40302": (FINAL, "the text is too long"),
    "40316": (FINAL, "the text is empty"),
    "40322": (FINAL, "Telnyx blocked the SMS because of its text"),
    "40328": (FINAL, "the text is too long"),
}

# By status, for a reply without a code of the table.
STATUSES = {
    401: LINK,
    402: LINK,
    403: LINK,
    404: LINK,
    405: LINK,
    407: LINK,
    409: TEMPORARY,
    425: TEMPORARY,
    429: TEMPORARY,
}


def verdict_of(code: str, *, status: int) -> Verdict:
    """Return what the refusal of a request means for its SMS. A 4xx reply without a code is not Telnyx's."""
    if code in CODES:
        return CODES[code][0]
    if status in STATUSES:
        return STATUSES[status]
    return FINAL if code else LINK


def words_of(code: str, title: str = "") -> str:
    """Return the meaning of a code, with the code itself; Telnyx's own title for a code that is not in the table."""
    if not code:
        return ""
    words = CODES[code][1] if code in CODES else " ".join(title.split())[:TITLE_MAX] or "an error"
    return f"{words} (Telnyx {code})"
