"""Private set intersection: two parties learn what they have in common, and nothing else.

A set is `Elements`; a protocol, such as `psi.protocols.dh`, has a `Receiver` and a `Sender`; their
`converse()` is a dialogue that `Side` turns into bytes in, bytes out. `converse` runs two sides in
memory. Nothing here opens a connection: `parties` carries dialogues between nodes.
"""

from psi.dialogue import Dialogue, Side, converse
from psi.elements import Elements
from psi.errors import ApiMisuse, PeerError, PsiError
from psi.matches import Labels, Matches, Result
from psi.meter import Meter
from psi.parameters import Output, Parameters
from psi.protocols import PROTOCOLS

__all__ = [
    "PROTOCOLS",
    "ApiMisuse",
    "Dialogue",
    "Elements",
    "Labels",
    "Matches",
    "Meter",
    "Output",
    "Parameters",
    "PeerError",
    "PsiError",
    "Result",
    "Side",
    "converse",
]
