# ruff: noqa: A002, N801, N802, N803, N815 - the names are opendnp3's
"""The part of yadnp3 (opendnp3) that gridctl uses; the wheel ships no types of its own."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

class _NativeEnum:
    """A pybind11 enumeration: has a name and a number, is not an int and equals none."""

    name: str
    value: int
    def __int__(self) -> int: ...

class CommandStatus(_NativeEnum):
    SUCCESS: CommandStatus
    UNDEFINED: CommandStatus

class CommandPointState(_NativeEnum):
    INIT: CommandPointState
    SELECT_SUCCESS: CommandPointState
    SELECT_MISMATCH: CommandPointState
    SELECT_FAIL: CommandPointState
    OPERATE_FAIL: CommandPointState
    SUCCESS: CommandPointState

class TaskCompletion(_NativeEnum):
    SUCCESS: TaskCompletion
    FAILURE_BAD_RESPONSE: TaskCompletion
    FAILURE_RESPONSE_TIMEOUT: TaskCompletion
    FAILURE_START_TIMEOUT: TaskCompletion
    FAILURE_MESSAGE_FORMAT_ERROR: TaskCompletion
    FAILURE_NO_COMMS: TaskCompletion

class ChannelState(_NativeEnum):
    CLOSED: ChannelState
    OPENING: ChannelState
    OPEN: ChannelState
    SHUTDOWN: ChannelState

class TimestampQuality(_NativeEnum):
    INVALID: TimestampQuality
    SYNCHRONIZED: TimestampQuality
    UNSYNCHRONIZED: TimestampQuality

class TimeSyncMode(_NativeEnum):
    NonLAN: TimeSyncMode
    LAN: TimeSyncMode

class MasterTaskType(_NativeEnum):
    STARTUP_INTEGRITY_POLL: MasterTaskType
    AUTO_EVENT_SCAN: MasterTaskType
    USER_TASK: MasterTaskType

class OperationType(_NativeEnum):
    LATCH_ON: OperationType
    LATCH_OFF: OperationType

class RestartType(_NativeEnum):
    COLD: RestartType
    WARM: RestartType

class DoubleBit(_NativeEnum):
    INTERMEDIATE: DoubleBit
    DETERMINED_OFF: DoubleBit
    DETERMINED_ON: DoubleBit
    INDETERMINATE: DoubleBit

class TimeDuration:
    @staticmethod
    def Milliseconds(milliseconds: int) -> TimeDuration: ...

class UTCTimestamp:
    msSinceEpoch: int
    def __init__(self, msSinceEpoch: int) -> None: ...

class Flags:
    value: int
    def __init__(self, value: int) -> None: ...

class DNPTime:
    value: int
    quality: TimestampQuality
    def __init__(self, value: int, quality: TimestampQuality) -> None: ...

class _Value:
    flags: Flags
    time: DNPTime

class Analog(_Value):
    value: float
    def __init__(self, value: float, flags: Flags, time: DNPTime = ...) -> None: ...

class AnalogOutputStatus(_Value):
    value: float
    def __init__(self, value: float, flags: Flags, time: DNPTime = ...) -> None: ...

class Binary(_Value):
    value: bool
    def __init__(self, value: bool, flags: Flags, time: DNPTime = ...) -> None: ...

class BinaryOutputStatus(_Value):
    value: bool
    def __init__(self, value: bool, flags: Flags, time: DNPTime = ...) -> None: ...

class Counter(_Value):
    value: int
    def __init__(self, value: int, flags: Flags, time: DNPTime = ...) -> None: ...

class FrozenCounter(_Value):
    value: int
    def __init__(self, value: int, flags: Flags, time: DNPTime = ...) -> None: ...

class DoubleBitBinary(_Value):
    value: DoubleBit
    def __init__(self, value: DoubleBit) -> None: ...

class Indexed:
    """Any of the Indexed* classes: what `ISOEHandler.Process` is given a list of."""

    index: int
    value: object

class GroupVariation:
    value: int
    name: str
    def __init__(self, value: int) -> None: ...

class GroupVariationID:
    def __init__(self, group: int, variation: int) -> None: ...

class HeaderInfo:
    gv: GroupVariation
    tsquality: TimestampQuality
    flagsValid: bool
    isEventVariation: bool
    def __init__(self) -> None: ...

class ResponseInfo:
    unsolicited: bool
    fir: bool
    fin: bool

class IINField:
    LSB: int
    MSB: int
    def __init__(self, LSB: int, MSB: int) -> None: ...

class TaskId: ...

class FunctionCode(_NativeEnum):
    ASSIGN_CLASS: FunctionCode

class FreezeType(_NativeEnum):
    ImmediateFreeze: FreezeType
    FreezeAndClear: FreezeType

class Header:
    @staticmethod
    def AllObjects(group: int, variation: int) -> Header: ...
    @staticmethod
    def Range16(group: int, variation: int, start: int, stop: int) -> Header: ...

class AnalogInputDeadband:
    def __init__(self, value: float) -> None: ...

class IndexedAnalogInputDeadband:
    def __init__(self, value: AnalogInputDeadband, index: int) -> None: ...

class TaskInfo:
    type: MasterTaskType
    result: TaskCompletion

class CommandPointResult:
    headerIndex: int
    index: int
    state: CommandPointState
    status: CommandStatus

class ICommandTaskResult:
    summary: TaskCompletion
    def to_list(self) -> list[CommandPointResult]: ...

class ISOEHandler:
    def __init__(self) -> None: ...
    def BeginFragment(self, info: ResponseInfo) -> None: ...
    def EndFragment(self, info: ResponseInfo) -> None: ...
    def Process(self, info: HeaderInfo, values: list[Indexed]) -> None: ...

class IMasterApplication:
    def __init__(self) -> None: ...
    def Now(self) -> UTCTimestamp: ...
    def OnReceiveIIN(self, iin: IINField) -> None: ...
    def OnTaskStart(self, type: MasterTaskType, id: TaskId) -> None: ...
    def OnTaskComplete(self, info: TaskInfo) -> None: ...
    def OnOpen(self) -> None: ...
    def OnClose(self) -> None: ...
    def AssignClassDuringStartup(self) -> bool: ...

class IChannelListener:
    def __init__(self) -> None: ...
    def OnStateChange(self, state: ChannelState) -> None: ...

class ClassField:
    def __init__(self, class0: bool, class1: bool, class2: bool, class3: bool) -> None: ...

class AnalogOutputFloat32:
    value: float
    def __init__(self, value: float) -> None: ...

class IMasterScan: ...

CommandCallback: TypeAlias = Callable[[ICommandTaskResult], None]

class IMaster:
    def AddClassScan(
        self, field: ClassField, period: TimeDuration, soe_handler: ISOEHandler
    ) -> IMasterScan: ...
    def AddRangeScan(
        self,
        gvId: GroupVariationID,
        start: int,
        stop: int,
        period: TimeDuration,
        soe_handler: ISOEHandler,
    ) -> IMasterScan: ...
    def ScanAllObjects(self, gvId: GroupVariationID, soe_handler: ISOEHandler) -> None: ...
    def ScanClasses(self, field: ClassField, soe_handler: ISOEHandler) -> None: ...
    def PerformFunction(
        self, name: str, func: FunctionCode, headers: Sequence[Header]
    ) -> None: ...
    def Freeze(self, type: FreezeType, headers: Sequence[Header]) -> None: ...
    def WriteDeadBands(
        self, deadBands: Sequence[IndexedAnalogInputDeadband], callback: Callable[[object], None]
    ) -> None: ...
    def ScanRange(
        self, gvId: GroupVariationID, start: int, stop: int, soe_handler: ISOEHandler
    ) -> None: ...
    def SelectAndOperate(
        self,
        command: AnalogOutputFloat32,
        index: int,
        callback: CommandCallback,
    ) -> None: ...
    def DirectOperate(
        self,
        command: AnalogOutputFloat32,
        index: int,
        callback: CommandCallback,
    ) -> None: ...
    def Restart(self, op: RestartType, callback: Callable[[object], None]) -> None: ...
    def Enable(self) -> bool: ...
    def Disable(self) -> bool: ...

class LogLevels: ...

class levels:
    NOTHING: LogLevels

class IPEndpoint:
    def __init__(self, address: str, port: int) -> None: ...

class ChannelRetry:
    reconnectDelay: TimeDuration
    def __init__(self, minOpenRetry: TimeDuration, maxOpenRetry: TimeDuration) -> None: ...

class LinkConfig:
    LocalAddr: int
    RemoteAddr: int
    KeepAliveTimeout: TimeDuration

class MasterParams:
    responseTimeout: TimeDuration
    taskStartTimeout: TimeDuration
    taskRetryPeriod: TimeDuration
    maxTaskRetryPeriod: TimeDuration
    timeSyncMode: TimeSyncMode
    disableUnsolOnStartup: bool

class MasterStackConfig:
    link: LinkConfig
    master: MasterParams
    def __init__(self) -> None: ...

class IChannel:
    def AddMaster(
        self,
        id: str,
        SOEHandler: ISOEHandler,
        application: IMasterApplication,
        config: MasterStackConfig,
    ) -> IMaster: ...
    def Shutdown(self) -> None: ...

class DNP3Manager:
    def __init__(self, concurrencyHint: int) -> None: ...
    def AddTCPClient(
        self,
        id: str,
        levels: LogLevels,
        retry: ChannelRetry,
        hosts: Sequence[IPEndpoint],
        local: str,
        listener: IChannelListener,
    ) -> IChannel: ...
    def Shutdown(self) -> None: ...
