from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Way(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WAY_UNSPECIFIED: _ClassVar[Way]
    WAY_COUNT: _ClassVar[Way]
    WAY_MATCH: _ClassVar[Way]
    WAY_INQUIRE: _ClassVar[Way]
    WAY_LIST: _ClassVar[Way]
    WAY_TICKET: _ClassVar[Way]
    WAY_RECEIPT: _ClassVar[Way]

class TicketState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TICKET_STATE_UNSPECIFIED: _ClassVar[TicketState]
    TICKET_STATE_WAITING: _ClassVar[TicketState]
    TICKET_STATE_APPROVED: _ClassVar[TicketState]
    TICKET_STATE_REFUSED: _ClassVar[TicketState]
    TICKET_STATE_EXPIRED: _ClassVar[TicketState]
    TICKET_STATE_REVOKED: _ClassVar[TicketState]
WAY_UNSPECIFIED: Way
WAY_COUNT: Way
WAY_MATCH: Way
WAY_INQUIRE: Way
WAY_LIST: Way
WAY_TICKET: Way
WAY_RECEIPT: Way
TICKET_STATE_UNSPECIFIED: TicketState
TICKET_STATE_WAITING: TicketState
TICKET_STATE_APPROVED: TicketState
TICKET_STATE_REFUSED: TicketState
TICKET_STATE_EXPIRED: TicketState
TICKET_STATE_REVOKED: TicketState

class Column(_message.Message):
    __slots__ = ("name", "type")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ...) -> None: ...

class IdentifierSet(_message.Message):
    __slots__ = ("name", "domain")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    name: str
    domain: str
    def __init__(self, name: _Optional[str] = ..., domain: _Optional[str] = ...) -> None: ...

class Standing(_message.Message):
    __slots__ = ("protocol_version", "role", "normaliser_version", "normaliser_digest", "columns", "max_elements", "protocols")
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    NORMALISER_VERSION_FIELD_NUMBER: _ClassVar[int]
    NORMALISER_DIGEST_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    MAX_ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    PROTOCOLS_FIELD_NUMBER: _ClassVar[int]
    protocol_version: int
    role: str
    normaliser_version: str
    normaliser_digest: bytes
    columns: _containers.RepeatedCompositeFieldContainer[Column]
    max_elements: int
    protocols: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, protocol_version: _Optional[int] = ..., role: _Optional[str] = ..., normaliser_version: _Optional[str] = ..., normaliser_digest: _Optional[bytes] = ..., columns: _Optional[_Iterable[_Union[Column, _Mapping]]] = ..., max_elements: _Optional[int] = ..., protocols: _Optional[_Iterable[str]] = ...) -> None: ...

class Proposal(_message.Message):
    __slots__ = ("standing", "way", "caller_receives", "both_learn", "sets", "tables", "ticket", "inputs", "about")
    STANDING_FIELD_NUMBER: _ClassVar[int]
    WAY_FIELD_NUMBER: _ClassVar[int]
    CALLER_RECEIVES_FIELD_NUMBER: _ClassVar[int]
    BOTH_LEARN_FIELD_NUMBER: _ClassVar[int]
    SETS_FIELD_NUMBER: _ClassVar[int]
    TABLES_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    ABOUT_FIELD_NUMBER: _ClassVar[int]
    standing: Standing
    way: Way
    caller_receives: bool
    both_learn: bool
    sets: _containers.RepeatedCompositeFieldContainer[IdentifierSet]
    tables: bytes
    ticket: bytes
    inputs: _containers.RepeatedScalarFieldContainer[bytes]
    about: str
    def __init__(self, standing: _Optional[_Union[Standing, _Mapping]] = ..., way: _Optional[_Union[Way, str]] = ..., caller_receives: _Optional[bool] = ..., both_learn: _Optional[bool] = ..., sets: _Optional[_Iterable[_Union[IdentifierSet, _Mapping]]] = ..., tables: _Optional[bytes] = ..., ticket: _Optional[bytes] = ..., inputs: _Optional[_Iterable[bytes]] = ..., about: _Optional[str] = ...) -> None: ...

class TicketAnswer(_message.Message):
    __slots__ = ("standing", "state", "reason", "ticket")
    STANDING_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    standing: Standing
    state: TicketState
    reason: str
    ticket: bytes
    def __init__(self, standing: _Optional[_Union[Standing, _Mapping]] = ..., state: _Optional[_Union[TicketState, str]] = ..., reason: _Optional[str] = ..., ticket: _Optional[bytes] = ...) -> None: ...

class Acceptance(_message.Message):
    __slots__ = ("standing", "sizes", "inputs")
    STANDING_FIELD_NUMBER: _ClassVar[int]
    SIZES_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    standing: Standing
    sizes: _containers.RepeatedScalarFieldContainer[int]
    inputs: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, standing: _Optional[_Union[Standing, _Mapping]] = ..., sizes: _Optional[_Iterable[int]] = ..., inputs: _Optional[_Iterable[bytes]] = ...) -> None: ...

class SignedManifest(_message.Message):
    __slots__ = ("manifest", "signature", "certificate")
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    manifest: bytes
    signature: bytes
    certificate: bytes
    def __init__(self, manifest: _Optional[bytes] = ..., signature: _Optional[bytes] = ..., certificate: _Optional[bytes] = ...) -> None: ...

class Tables(_message.Message):
    __slots__ = ("standing", "manifests")
    STANDING_FIELD_NUMBER: _ClassVar[int]
    MANIFESTS_FIELD_NUMBER: _ClassVar[int]
    standing: Standing
    manifests: _containers.RepeatedCompositeFieldContainer[SignedManifest]
    def __init__(self, standing: _Optional[_Union[Standing, _Mapping]] = ..., manifests: _Optional[_Iterable[_Union[SignedManifest, _Mapping]]] = ...) -> None: ...

class ShardRequest(_message.Message):
    __slots__ = ("digest", "start", "elements")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    digest: bytes
    start: int
    elements: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, digest: _Optional[bytes] = ..., start: _Optional[int] = ..., elements: _Optional[_Iterable[int]] = ...) -> None: ...

class ShardPart(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...

class Plan(_message.Message):
    __slots__ = ("protocol", "caller_receives")
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    CALLER_RECEIVES_FIELD_NUMBER: _ClassVar[int]
    protocol: str
    caller_receives: bool
    def __init__(self, protocol: _Optional[str] = ..., caller_receives: _Optional[bool] = ...) -> None: ...

class Choice(_message.Message):
    __slots__ = ("plans", "sizes")
    PLANS_FIELD_NUMBER: _ClassVar[int]
    SIZES_FIELD_NUMBER: _ClassVar[int]
    plans: _containers.RepeatedCompositeFieldContainer[Plan]
    sizes: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, plans: _Optional[_Iterable[_Union[Plan, _Mapping]]] = ..., sizes: _Optional[_Iterable[int]] = ...) -> None: ...

class Receipt(_message.Message):
    __slots__ = ("signed", "padding")
    SIGNED_FIELD_NUMBER: _ClassVar[int]
    PADDING_FIELD_NUMBER: _ClassVar[int]
    signed: bytes
    padding: bytes
    def __init__(self, signed: _Optional[bytes] = ..., padding: _Optional[bytes] = ...) -> None: ...
