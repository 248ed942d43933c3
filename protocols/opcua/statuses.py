"""Status codes that a server may answer a command with: by name, a sentence for the operator each.

docs/reference/opcua.md shows this table; a test compares them. What is not in it is told with the
standard's own description (OPC 10000-4 §7.38, OPC 10000-6 annex A).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from asyncua.ua.status_codes import code_to_name_doc

AMBIGUOUS: Final = frozenset(
    {
        "BadTimeout",
        "BadRequestTimeout",
        "BadCommunicationError",
        "BadUnexpectedError",
        "BadInternalError",
        "BadUnknownResponse",
        "BadRequestInterrupted",
        "BadRequestCancelledByClient",
        "BadRequestCancelledByRequest",
        "BadOperationAbandoned",
        "BadConnectionClosed",
        "BadConnectionRejected",
        "BadDisconnect",
        "BadEndOfStream",
        "BadServerHalted",
        "BadSecureChannelClosed",
        "BadSessionClosed",
        "BadShutdown",
    }
)
"""Answers after which the device may still have obeyed: the server itself lost its way to it."""

SERVICE_REFUSALS: Final = frozenset(
    {
        "BadUserAccessDenied",
        "BadSessionIdInvalid",
        "BadSessionNotActivated",
        "BadServiceUnsupported",
        "BadTooManyOperations",
        "BadTooManyRequests",
        "BadRequestTooLarge",
        "BadDecodingError",
        "BadNothingToDo",
        "BadRequestHeaderInvalid",
        "BadSecurityModeInsufficient",
        "BadLicenseExpired",
        "BadLicenseLimitsExceeded",
        "BadLicenseNotAvailable",
    }
)
"""Service faults that say that the request as a whole was not executed."""

SENTENCES: Final[Mapping[str, str]] = {
    "Good": "the server took it",
    "GoodClamped": "the server took a value nearer to what the device can do",
    "GoodCompletesAsynchronously": "the server took it, the device is still at work",
    "GoodLocalOverride": "the point stands on a local value",
    "GoodOverload": "the server took it, but samples more slowly than asked: it is overloaded",
    "BadArgumentsMissing": "the device wants other arguments than value, command id and end",
    "BadAttributeIdInvalid": "the point has no value: check the points file",
    "BadCommunicationError": "the server lost its way to the device: it may have obeyed",
    "BadConfigurationError": "the server says that the point is set up wrongly",
    "BadConnectionClosed": "the connection broke: whether the device obeyed is not known",
    "BadConnectionRejected": "the device let the server not in: it may have obeyed before",
    "BadDataEncodingUnsupported": "the server wants another encoding: check the points file",
    "BadDataLost": "the server has lost data of this point",
    "BadDecodingError": "the server could not read the command: nothing was done",
    "BadDeviceFailure": "the device reports a failure of its own",
    "BadDeadbandFilterInvalid": "the server does not take the deadband",
    "BadDisconnect": "the server has cut the connection: whether the device obeyed is not known",
    "BadEndOfStream": "the answer broke off: whether the device obeyed is not known",
    "BadEntryExists": "the device has seen this command already",
    "BadIndexRangeInvalid": "the array has no such element: check the points file",
    "BadIndexRangeNoData": "the array has no such element: check the points file",
    "BadInternalError": "the server failed in the middle: the device may have obeyed",
    "BadInvalidArgument": "the device does not understand the arguments of the command",
    "BadInvalidState": "the device is blocked and obeys no command now",
    "BadInvalidTimestamp": "the command came too late: its validity is over",
    "BadLicenseExpired": "the server's licence has ended: nothing was done",
    "BadLicenseLimitsExceeded": "the server's licence does not allow it: nothing was done",
    "BadLicenseNotAvailable": "the server has no licence for it: nothing was done",
    "BadMethodInvalid": "the device has no such method: check the points file",
    "BadNoCommunication": "the server has no connection to the device",
    "BadNoData": "the server has no value of this point",
    "BadNodeIdInvalid": "the server does not understand the address: check the points file",
    "BadNodeIdUnknown": "the server does not know this point: check the points file",
    "BadNotConnected": "the server has no connection to the device",
    "BadNotExecutable": "the method cannot be called: the device is blocked, or we have no right",
    "BadNotFound": "the device does not know what the command names",
    "BadNotImplemented": "the device does not support this command",
    "BadNotReadable": "the point cannot be read",
    "BadNotSupported": "the device does not support this command",
    "BadNotWritable": "the point cannot be written",
    "BadNothingToDo": "the server found nothing to do in the command: nothing was done",
    "BadObjectDeleted": "the device has been removed from the server: check the points file",
    "BadOperationAbandoned": "the server gave up in the middle: the device may have obeyed",
    "BadOutOfMemory": "the server is out of memory: nothing was done",
    "BadOutOfRange": "the device refuses the value: it is outside its range",
    "BadOutOfService": "the device is out of service",
    "BadRequestCancelledByClient": "the request was cancelled: the device may have obeyed",
    "BadRequestCancelledByRequest": "the request was cancelled: the device may have obeyed",
    "BadRequestHeaderInvalid": "the server could not read the command: nothing was done",
    "BadRequestInterrupted": "the request was interrupted: the device may have obeyed",
    "BadRequestTimeout": "the server was too slow: the device may have obeyed",
    "BadRequestTooLarge": "the command is too large for the server: nothing was done",
    "BadResourceUnavailable": "the server has no means for it now: nothing was done",
    "BadSecureChannelClosed": "the channel was closed: whether the device obeyed is not known",
    "BadSecurityChecksFailed": "the server refuses our certificate or our signature",
    "BadSecurityModeInsufficient": "the server wants a better encrypted link for this command",
    "BadSensorFailure": "the device reports a failure of its own",
    "BadServerHalted": "the server is being stopped: whether the device obeyed is not known",
    "BadServerNotConnected": "the server has no connection to the device",
    "BadServiceUnsupported": "the server does not offer this kind of command",
    "BadSessionClosed": "the session was closed: whether the device obeyed is not known",
    "BadSessionIdInvalid": "the server has ended our session: nothing was done",
    "BadSessionNotActivated": "the server has not admitted our session: nothing was done",
    "BadShutdown": "the server is going down: whether the device obeyed is not known",
    "BadStateNotActive": "the device is not in a state that takes this command",
    "BadTimeout": "the server was too slow: the device may have obeyed",
    "BadTooManyArguments": "the device wants other arguments than value, command id and end",
    "BadTooManyOperations": "the server is overloaded: nothing was done",
    "BadTooManyRequests": "the server is overloaded: nothing was done",
    "BadTypeMismatch": "the server wants another data type: check the points file",
    "BadUnexpectedError": "the server failed in the middle: the device may have obeyed",
    "BadUnknownResponse": "the server did not understand the device: it may have obeyed",
    "BadUserAccessDenied": "the device takes no remote command: it stands on local, or our user "
    "has no right to command it",
    "BadWaitingForInitialData": "the server has not heard from the device yet",
    "BadWriteNotSupported": "the server does not take this kind of write",
}

LOCAL: Final[Mapping[str, tuple[str, str]]] = {
    "LINK_DOWN": ("rejected", "the link is down; nothing is queued"),
    "NOT_COMMANDABLE": ("rejected", "the point takes no command on this link"),
    "BUSY": ("rejected", "another command on this link took longer than the permit holds"),
    "PERMIT": ("rejected", "the permit was used already, or has expired"),
    "OUT_OF_RANGE": ("rejected", "the value is outside the points file's range; nothing was sent"),
    "LEASE_OVER": ("rejected", "the command's lease had ended; nothing was sent"),
    "ABORTED": ("aborted", "STOP came before the command left"),
    "NO_ANSWER": ("unknown", "a question before the command got no answer; no setpoint was sent"),
    "TIMEOUT": (
        "unknown",
        "the command got no answer; accepted where the value shows in the point",
    ),
    "CONNECTION_LOST": ("unknown", "the connection broke under the command"),
    "READ_BACK": ("unknown", "the server took the write, but shows another value after 2 s"),
}
"""What the driver itself says, with the outcome."""

_STANDARD: Final = dict(code_to_name_doc.values())


def sentence(status: str) -> str:
    """What a status means for the operator, in one sentence."""
    name = status.partition(" ")[0]
    known = SENTENCES.get(name)
    if known is not None:
        return known
    standard = _STANDARD.get(name, "")
    return f"the server answers {status}" + (f": {standard}" if standard else "")
