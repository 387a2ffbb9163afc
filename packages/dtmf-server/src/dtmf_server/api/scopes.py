"""The scope that each operation of the API needs: the only place that says so.

The OpenAPI document is made from it, and so is docs/reference/endpoints.md. An operation that is missing here stops the
service from starting. Unrestricted tokens may use every operation.
"""

from collections.abc import Mapping
from typing import Final

PUBLIC: Final = "public"  # no token needed
ANY: Final = "any"  # every working token
UNRESTRICTED: Final = "unrestricted"  # only unrestricted tokens

NEEDS: Mapping[str, str] = {
    # the account
    "get_account": "read",
    "get_usage": "read",
    "get_transactions": "read",
    "post_accounts": PUBLIC,
    "get_account_webhook": "read",
    "put_account_webhook": "webhooks",
    # tokens: a restricted one sees itself and those that it created
    "get_tokens": "tokens",
    "get_token": ANY,  # without the scope `tokens` only itself
    "post_tokens": "tokens",
    "delete_tokens": "tokens",
    "post_sign_in_links": UNRESTRICTED,
    # top-ups
    "get_addresses": "read",
    "post_addresses": "topup",
    "get_deposits": "read",
    "get_invoices": "read",
    "get_invoice": "read",
    "post_invoices": "topup",
    # numbers
    "get_groups": "read",
    "get_group": "read",
    "get_group_numbers": "read",
    "get_numbers": "read",
    "get_number": "read",
    "post_numbers": "rent",
    "delete_number": "rent",
    "patch_number": ANY,  # see FIELDS; and `send` to forward
    "post_numbers_adopt": UNRESTRICTED,
    # messages and events
    "post_message": "send",
    "get_messages": "read",
    "get_events": "read",
    # deliveries
    "get_deliveries": "read",
    "post_delivery_retry": "webhooks",  # and `send` for an SMS
    "post_deliveries_retry": "webhooks",
    "post_deliveries_test": "webhooks",
    "get_webhook_secret": "webhooks",
    "post_webhook_secret": "webhooks",
    # the sandbox
    "post_sandbox_message": UNRESTRICTED,
    "post_sandbox_deposit": "topup",
    "post_sandbox_pay": "topup",
    "post_sandbox_clock": UNRESTRICTED,
    "get_sandbox_clock": "read",
    "get_sandbox_sent": "read",
}

# Operations whose fields need scopes of their own.
FIELDS: Mapping[str, Mapping[str, str]] = {
    "patch_number": {"sms_forwarded_to": "webhooks", "max_minutes": "rent", "max_sats": "rent", "label": "rent"},
}
