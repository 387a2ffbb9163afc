"""Rents a number, receives an SMS, ends the rental: the documented client against the sandbox that `make run` starts.

DTMF_TOKEN=dtmf_… python examples/receive.py
"""

from dtmf import DTMF

dtmf = DTMF()  # the token from DTMF_TOKEN; the address from DTMF_URL, else http://127.0.0.1:8000
if dtmf.account()["balance"] < 10_000:
    dtmf.sandbox.deposit(dtmf.new_address()["address"], 100_000)

e164 = dtmf.start_rental("us-mobile")["e164"]
print("rented", e164)

dtmf.sandbox.receive(e164, "+1234", "Your code is 428613")  # elsewhere somebody's phone does this
for message in dtmf.number(e164)["messages"]:
    print(message["from"], "wrote", message["content"], "at", message["timestamp"])

dtmf.end_rental(e164)
print("balance", dtmf.account()["balance"])
