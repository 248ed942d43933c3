"""A connection with its subscription: every target monitored, every publish response heard.

The publish loop is our own. asyncua's decodes each value into four objects, keeps one request
outstanding and goes on for ever after an error; ours decodes in runs (`wire.py`), keeps two
outstanding so that a long way to the server does not halve the rate, and ends the session when it
cannot be trusted any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Final, TypeAlias

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import struct_from_binary
from asyncua.ua.uaerrors import UaStatusCodeError

from gridctl.model.clock import Clock
from gridctl.model.errors import UnavailableError
from protocols.opcua.addresses import NodeAddress, Target
from protocols.opcua.codec import node_id, status_name
from protocols.opcua.connection import WIRE_ERRORS, Connection, reason_of
from protocols.opcua.methods import Methods
from protocols.opcua.settings import KEEPALIVE_COUNT, OpcUaSettings
from protocols.opcua.trace import WireLog
from protocols.opcua.wire import Publication, Sample, decode_publish
from protocols.traffic import Traffic

_ORPHAN_LIFE_S: Final = 60.0  # how long the server keeps a subscription that nobody asks for
_SILENCE_MAX_S: Final = 60.0  # a server that revises its keep-alive beyond this is refused
_PUBLISHERS: Final = 2
_EVERY_CHANGE: Final = 100  # queue of a point of which every single change counts
_KEPT_MAX: Final = 20_000  # changes kept back until `activate`
_OVERFLOW: Final = 0x480  # info bits of a value before which others were lost (OPC 10000-4 §7.39)
_SEQUENCE_MAX: Final = 2**32 - 1
HEALTHY: Final = 200
"""ServiceLevel from which on a server is whole (OPC 10000-4 §6.6.2.4.2)."""
_LEVEL_UNKNOWN: Final = 255

Report: TypeAlias = Callable[[Sequence[Sample]], None]


class Session:
    """A connected client with its subscription.

    `report` is called from the event loop with samples whose handle is the target's index;
    `refused` with (index, status code) for a target that the server does not let us monitor.
    Until `activate` samples are kept back: a session that is not in charge tells nothing. Of a
    point of which every change counts they are all kept, of the others the newest.
    """

    def __init__(
        self,
        settings: OpcUaSettings,
        url: str,
        targets: Sequence[Target],
        *,
        report: Report,
        refused: Callable[[int, int], None],
        clock: Clock,
        traffic: Traffic,
        trace: WireLog | None = None,
    ) -> None:
        self.connection = Connection(settings, url, clock=clock, traffic=traffic, trace=trace)
        self.methods = Methods(self.connection, targets)
        self._settings = settings
        self._targets = targets
        self._report = report
        self._refused = refused
        self._clock = clock
        self._kept: dict[int, Sample] | None = {}
        self._kept_changes: list[Sample] = []
        self._first_ticks: dict[int, int] = {}
        self._first_heard = asyncio.Event()
        self._kept_refusals: list[tuple[int, int]] = []
        self._subscription = 0
        self._handlers: dict[int, Callable[[Publication], None]] = {}
        self._sequences: dict[int, int] = {}
        self._acknowledge: list[ua.SubscriptionAcknowledgement] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._unmonitored: dict[int, int] = {}
        self._wanted: dict[int, ua.ReadValueId] | None = None
        self.ranged: set[int] = set()
        """Targets whose element the server picks itself; the others' arrays come whole."""
        self.alive_s = clock.monotonic_s()
        self.keepalive_s = settings.keepalive_s
        self.service_level = _LEVEL_UNKNOWN
        self.gaps = 0
        """Publish responses that never came, as told by their sequence numbers."""

    @property
    def url(self) -> str:
        return self.connection.url

    @property
    def is_lost(self) -> bool:
        return self.connection.is_lost

    @property
    def unmonitored(self) -> dict[int, int]:
        """Targets that the server refused to monitor, with its status: worth another try."""
        return self._unmonitored

    async def open(self) -> None:
        """Connect and subscribe to every target. Raises one of WIRE_ERRORS; the caller closes the
        session then too."""
        await self.connection.open()
        await self.read_service_level()
        self._subscription = await self.subscribe(self._on_values)
        await self._try_elements()
        await self._monitor(range(len(self._targets)))
        self.alive_s = self._clock.monotonic_s()

    async def first_changes(self, indices: Iterable[int], *, within_s: float) -> dict[int, int]:
        """Wait until each of these points of which every change counts has told its first value,
        or is refused, at most `within_s` seconds. The source times of those first values, in ticks:
        from there on the subscription brings every change. Those that were silent are left out."""
        wanted = set(indices)
        try:
            async with asyncio.timeout(within_s):
                while wanted - self._first_ticks.keys() - self._unmonitored.keys():
                    self._first_heard.clear()
                    await self._first_heard.wait()
        except TimeoutError:
            pass
        return {index: self._first_ticks[index] for index in wanted & self._first_ticks.keys()}

    def activate(self, choose: Callable[[list[Sample]], list[Sample]] = list) -> None:
        """From now on samples are told as they come, what came so far at once; of the changes that
        were kept those that `choose` lets pass."""
        kept, self._kept = self._kept, None
        changes, self._kept_changes = self._kept_changes, []
        for index, code in self._kept_refusals:
            self._refused(index, code)
        self._kept_refusals.clear()
        if told := [*choose(changes), *(kept or {}).values()]:
            self._report(told)

    async def close(self) -> None:
        """Let go within 3 s, whatever the server does; never raises one of WIRE_ERRORS."""
        for task in self._tasks:
            task.cancel()
        await self.connection.close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)

    async def subscribe(self, handler: Callable[[Publication], None]) -> int:
        """A subscription of its own whose publications `handler` gets."""
        publishing_ms = self._settings.publishing_ms
        request = ua.CreateSubscriptionRequest()
        request.Parameters = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=publishing_ms,
            RequestedLifetimeCount=max(
                3 * KEEPALIVE_COUNT, round(1000.0 * _ORPHAN_LIFE_S / publishing_ms)
            ),
            RequestedMaxKeepAliveCount=KEEPALIVE_COUNT,
            MaxNotificationsPerPublish=0,
            PublishingEnabled=True,
            Priority=0,
        )
        body = await self.connection.request(request)
        made = struct_from_binary(ua.CreateSubscriptionResponse, Buffer(body)).Parameters
        revised_s = made.RevisedPublishingInterval * made.RevisedMaxKeepAliveCount / 1000.0
        if revised_s > _SILENCE_MAX_S:
            raise UnavailableError(
                f"the server wants to stay silent for up to {revised_s:.0f} s, "
                f"{_SILENCE_MAX_S:.0f} s is the most that can be watched"
            )
        self.keepalive_s = max(revised_s, self.keepalive_s)
        self._handlers[made.SubscriptionId] = handler
        while len(self._tasks) < _PUBLISHERS:
            self._spawn(self._publish())
        return int(made.SubscriptionId)

    def node(self, address: NodeAddress) -> ua.NodeId | None:
        """As `Connection.node`."""
        return self.connection.node(address)

    async def read(self, nodes: Sequence[ua.NodeId]) -> list[Sample]:
        """As `Connection.read`."""
        return await self.connection.read(nodes)

    async def write(self, node: ua.NodeId, value: ua.DataValue) -> int:
        """As `Connection.write`."""
        return await self.connection.write(node, value)

    async def call(
        self, parent: ua.NodeId, method: ua.NodeId, arguments: Sequence[ua.Variant]
    ) -> int:
        """As `Connection.call`."""
        return await self.connection.call(parent, method, arguments)

    async def read_service_level(self) -> int:
        """How well the server feels (0 to 255); one that does not say counts as well."""
        (sample,) = await self.connection.read([node_id(ObjectIds.Server_ServiceLevel)])
        level = sample.value
        self.service_level = level if isinstance(level, int) else _LEVEL_UNKNOWN
        return self.service_level

    async def read_all(self) -> None:
        """Read every monitored target and report it: after a gap nobody knows what was missed."""
        if self._wanted is None:
            nodes = ((i, self.connection.node(t.node)) for i, t in enumerate(self._targets))
            self._wanted = {
                index: ua.ReadValueId(
                    NodeId=node, AttributeId=AttributeIds.Value, IndexRange=self._range(index)
                )
                for index, node in nodes
                if index not in self._unmonitored and node is not None
            }
        samples = await self.connection.read_values(list(self._wanted.values()))
        if len(self._wanted) != len(self._targets):  # some are refused: places are not indices
            samples = [
                one._replace(handle=index) for index, one in zip(self._wanted, samples, strict=True)
            ]
        self._take(samples)

    async def read_one(self, index: int) -> Sample | None:
        """One target, read now; None when the server's namespaces do not hold it."""
        node = self.connection.node(self._targets[index].node)
        if node is None:
            return None
        (sample,) = await self.connection.read([node], ranges=[self._range(index)])
        return sample._replace(handle=index)

    async def retry_unmonitored(self) -> None:
        """Try the refused targets again: a server may build its address space after its start."""
        await self.connection.resolve_namespaces()
        await self._monitor(list(self._unmonitored))

    async def find_method(
        self, address: NodeAddress, name: str
    ) -> tuple[ua.NodeId, ua.NodeId] | None:
        """As `Methods.find`."""
        return await self.methods.find(address, name)

    async def _try_elements(self) -> None:
        """Learn for each element of an array whether the server picks it: asyncua's server answers
        with the whole array, others refuse. Then the array comes whole and we pick."""
        asked = [
            (index, node)
            for index, target in enumerate(self._targets)
            if target.element and (node := self.connection.node(target.node)) is not None
        ]
        if not asked:
            return
        nodes = [node for _, node in asked]
        ranges = [ua.String(_range_text(self._targets[index].element)) for index, _ in asked]
        picked = await self.connection.read(nodes, ranges=ranges)
        whole = await self.connection.read(nodes)
        for (index, _), one, all_ in zip(asked, picked, whole, strict=True):
            honoured = one.status == StatusCodes.Good and _length(one.value) == 1
            if honoured and _length(all_.value) != 1:
                self.ranged.add(index)

    def _range(self, index: int) -> ua.String | None:
        """The element for the server to pick, None where the value comes whole."""
        return (
            ua.String(_range_text(self._targets[index].element)) if index in self.ranged else None
        )

    async def _monitor(self, indices: Iterable[int]) -> None:
        """Create monitored items for these targets; remember those that the server refused."""
        self._wanted = None
        asked: list[tuple[int, ua.NodeId]] = []
        for index in indices:
            node = self.connection.node(self._targets[index].node)
            if node is None:
                self._refuse(index, StatusCodes.BadNodeIdUnknown)
            else:
                asked.append((index, node))
        while asked:
            chunk = asked[: self.connection.limit("monitor")]
            items = [self._item(index, node) for index, node in chunk]
            try:
                results = await self.create_items(self._subscription, items)
            except UaStatusCodeError as error:
                if not self.connection.lower("monitor", error):
                    raise
                continue
            for (index, _), result in zip(chunk, results, strict=True):
                if result.StatusCode.is_good():
                    self._unmonitored.pop(index, None)
                else:
                    self._refuse(index, int(result.StatusCode.value))
            del asked[: len(chunk)]

    async def create_items(
        self, subscription: int, items: Sequence[ua.MonitoredItemCreateRequest]
    ) -> list[ua.MonitoredItemCreateResult]:
        """One CreateMonitoredItems; the caller chunks."""
        request = ua.CreateMonitoredItemsRequest()
        request.Parameters = ua.CreateMonitoredItemsParameters(
            SubscriptionId=ua.IntegerId(subscription),
            TimestampsToReturn=ua.TimestampsToReturn.Both,
            ItemsToCreate=list(items),
        )
        body = await self.connection.request(request)
        results = struct_from_binary(ua.CreateMonitoredItemsResponse, Buffer(body)).Results or []
        if len(results) != len(items):
            raise UnavailableError(f"{len(items)} items asked, {len(results)} answered")
        return list(results)

    def _refuse(self, index: int, code: int) -> None:
        self._unmonitored[index] = code
        if self._kept is None:
            self._refused(index, code)
        else:
            self._kept_refusals.append((index, code))

    def _item(self, index: int, node: ua.NodeId) -> ua.MonitoredItemCreateRequest:
        every_change = self._targets[index].row.soe
        return ua.MonitoredItemCreateRequest(
            ItemToMonitor=ua.ReadValueId(
                NodeId=node,
                AttributeId=AttributeIds.Value,
                IndexRange=self._range(index),
            ),
            MonitoringMode=ua.MonitoringMode.Reporting,
            # Queue of one: the newest value is the one that counts, as in our inbox. Where every
            # change counts: as fast as the server can (0), sampled between changes it misses some.
            RequestedParameters=ua.MonitoringParameters(
                ClientHandle=index,
                SamplingInterval=0.0 if every_change else self._settings.publishing_ms,
                QueueSize=_EVERY_CHANGE if every_change else 1,
                DiscardOldest=True,
            ),
        )

    async def _publish(self) -> None:
        """Keep one PublishRequest with the server until the session ends."""
        while not self.is_lost:
            request = ua.PublishRequest()
            request.Parameters.SubscriptionAcknowledgements = self._acknowledge
            self._acknowledge = []
            try:
                publication = decode_publish(await self.connection.request(request, timeout_s=0))
            except UaStatusCodeError as error:
                if error.code == StatusCodes.BadTooManyPublishRequests and len(self._tasks) > 1:
                    return  # it holds fewer than we offer; the other one goes on
                self.connection.give_up(f"publish: {status_name(error.code)}")
                return
            except WIRE_ERRORS as error:
                self.connection.give_up(f"publish: {reason_of(error)}")
                return
            self._heard(publication)

    def _heard(self, publication: Publication) -> None:
        """Every publish response, with values or without (keep-alive), is a proof of life."""
        self.alive_s = self._clock.monotonic_s()
        subscription = publication.subscription
        if publication.ended is not None:
            self.connection.give_up(f"subscription ended: {status_name(publication.ended)}")
            return
        if not publication.keepalive:
            self._acknowledge.append(
                ua.SubscriptionAcknowledgement(
                    SubscriptionId=ua.IntegerId(subscription),
                    SequenceNumber=ua.Counter(publication.sequence),
                )
            )
            last = self._sequences.get(subscription)
            self._sequences[subscription] = publication.sequence
            if last is not None and publication.sequence != _next(last):
                self.gaps += 1
                self._spawn(self._read_after_gap())
        handler = self._handlers.get(subscription)
        if handler is not None:
            handler(publication)

    async def _read_after_gap(self) -> None:
        try:
            await self.read_all()
        except WIRE_ERRORS as error:
            self.connection.give_up(f"reading after a gap: {reason_of(error)}")

    def _on_values(self, publication: Publication) -> None:
        if publication.samples:
            self._take(publication.samples)

    def _take(self, samples: Sequence[Sample]) -> None:
        kept = self._kept
        if kept is None:
            self._report(samples)
            return
        for one in samples:
            index = one.handle
            if index >= len(self._targets) or not self._targets[index].row.soe:
                kept[index] = one
                continue
            self._first_ticks.setdefault(index, one.source_ticks)
            if len(self._kept_changes) < _KEPT_MAX:
                self._kept_changes.append(one)
            else:  # the newest is told all the same, and that others were lost before it
                kept[index] = one._replace(status=one.status | _OVERFLOW)
        self._first_heard.set()

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A task that breaks ends the session, loudly: silence would be a dead link that lives."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.connection.give_up(f"bug: {reason_of(error)}")


def _next(sequence: int) -> int:
    return 1 if sequence >= _SEQUENCE_MAX else sequence + 1


def _range_text(element: tuple[int, ...]) -> str:
    return ",".join(str(one) for one in element)


def _length(value: object) -> int:
    """Values in an array, of all dimensions together; 0 for no array."""
    if not isinstance(value, list):
        return 0
    return sum(max(1, _length(one)) for one in value)
