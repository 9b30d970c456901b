"""Both roles in one process: what do these two lists have in common?"""

from psi import Elements, Output, Parameters, Side, converse
from psi.protocols.dh import Receiver, Sender

claims = ["plate:浙A12345", "plate:粤BD12345", "plate:沪C00001"]
accidents = ["plate:粤BD12345", "plate:京A88888", "plate:浙A12345"]

parameters = Parameters(protocol="dh", output=Output.RECEIVER, domain="example")
insurer = Receiver(Elements.hash(claims, "example"), parameters)
police = Sender(Elements.hash(accidents, "example"), parameters)

learnt, nothing = converse(Side(insurer.converse()), Side(police.converse()))

assert learnt.matches is not None
for position in learnt.matches.positions:
    print(claims[position])
print(f"{learnt.cardinality} in common; the police learnt {nothing}")
