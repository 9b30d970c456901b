"""A made-up twin of an insurer's claims and a police force's records, with what meets.

Real files of this kind can never stand in a demo or a test, so this package makes their twin: two
files with the columns, the habits and the dirt of real ones, identities that occur in both, rings
of the published kinds, near-misses that must not match, and the exact answer that a private match
has to give.

Every person, plate, VIN, phone, flight, place, shop and hospital visit here is made up. Area codes,
phone prefixes, plate letters and manufacturer codes are public and real; what stands behind them is
drawn at random, so that any resemblance to a person, a vehicle or a line is chance.

How it is built, in the order to read:

    pools      which numbers are whose: shared, planted, or on one side only
    plan       which row carries what, without looking at other rows
    people, phones, plates, vins    from a number to an identifier, one to one
    rings, schemes                  planted groups of rows
    edges/                          planted groups at every edge of every rule, if asked for
    claims, records                 the columns of either file
    dirt, habits                    what clerks do to identifiers, and whether they survive it
    blocks     a block of rows of either file, dirt and copied rows and all
    truth      what meets, counted on the numbers and never on the text
    making     the files

Imports: a script in this folder's parent says `from twin import make_twin`; tests put that parent
on the path first.
"""

from .blocks import COLUMNS, SetColumns
from .making import Twin, make_twin
from .plan import OutOfRange
from .truth import SetTruth, Truth

__all__ = ["COLUMNS", "OutOfRange", "SetColumns", "SetTruth", "Truth", "Twin", "make_twin"]
