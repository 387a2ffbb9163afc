"""Units of time in microseconds, and the largest integer that a column can store."""

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

INT64_MAX = 2**63 - 1
