"""The scope that each operation of the API needs, and whether a suspended account may use it: the only place that says so.

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

# Whether an account that its operator has suspended may use the operation: it can be read, topped up and signed in to. The
# sandbox's operations act for others: phones that send SMS, wallets that pay, and the clock.
WHILE_SUSPENDED: Mapping[str, bool] = {
    "get_account": True,
    "get_usage": True,
    "get_transactions": True,
    "post_accounts": True,  # the claim of a paid sign-up returns the token of its account
    "get_account_webhook": True,
    "put_account_webhook": False,
    "get_tokens": True,
    "get_token": True,
    "post_tokens": False,
    "delete_tokens": False,
    "post_sign_in_links": True,
    "get_addresses": True,
    "post_addresses": True,
    "get_deposits": True,
    "get_invoices": True,
    "get_invoice": True,
    "post_invoices": True,
    "get_groups": True,
    "get_group": True,
    "get_group_numbers": True,
    "get_numbers": True,
    "get_number": True,
    "post_numbers": False,
    "delete_number": False,
    "patch_number": False,
    "post_numbers_adopt": False,
    "post_message": False,
    "get_messages": True,
    "get_events": True,
    "get_deliveries": True,
    "post_delivery_retry": False,
    "post_deliveries_retry": False,
    "post_deliveries_test": False,
    "get_webhook_secret": True,
    "post_webhook_secret": False,
    "post_sandbox_message": True,
    "post_sandbox_deposit": True,
    "post_sandbox_pay": True,
    "post_sandbox_clock": True,
    "get_sandbox_clock": True,
    "get_sandbox_sent": True,
}

# Operations whose fields need scopes of their own.
FIELDS: Mapping[str, Mapping[str, str]] = {
    "patch_number": {"sms_forwarded_to": "webhooks", "max_minutes": "rent", "max_sats": "rent", "label": "rent"},
}
