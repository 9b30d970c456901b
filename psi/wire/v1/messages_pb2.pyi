from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROLE_UNSPECIFIED: _ClassVar[Role]
    ROLE_RECEIVER: _ClassVar[Role]
    ROLE_SENDER: _ClassVar[Role]
ROLE_UNSPECIFIED: Role
ROLE_RECEIVER: Role
ROLE_SENDER: Role

class Message(_message.Message):
    __slots__ = ("hello", "blinded_bin", "evaluated_bin", "entry_bin", "decoy_seed", "decoy_tags", "transcript_digest", "base_ot_offer", "base_ot_choice", "cot_trees", "vole_request", "vole_correction", "masked_bin", "tag_counts", "tag_bin", "vole_check", "vole_proof", "proven_bin")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    BLINDED_BIN_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_BIN_FIELD_NUMBER: _ClassVar[int]
    ENTRY_BIN_FIELD_NUMBER: _ClassVar[int]
    DECOY_SEED_FIELD_NUMBER: _ClassVar[int]
    DECOY_TAGS_FIELD_NUMBER: _ClassVar[int]
    TRANSCRIPT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    BASE_OT_OFFER_FIELD_NUMBER: _ClassVar[int]
    BASE_OT_CHOICE_FIELD_NUMBER: _ClassVar[int]
    COT_TREES_FIELD_NUMBER: _ClassVar[int]
    VOLE_REQUEST_FIELD_NUMBER: _ClassVar[int]
    VOLE_CORRECTION_FIELD_NUMBER: _ClassVar[int]
    MASKED_BIN_FIELD_NUMBER: _ClassVar[int]
    TAG_COUNTS_FIELD_NUMBER: _ClassVar[int]
    TAG_BIN_FIELD_NUMBER: _ClassVar[int]
    VOLE_CHECK_FIELD_NUMBER: _ClassVar[int]
    VOLE_PROOF_FIELD_NUMBER: _ClassVar[int]
    PROVEN_BIN_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    blinded_bin: BlindedBin
    evaluated_bin: EvaluatedBin
    entry_bin: EntryBin
    decoy_seed: DecoySeed
    decoy_tags: DecoyTags
    transcript_digest: TranscriptDigest
    base_ot_offer: BaseOtOffer
    base_ot_choice: BaseOtChoice
    cot_trees: CotTrees
    vole_request: VoleRequest
    vole_correction: VoleCorrection
    masked_bin: MaskedBin
    tag_counts: TagCounts
    tag_bin: TagBin
    vole_check: VoleCheck
    vole_proof: VoleProof
    proven_bin: ProvenBin
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., blinded_bin: _Optional[_Union[BlindedBin, _Mapping]] = ..., evaluated_bin: _Optional[_Union[EvaluatedBin, _Mapping]] = ..., entry_bin: _Optional[_Union[EntryBin, _Mapping]] = ..., decoy_seed: _Optional[_Union[DecoySeed, _Mapping]] = ..., decoy_tags: _Optional[_Union[DecoyTags, _Mapping]] = ..., transcript_digest: _Optional[_Union[TranscriptDigest, _Mapping]] = ..., base_ot_offer: _Optional[_Union[BaseOtOffer, _Mapping]] = ..., base_ot_choice: _Optional[_Union[BaseOtChoice, _Mapping]] = ..., cot_trees: _Optional[_Union[CotTrees, _Mapping]] = ..., vole_request: _Optional[_Union[VoleRequest, _Mapping]] = ..., vole_correction: _Optional[_Union[VoleCorrection, _Mapping]] = ..., masked_bin: _Optional[_Union[MaskedBin, _Mapping]] = ..., tag_counts: _Optional[_Union[TagCounts, _Mapping]] = ..., tag_bin: _Optional[_Union[TagBin, _Mapping]] = ..., vole_check: _Optional[_Union[VoleCheck, _Mapping]] = ..., vole_proof: _Optional[_Union[VoleProof, _Mapping]] = ..., proven_bin: _Optional[_Union[ProvenBin, _Mapping]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("parameters", "nonce", "role", "elements", "entries", "label_width")
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    LABEL_WIDTH_FIELD_NUMBER: _ClassVar[int]
    parameters: bytes
    nonce: bytes
    role: Role
    elements: int
    entries: int
    label_width: int
    def __init__(self, parameters: _Optional[bytes] = ..., nonce: _Optional[bytes] = ..., role: _Optional[_Union[Role, str]] = ..., elements: _Optional[int] = ..., entries: _Optional[int] = ..., label_width: _Optional[int] = ...) -> None: ...

class BlindedBin(_message.Message):
    __slots__ = ("bin", "points", "session")
    BIN_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    bin: int
    points: bytes
    session: bytes
    def __init__(self, bin: _Optional[int] = ..., points: _Optional[bytes] = ..., session: _Optional[bytes] = ...) -> None: ...

class EvaluatedBin(_message.Message):
    __slots__ = ("bin", "points")
    BIN_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    bin: int
    points: bytes
    def __init__(self, bin: _Optional[int] = ..., points: _Optional[bytes] = ...) -> None: ...

class EntryBin(_message.Message):
    __slots__ = ("bin", "entries")
    BIN_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    bin: int
    entries: bytes
    def __init__(self, bin: _Optional[int] = ..., entries: _Optional[bytes] = ...) -> None: ...

class DecoySeed(_message.Message):
    __slots__ = ("seed",)
    SEED_FIELD_NUMBER: _ClassVar[int]
    seed: bytes
    def __init__(self, seed: _Optional[bytes] = ...) -> None: ...

class DecoyTags(_message.Message):
    __slots__ = ("shared", "receivers")
    SHARED_FIELD_NUMBER: _ClassVar[int]
    RECEIVERS_FIELD_NUMBER: _ClassVar[int]
    shared: bytes
    receivers: bytes
    def __init__(self, shared: _Optional[bytes] = ..., receivers: _Optional[bytes] = ...) -> None: ...

class TranscriptDigest(_message.Message):
    __slots__ = ("digest",)
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    digest: bytes
    def __init__(self, digest: _Optional[bytes] = ...) -> None: ...

class BaseOtOffer(_message.Message):
    __slots__ = ("point", "session", "salt")
    POINT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    SALT_FIELD_NUMBER: _ClassVar[int]
    point: bytes
    session: bytes
    salt: bytes
    def __init__(self, point: _Optional[bytes] = ..., session: _Optional[bytes] = ..., salt: _Optional[bytes] = ...) -> None: ...

class BaseOtChoice(_message.Message):
    __slots__ = ("points",)
    POINTS_FIELD_NUMBER: _ClassVar[int]
    points: bytes
    def __init__(self, points: _Optional[bytes] = ...) -> None: ...

class CotTrees(_message.Message):
    __slots__ = ("corrections",)
    CORRECTIONS_FIELD_NUMBER: _ClassVar[int]
    corrections: bytes
    def __init__(self, corrections: _Optional[bytes] = ...) -> None: ...

class VoleRequest(_message.Message):
    __slots__ = ("chunk", "corrections")
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    CORRECTIONS_FIELD_NUMBER: _ClassVar[int]
    chunk: int
    corrections: bytes
    def __init__(self, chunk: _Optional[int] = ..., corrections: _Optional[bytes] = ...) -> None: ...

class VoleCorrection(_message.Message):
    __slots__ = ("chunk", "corrections")
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    CORRECTIONS_FIELD_NUMBER: _ClassVar[int]
    chunk: int
    corrections: bytes
    def __init__(self, chunk: _Optional[int] = ..., corrections: _Optional[bytes] = ...) -> None: ...

class MaskedBin(_message.Message):
    __slots__ = ("bin", "cells", "salt")
    BIN_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    SALT_FIELD_NUMBER: _ClassVar[int]
    bin: int
    cells: bytes
    salt: bytes
    def __init__(self, bin: _Optional[int] = ..., cells: _Optional[bytes] = ..., salt: _Optional[bytes] = ...) -> None: ...

class VoleCheck(_message.Message):
    __slots__ = ("sum",)
    SUM_FIELD_NUMBER: _ClassVar[int]
    sum: bytes
    def __init__(self, sum: _Optional[bytes] = ...) -> None: ...

class VoleProof(_message.Message):
    __slots__ = ("digest",)
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    digest: bytes
    def __init__(self, digest: _Optional[bytes] = ...) -> None: ...

class TagCounts(_message.Message):
    __slots__ = ("piece", "unary")
    PIECE_FIELD_NUMBER: _ClassVar[int]
    UNARY_FIELD_NUMBER: _ClassVar[int]
    piece: int
    unary: bytes
    def __init__(self, piece: _Optional[int] = ..., unary: _Optional[bytes] = ...) -> None: ...

class TagBin(_message.Message):
    __slots__ = ("bin", "tags")
    BIN_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    bin: int
    tags: bytes
    def __init__(self, bin: _Optional[int] = ..., tags: _Optional[bytes] = ...) -> None: ...

class ProvenBin(_message.Message):
    __slots__ = ("bin", "points", "proof")
    BIN_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    bin: int
    points: bytes
    proof: bytes
    def __init__(self, bin: _Optional[int] = ..., points: _Optional[bytes] = ..., proof: _Optional[bytes] = ...) -> None: ...
