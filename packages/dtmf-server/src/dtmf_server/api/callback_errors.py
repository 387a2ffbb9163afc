"""The error codes of the carriers' callbacks, for the catalog."""

from dtmf_server.api.error_entry import CALLBACKS, Entry

CALLBACK_ERRORS: dict[str, Entry] = {
    "callback_unreadable": Entry(
        status=400,
        title="Callback unreadable",
        meaning="The carrier's plug-in can't parse this callback.",
        fix="Check that the carrier is configured to call this URL. Report it to the plug-in's author.",
        where=CALLBACKS,
    ),
    "callback_not_signed": Entry(
        status=403,
        title="Bad signature",
        meaning="The signature of the callback is missing or wrong.",
        fix="Compare the secret in `[[carrier]]` with the carrier's, and `server.public_url` with the URL that it calls.",
        where=CALLBACKS,
    ),
    "arrival_unknown": Entry(
        status=503,
        title="Carrier unavailable",
        meaning="The callback does not say when the carrier received the SMS, the number was rented by somebody else in"
        " the last 90 days, and the carrier could not be asked. Nothing was stored; the carrier sends the callback again.",
        fix="See `dtmf-server carriers`: the carrier's API must be reachable from the API processes too.",
        where=CALLBACKS,
    ),
    "plugin_failed": Entry(
        status=500,
        title="Plug-in failed",
        meaning="The carrier's plug-in raised an exception. Nothing was stored; the carrier sends the callback again.",
        fix="Find the `request_id` in the service's log, and report the traceback to the plug-in's author.",
        where=CALLBACKS,
    ),
}
