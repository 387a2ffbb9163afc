"""Rent a number, receive an SMS and end the rental, in the sandbox that `make run` starts.

DTMF_TOKEN=dtmf_… python examples/receive.py
"""

from dtmf import DTMF

dtmf = DTMF()  # reads DTMF_TOKEN and DTMF_URL (default: http://127.0.0.1:8000)
if dtmf.account()["balance"] < 10_000:
    dtmf.sandbox.deposit(dtmf.new_address()["address"], 100_000)

e164 = dtmf.start_rental("us-mobile")["e164"]
print("rented", e164)

dtmf.sandbox.receive(e164, "+1234", "Your code is 428613")  # in production, a phone sends this SMS
for message in dtmf.number(e164)["messages"]:
    print(message["from"], "wrote", message["content"], "at", message["timestamp"])

dtmf.end_rental(e164)
print("balance", dtmf.account()["balance"])
