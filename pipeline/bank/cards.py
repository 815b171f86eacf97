"""Test cards and what each of them does. Any other valid number pays."""

PAYS = "4242424242424242"
DECLINED = "4000000000000002"
INSUFFICIENT_FUNDS = "4000000000009995"
SLOW = "4000000000000119"
"""The answer to authorise takes SLOW_S."""
ANSWER_LOST = "4000000000000127"
"""Authorised, but the connection ends without an answer the first time."""
LATE = "4000000000000259"
"""Pending at first; confirmed LATE_S later, unless it was voided meanwhile."""
CAPTURE_REFUSED = "4000000000000341"
"""Authorised, but the capture is refused."""
REFUND_FAILS_TWICE = "4000000000005126"
"""The first two refunds answer 503."""

SLOW_S = 2.0
LATE_S = 30.0
REFUND_FAILURES = 2

REFUSED = {DECLINED: "declined", INSUFFICIENT_FUNDS: "insufficient_funds"}
