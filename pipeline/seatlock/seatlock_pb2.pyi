from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Hold(_message.Message):
    __slots__ = ("seat_id", "held_until_micros", "fence", "price", "section", "section_number", "row_label", "number", "position", "accessible")
    SEAT_ID_FIELD_NUMBER: _ClassVar[int]
    HELD_UNTIL_MICROS_FIELD_NUMBER: _ClassVar[int]
    FENCE_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    SECTION_FIELD_NUMBER: _ClassVar[int]
    SECTION_NUMBER_FIELD_NUMBER: _ClassVar[int]
    ROW_LABEL_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    ACCESSIBLE_FIELD_NUMBER: _ClassVar[int]
    seat_id: int
    held_until_micros: int
    fence: int
    price: str
    section: str
    section_number: int
    row_label: str
    number: str
    position: int
    accessible: bool
    def __init__(self, seat_id: _Optional[int] = ..., held_until_micros: _Optional[int] = ..., fence: _Optional[int] = ..., price: _Optional[str] = ..., section: _Optional[str] = ..., section_number: _Optional[int] = ..., row_label: _Optional[str] = ..., number: _Optional[str] = ..., position: _Optional[int] = ..., accessible: _Optional[bool] = ...) -> None: ...

class SeatFence(_message.Message):
    __slots__ = ("seat_id", "fence")
    SEAT_ID_FIELD_NUMBER: _ClassVar[int]
    FENCE_FIELD_NUMBER: _ClassVar[int]
    seat_id: int
    fence: int
    def __init__(self, seat_id: _Optional[int] = ..., fence: _Optional[int] = ...) -> None: ...

class LockSeatsRequest(_message.Message):
    __slots__ = ("event_id", "seat_ids", "holder", "seconds")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    SEAT_IDS_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    event_id: int
    seat_ids: _containers.RepeatedScalarFieldContainer[int]
    holder: str
    seconds: float
    def __init__(self, event_id: _Optional[int] = ..., seat_ids: _Optional[_Iterable[int]] = ..., holder: _Optional[str] = ..., seconds: _Optional[float] = ...) -> None: ...

class LockSeatsReply(_message.Message):
    __slots__ = ("holds", "unavailable", "refusal", "held")
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    UNAVAILABLE_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    holds: _containers.RepeatedCompositeFieldContainer[Hold]
    unavailable: _containers.RepeatedScalarFieldContainer[int]
    refusal: str
    held: int
    def __init__(self, holds: _Optional[_Iterable[_Union[Hold, _Mapping]]] = ..., unavailable: _Optional[_Iterable[int]] = ..., refusal: _Optional[str] = ..., held: _Optional[int] = ...) -> None: ...

class UnlockSeatsRequest(_message.Message):
    __slots__ = ("holds", "holder", "seat_ids", "order_uuid")
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    SEAT_IDS_FIELD_NUMBER: _ClassVar[int]
    ORDER_UUID_FIELD_NUMBER: _ClassVar[int]
    holds: _containers.RepeatedCompositeFieldContainer[SeatFence]
    holder: str
    seat_ids: _containers.RepeatedScalarFieldContainer[int]
    order_uuid: str
    def __init__(self, holds: _Optional[_Iterable[_Union[SeatFence, _Mapping]]] = ..., holder: _Optional[str] = ..., seat_ids: _Optional[_Iterable[int]] = ..., order_uuid: _Optional[str] = ...) -> None: ...

class UnlockSeatsReply(_message.Message):
    __slots__ = ("freed",)
    FREED_FIELD_NUMBER: _ClassVar[int]
    freed: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, freed: _Optional[_Iterable[int]] = ...) -> None: ...

class CommitRequest(_message.Message):
    __slots__ = ("holds", "holder", "order_uuid")
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    ORDER_UUID_FIELD_NUMBER: _ClassVar[int]
    holds: _containers.RepeatedCompositeFieldContainer[SeatFence]
    holder: str
    order_uuid: str
    def __init__(self, holds: _Optional[_Iterable[_Union[SeatFence, _Mapping]]] = ..., holder: _Optional[str] = ..., order_uuid: _Optional[str] = ...) -> None: ...

class CommitReply(_message.Message):
    __slots__ = ("committed", "refused")
    COMMITTED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    committed: bool
    refused: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, committed: _Optional[bool] = ..., refused: _Optional[_Iterable[int]] = ...) -> None: ...

class ExtendHoldsRequest(_message.Message):
    __slots__ = ("seat_ids", "holder", "seconds")
    SEAT_IDS_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    seat_ids: _containers.RepeatedScalarFieldContainer[int]
    holder: str
    seconds: float
    def __init__(self, seat_ids: _Optional[_Iterable[int]] = ..., holder: _Optional[str] = ..., seconds: _Optional[float] = ...) -> None: ...

class ExtendHoldsReply(_message.Message):
    __slots__ = ("holds",)
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    holds: _containers.RepeatedCompositeFieldContainer[Hold]
    def __init__(self, holds: _Optional[_Iterable[_Union[Hold, _Mapping]]] = ...) -> None: ...

class MoveHoldsRequest(_message.Message):
    __slots__ = ("from_holder", "to_holder")
    FROM_HOLDER_FIELD_NUMBER: _ClassVar[int]
    TO_HOLDER_FIELD_NUMBER: _ClassVar[int]
    from_holder: str
    to_holder: str
    def __init__(self, from_holder: _Optional[str] = ..., to_holder: _Optional[str] = ...) -> None: ...

class MovedHold(_message.Message):
    __slots__ = ("seat_id", "event_id", "moved")
    SEAT_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    MOVED_FIELD_NUMBER: _ClassVar[int]
    seat_id: int
    event_id: int
    moved: bool
    def __init__(self, seat_id: _Optional[int] = ..., event_id: _Optional[int] = ..., moved: _Optional[bool] = ...) -> None: ...

class MoveHoldsReply(_message.Message):
    __slots__ = ("holds",)
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    holds: _containers.RepeatedCompositeFieldContainer[MovedHold]
    def __init__(self, holds: _Optional[_Iterable[_Union[MovedHold, _Mapping]]] = ...) -> None: ...

class AvailableRequest(_message.Message):
    __slots__ = ("event_id", "section")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    SECTION_FIELD_NUMBER: _ClassVar[int]
    event_id: int
    section: int
    def __init__(self, event_id: _Optional[int] = ..., section: _Optional[int] = ...) -> None: ...

class AvailableReply(_message.Message):
    __slots__ = ("seat_ids",)
    SEAT_IDS_FIELD_NUMBER: _ClassVar[int]
    seat_ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, seat_ids: _Optional[_Iterable[int]] = ...) -> None: ...

class ReleaseExpiredRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReleaseExpiredReply(_message.Message):
    __slots__ = ("released",)
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    released: int
    def __init__(self, released: _Optional[int] = ...) -> None: ...

class ForgetHolderRequest(_message.Message):
    __slots__ = ("holder",)
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    holder: str
    def __init__(self, holder: _Optional[str] = ...) -> None: ...

class ForgetHolderReply(_message.Message):
    __slots__ = ("freed",)
    FREED_FIELD_NUMBER: _ClassVar[int]
    freed: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, freed: _Optional[_Iterable[int]] = ...) -> None: ...
