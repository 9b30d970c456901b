"""The audit log of a node: hash-chained lines, signed heads, receipts that both nodes hold.

Nothing in it is ever changed or deleted: it is kept for three years and longer (PIPL, art. 56).
"""

from parties.audit.agreeing import agree, contradict
from parties.audit.chain import Genesis, Place
from parties.audit.heads import Head, sign_head
from parties.audit.keeping import (
    find_receipt,
    keep_both,
    keep_ours,
    keep_theirs,
    record_erasure,
)
from parties.audit.log import append, begin
from parties.audit.receipt import Receipt, SetReceipt, Signed

__all__ = [
    "Genesis",
    "Head",
    "Place",
    "Receipt",
    "SetReceipt",
    "Signed",
    "agree",
    "append",
    "begin",
    "contradict",
    "find_receipt",
    "keep_both",
    "keep_ours",
    "keep_theirs",
    "record_erasure",
    "sign_head",
]
