"""The composition root: builds integrations and wires it. No logic."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from causeway_common.bus import Bus, Call, DeliveryInfo, DurableConsumer
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import CallReply, CallRequest, JobDelivery
from causeway_common.contracts.subjects import JOB, JOBS_STREAM
from causeway_common.contracts.verbs import CALL, JWKS, WEBHOOKS
from causeway_common.runtime import Periodic, Process, Service, StartError, Telling, now_ms
from causeway_integrations import __version__
from causeway_integrations.adapters import plugins
from causeway_integrations.adapters.apps import EventsOfApps
from causeway_integrations.adapters.attachments import FetchedAttachments
from causeway_integrations.adapters.breakers import SharedBreakers
from causeway_integrations.adapters.endpoints import CheckedDestinations, EntityEndpoints
from causeway_integrations.adapters.hooks import HooksServer
from causeway_integrations.adapters.http import OutsideHttp
from causeway_integrations.adapters.mail import FolderMailer, JinjaTemplates, NoTemplates, SmtpMailer
from causeway_integrations.adapters.payments import StripeProvider, TestProvider
from causeway_integrations.adapters.records import BusRecords
from causeway_integrations.adapters.schedule import TenacitySchedule
from causeway_integrations.adapters.secrets import SecretFiles
from causeway_integrations.adapters.vault import Vault
from causeway_integrations.config import IntegrationsSettings, WebhookSettings
from causeway_integrations.domain import inbound, webhook
from causeway_integrations.domain.breaker import Breaker
from causeway_integrations.domain.inbound import Source
from causeway_integrations.domain.permissions import Permissions
from causeway_integrations.domain.secrets import Redactor
from causeway_integrations.domain.slots import Slots
from causeway_integrations.handlers import apis
from causeway_integrations.handlers.apis import ApiOperation, ApisConnector
from causeway_integrations.handlers.calls import Calls
from causeway_integrations.handlers.email import EmailConnector
from causeway_integrations.handlers.endpoints import EndpointOperations
from causeway_integrations.handlers.health import EndpointHealth
from causeway_integrations.handlers.hooks import Hooks, InboundConnector
from causeway_integrations.handlers.jobs import Jobs
from causeway_integrations.handlers.jwks import Jwks
from causeway_integrations.handlers.payments import PaymentsConnector
from causeway_integrations.handlers.poison import keep_poison
from causeway_integrations.handlers.repeats import Repeats
from causeway_integrations.handlers.replays import Replays
from causeway_integrations.handlers.sealing import Sealing
from causeway_integrations.handlers.webhook import WebhookConnector
from causeway_integrations.ports import Connector
from causeway_integrations.ports.kit import ATTEMPT_MS, Kit, nowhere
from causeway_integrations.ports.payments import Provider

ATTEMPT_MARGIN_MS: Final = 1000
LEASE_MARGIN_MS: Final = 5000
STORE_MS: Final = 5000
"""An attempt that only talks to storage."""
REPLAY_MS: Final = 10_000
"""One part of a replay, a few hundred records: a process that dies in it holds it up no longer than this and the margin."""
ACK_WAIT_S: Final = 30.0
"""A delivery of which nothing was heard for so long comes again; those under way are told of."""
CALLS_AT_ONCE: Final = 1000
QUEUE: Final = "integrations"
USER_AGENT: Final = f"causeway-integrations/{__version__}"


def build(settings: IntegrationsSettings, process: Process) -> None:
    """Add the parts of the process to its lifecycle."""
    parts = _Parts(settings, process)
    connectors = {each.name: each for each in parts.connectors()}
    permissions = Permissions(settings.permissions)
    longest_ms = max(STORE_MS, *(each.attempt_ms for each in connectors.values()))
    slots = Slots(settings.per_destination)
    shares = Slots(max(settings.concurrency * 3 // 4, 1), slow=False)
    jobs = Jobs(
        parts.records,
        connectors,
        permissions,
        slots,
        now_ms,
        lease_ms=LEASE_MARGIN_MS,
        shares=shares,
        redact=parts.sent.redact,
    )
    calls = Calls(connectors, permissions, Slots(settings.calls_per_destination), now_ms, parts.sent.redact)
    jwks = Jwks(parts.webhooks_out, settings.jwks.urls)
    bus = parts.bus

    async def handle(delivery: JobDelivery, info: DeliveryInfo) -> None:
        fields = JOB.fields(info.subject)
        await jobs.handle(delivery, fields["connector"], fields["op"])

    async def call(request: CallRequest, asked: Call) -> CallReply:
        answer = parts.endpoints.call if asked.fields["connector"] == WEBHOOKS else calls.call
        return await answer(request, asked)

    async def keep(body: bytes, info: DeliveryInfo) -> None:
        await keep_poison(parts.records, info.subject, body)

    async def serve() -> None:
        keys = bus.endpoint(JWKS, jwks.fetch, limit=settings.concurrency)
        await bus.serve(
            CALL, call, queue=QUEUE, limit=CALLS_AT_ONCE, elsewhere=lambda fields: keys if fields["connector"] == "jwks" else None
        )

    consumer = DurableConsumer(
        bus,
        stream=JOBS_STREAM,
        durable=QUEUE,
        subject=JOB.wildcard(),
        message=JobDelivery,
        handler=handle,
        concurrency=settings.concurrency,
        ack_wait_s=ACK_WAIT_S,
        in_progress=True,
        poison=keep,
    )
    process.lifecycle.add("calls", serve, bus.stop_serving)
    process.lifecycle.add("jobs", consumer.start, consumer.stop, stop_seconds=(longest_ms + LEASE_MARGIN_MS) / 1000)
    parts.add_hooks()
    process.health.check("bus", lambda: bus.connected)
    process.health.check("jobs", lambda: consumer.ready)


@dataclass(frozen=True, slots=True)
class _Test:
    """The test provider's own source: its secret is this process's alone."""

    source: Source
    secret: str


class _Parts:
    """The parts of a process, each added to its lifecycle in the order in which they are made."""

    def __init__(self, settings: IntegrationsSettings, process: Process) -> None:
        self._settings, self._process = settings, process
        self.bus = Bus(process.bus_settings())
        self.records = BusRecords(self.bus, process.node)
        self._secrets = SecretFiles()
        self._vault = _vault(settings.webhook, self._secrets)
        self.sent = Redactor(self._secrets.reveal)
        self._apps = EventsOfApps(self.bus, now_ms)
        self._breakers = SharedBreakers(self.bus)
        self._book = EntityEndpoints(self.bus)
        self._repeats = Repeats(self.records, self._book, window_ms=settings.hooks.tolerance)
        self._test = self._test_source()
        process.lifecycle.add("bus", self.bus.start, self.bus.stop)
        telling = Telling(self.bus, service=QUEUE, node=process.node, version=__version__)
        process.lifecycle.add("figures", telling.start, telling.stop)
        self.webhooks_out = self._outside("http", settings.webhook.timeout, settings.webhook.allow_hosts)
        self._apis_out = self._outside("apis", settings.webhook.timeout, settings.http.allow_hosts)

    def connectors(self) -> Iterable[Connector]:
        """All that are configured."""
        yield self._webhook()
        yield self._http()
        yield self._inbound()
        if self._settings.email.enabled:
            yield self._email()
        if self._settings.payments.provider:
            yield self._payments()
        yield from self._plugins()
        self._process.lifecycle.add("breakers", self._breakers.start, self._breakers.stop)
        self._process.lifecycle.add("apps", self._apps.start, self._apps.stop)

    def add_hooks(self) -> None:
        """The listener of inbound webhooks, where it is configured."""
        settings = self._settings.hooks
        if not settings.port:
            return
        sources = self._sources()
        hooks = Hooks(sources, self.records, self._apps, self._repeats, reveal=self._secrets.reveal, now_ms=now_ms)
        server = HooksServer(hooks, host=settings.host, port=settings.port, max_body=settings.max_body)
        self._process.lifecycle.add("hooks", server.start, server.stop)
        self._process.health.check("apps", lambda: self._apps.ready)

    def _sources(self) -> Mapping[str, Source]:
        sources = {each.name: each.source(self._settings.hooks.tolerance) for each in self._settings.sources}
        if self._test is not None:
            if self._test.source.name in sources:
                raise StartError(f"payments.source {self._test.source.name!r} is one of integrations.sources: name another one")
            sources[self._test.source.name] = self._test.source
        return sources

    def _test_source(self) -> _Test | None:
        payments = self._settings.payments
        if payments.provider != "test" or not self._settings.hooks.port:
            return None
        secret = secrets.token_urlsafe(32)
        return _Test(Source(payments.source, "stripe", [secret], self._settings.hooks.tolerance), secret)

    def _webhook(self) -> Connector:
        settings = self._settings.webhook
        endpoints = tuple(each.endpoint() for each in settings.endpoints)
        book = self._book
        health = EndpointHealth(book, self._breakers, book, now_ms=now_ms, disable_after_ms=settings.disable_after)
        made = WebhookConnector(
            endpoints,
            self.records,
            self.webhooks_out,
            self._breakers,
            now_ms=now_ms,
            reveal=self._vault.reveal,
            book=book,
            health=health,
            rates=book,
            max_payload=settings.max_payload,
        )
        destinations = CheckedDestinations(_hosts(settings.allow_hosts))
        self.endpoints = EndpointOperations(
            book, made, self.records, destinations, self._vault, now_ms=now_ms, random=secrets.token_bytes
        )
        telling = Periodic("health of endpoints", health.step, after_failure_s=1)
        self._process.lifecycle.add("health of endpoints", telling.start, telling.stop)
        if self._vault.seals:
            sealing = Periodic("sealing of secrets", Sealing(book, self._vault).step, after_failure_s=5)
            self._process.lifecycle.add("sealing of secrets", sealing.start, sealing.stop)
        self._breakers.hear(webhook.CONNECTOR, {each.id: None for each in endpoints}, made.heard)
        schedule = TenacitySchedule(settings.retry_schedule)
        replays = Replays(book, self.records)
        return Connector(
            webhook.CONNECTOR,
            {**made.operations(), webhook.REPLAY: replays.replay, webhook.DISABLED: health.announce},
            schedule,
            settings.timeout + ATTEMPT_MARGIN_MS,
            made.destination,
            limits_ms={webhook.EVENT: STORE_MS, webhook.REPLAY: REPLAY_MS, webhook.DISABLED: STORE_MS},
        )

    def _http(self) -> Connector:
        found: dict[str, ApiOperation] = {}
        schedules = {}
        for each in self._settings.apis:
            breaker = Breaker(failures=each.breaker_failures, pause_ms=each.breaker_pause)
            retries = TenacitySchedule(each.retries)
            found[each.name] = ApiOperation(
                each.api(), self._apis_out, breaker, self._breakers, retries=retries, reveal=self.sent.reveal, now_ms=now_ms
            )
            schedules[each.name] = TenacitySchedule(each.retry_schedule)
        made = ApisConnector(found)
        self._breakers.hear(apis.CONNECTOR, found, made.heard)
        attempt_ms = max((each.timeout for each in self._settings.apis), default=0) + ATTEMPT_MARGIN_MS
        return Connector(apis.CONNECTOR, made.operations(), TenacitySchedule([0]), attempt_ms, made.destination, schedules)

    def _inbound(self) -> Connector:
        made = InboundConnector(self.records, self._apps)
        schedule = TenacitySchedule(self._settings.hooks.unclaimed_schedule)
        operations = {**made.operations(), **self._repeats.operations()}
        return Connector(inbound.CONNECTOR, operations, schedule, STORE_MS, nowhere)

    def _email(self) -> Connector:
        settings = self._settings.email
        mailer = (
            FolderMailer(settings.folder)
            if settings.folder
            else SmtpMailer(
                host=settings.host,
                port=settings.port,
                tls=settings.tls,
                username=settings.username,
                password=settings.password.get_secret_value(),
                timeout_s=settings.timeout / 1000,
                reveal=self.sent.reveal,
                ca_file=settings.ca_file,
            )
        )
        templates = JinjaTemplates(settings.templates) if settings.templates else NoTemplates()
        attachments = FetchedAttachments(
            self._outside("attachments", settings.timeout, settings.allow_hosts),
            hosts=_hosts(settings.attachment_hosts),
            folder=settings.attachment_folder,
            each_max=settings.attachment_max,
            all_max=settings.attachments_max,
            timeout_s=settings.timeout / 1000,
            now_ms=now_ms,
        )
        made = EmailConnector(mailer, templates, attachments, self.records, sender=settings.sender, domain=settings.domain)
        schedule = TenacitySchedule(settings.retry_schedule)
        return Connector("email", made.operations(), schedule, 2 * settings.timeout + ATTEMPT_MARGIN_MS, nowhere)

    def _payments(self) -> Connector:
        settings = self._settings.payments
        made = PaymentsConnector(self._provider())
        schedule = TenacitySchedule(settings.retry_schedule)
        return Connector("payments", made.operations(), schedule, settings.timeout + ATTEMPT_MARGIN_MS, nowhere)

    def _plugins(self) -> Iterable[Connector]:
        taken = {webhook.CONNECTOR, apis.CONNECTOR, inbound.CONNECTOR, "email", "payments", "jwks", WEBHOOKS}
        for name, section in self._settings.connectors.items():
            settings, allowed = plugins.split(name, section)
            http = self._outside(f"http of {name}", ATTEMPT_MS, allowed)
            add = partial(self._process.lifecycle.add, name)
            kit = Kit(http, self.sent.reveal, TenacitySchedule, now_ms, add)
            yield plugins.load(name, settings, kit, taken)

    def _provider(self) -> Provider:
        settings = self._settings.payments
        if settings.provider == "test":
            hooks = self._settings.hooks
            outside = OutsideHttp(timeout_s=5, allowed=frozenset({hooks.host}), connections=8, user_agent=USER_AGENT)
            self._process.lifecycle.add("payments", outside.start, outside.stop)
            url = f"http://{hooks.host}:{hooks.port}/hooks/{settings.source}" if self._test else ""
            return TestProvider(
                outside, url=url, secret=self._test.secret if self._test else "", folder=settings.folder, now_ms=now_ms
            )
        provider = StripeProvider(
            api_key=settings.api_key.get_secret_value(),
            base_url=settings.base_url,
            timeout_s=settings.timeout / 1000,
            allowed=_hosts(settings.allow_hosts),
            connections=self._settings.concurrency,
            user_agent=USER_AGENT,
            reveal=self.sent.reveal,
        )
        self._process.lifecycle.add("payments", provider.start, provider.stop)
        return provider

    def _outside(self, name: str, timeout_ms: int, allowed: Iterable[str]) -> OutsideHttp:
        made = OutsideHttp(
            timeout_s=timeout_ms / 1000,
            allowed=_hosts(allowed),
            connections=self._settings.concurrency + self._settings.calls_per_destination,
            user_agent=USER_AGENT,
        )
        self._process.lifecycle.add(name, made.start, made.stop)
        return made


def _vault(settings: WebhookSettings, files: SecretFiles) -> Vault:
    key, previous = settings.secrets_key.get_secret_value(), settings.previous_secrets_key.get_secret_value()
    made = Vault(files.reveal, key, previous)
    try:
        made.check()
    except (CausewayError, ValueError) as error:
        raise StartError(f"integrations.webhook.secrets_key: {error}") from error
    return made


def _hosts(names: Iterable[str]) -> frozenset[str]:
    return frozenset(host.lower().strip("[]") for host in names)


SERVICE: Final = Service("integrations", "integrations", __version__, IntegrationsSettings, "integrations", build)
