"""Who may ask what. The caller's name comes from the subject, which NATS lets only that caller use; the body is never believed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from causeway_common.bus import Call
from causeway_common.contracts.errors import CausewayError, ErrorName, bad_request, unavailable
from causeway_common.contracts.messages import NewRecord
from causeway_common.contracts.names import is_identifier, namespace_of
from causeway_storage.domain.record import QUEUED_CALL, is_queued_call, scoped
from causeway_storage.ports import Apps

GATEWAY: Final = "gateway"
INTEGRATIONS: Final = "integrations"
OPERATOR: Final = "operator"
"""The command line, which only looks."""
OWN_INDEXES: Final = {(INTEGRATIONS, "webhook_endpoint"): frozenset({"hears"})}
"""By service and kind of its own entities, the indexes that it has without a manifest."""
SERVICES: Final = frozenset({GATEWAY, INTEGRATIONS, OPERATOR, "storage"})


class Access:
    """The rules, over the manifests as they are known."""

    def __init__(self, apps: Apps) -> None:
        self._apps = apps

    def service(self, call: Call, name: str) -> None:
        """Only this service. Raises CausewayError 103."""
        if call.fields["caller"] != name:
            raise _denied(f"only {name} asks this")

    def app(self, call: Call) -> str:
        """Only an app: its name. Raises CausewayError 103."""
        caller = call.fields["caller"]
        if caller in SERVICES or not is_identifier(caller):
            raise _denied("only apps ask this")
        return caller

    def keeper(self, call: Call) -> str:
        """Who keeps entities: an app, or integrations under its own name, which no app has. Raises CausewayError 103."""
        return INTEGRATIONS if call.fields["caller"] == INTEGRATIONS else self.app(call)

    def looks_at(self, call: Call, app: str) -> str:
        """The app whose entities the caller looks at: its own, or for the operator the one that it names. Raises CausewayError 103."""
        return app if call.fields["caller"] == OPERATOR else self.app(call)

    def operates(self, call: Call) -> None:
        """Only operators: the command line, and the gateway for those with a key of its API. Raises CausewayError 103."""
        if call.fields["caller"] not in (OPERATOR, GATEWAY):
            raise _denied("only operators ask this")

    def inspects(self, call: Call, app: str) -> str:
        """The app whose entities an operator sees in full; a service's own hold secrets. Raises CausewayError 103."""
        self.operates(call)
        if app in SERVICES:
            raise _denied(f"the entities of {app} are shown by its own operations alone")
        return app

    def desk(self, call: Call) -> None:
        """Who looks at records: the gateway for operators, integrations for replays. Raises CausewayError 103."""
        if call.fields["caller"] not in (GATEWAY, INTEGRATIONS):
            raise _denied("only operators ask this")

    def runner(self, call: Call) -> str:
        """Who runs records: integrations, told as "", or an app. Raises CausewayError 103."""
        return "" if call.fields["caller"] == INTEGRATIONS else self.app(call)

    def reaches(self, call: Call, channel: str) -> None:
        """The gateway reads and appends to every log, an app to those of its namespaces. Raises CausewayError 103, or 100 (as `owns`)."""
        if call.fields["caller"] != GATEWAY:
            self.owns(self.app(call), channel)

    def enqueues(self, call: Call, records: Sequence[NewRecord]) -> Sequence[NewRecord]:
        """The records that this caller may create: integrations any, the gateway calls that wait for their app, an app its own.

        Raises:
            CausewayError: 103.
        """
        if call.fields["caller"] == INTEGRATIONS:
            return records
        if call.fields["caller"] == GATEWAY:
            if not all(is_queued_call(record) for record in records):
                raise _denied(f"the gateway enqueues {QUEUED_CALL} alone")
            return records
        app = self.app(call)
        if strange := next((record.app for record in records if record.app != app), None):
            raise _denied(f"{app} enqueues for itself alone, not for {strange!r:.80}")
        return [scoped(record, app) for record in records]

    def owns(self, app: str, channel: str) -> None:
        """The channel's namespace is one that this app declares with history.

        Raises:
            CausewayError: 103; 100 unavailable while the app's manifest is not known here.
        """
        if app not in self._apps.manifests:
            raise unavailable(f"the manifest of {app} is not known to storage yet")
        owner, spec = self._apps.namespaces.get(namespace_of(channel), ("", None))
        if owner != app or spec is None or not spec.has_history:
            raise _denied(f"{app} declares no namespace with history for the channel {channel!r:.80}")

    def declares(self, app: str, kind: str, indexes: frozenset[str]) -> None:
        """The app declares these indexes for this kind of entity.

        Raises:
            CausewayError: 107; 100 unavailable while the app's manifest is not known here.
        """
        if indexes <= OWN_INDEXES.get((app, kind), frozenset()):
            return
        if app not in self._apps.manifests:
            raise unavailable(f"the manifest of {app} is not known to storage yet")
        if missing := indexes - set(self._apps.manifests[app].indexes.get(kind, ())):
            raise bad_request(f"{app} declares no index {min(missing)!r:.80} for {kind!r:.80}: a query needs one")


def _denied(why: str) -> CausewayError:
    return CausewayError(ErrorName.PERMISSION_DENIED, f"permission denied: {why}")
