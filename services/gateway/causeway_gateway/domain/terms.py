"""What a subscription is given of what it asks for, by its namespace's options and what its giver overrides."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from causeway_common.contracts.messages import NamespaceSpec, Override
from causeway_gateway.domain import access
from causeway_gateway.domain.protocol import DELTA_FOSSIL, SubscribeRequest

CACHE = "cache"


@dataclass(frozen=True, slots=True)
class Terms:
    """The negotiated options; `cache`: recovery gives the newest publication alone."""

    positioned: bool
    recoverable: bool
    presence: bool
    emits: bool
    watches: bool
    delta: bool
    cache: bool

    @property
    def whole(self) -> bool:
        """Whether nothing may be missed without a word."""
        return self.positioned and not self.cache


def overridden(spec: NamespaceSpec, override: Override | None) -> NamespaceSpec:
    """The namespace's options as they hold for one subscription."""
    if override is None:
        return spec
    changes = {name: value for name in Override.__struct_fields__ if (value := getattr(override, name)) is not None}
    return msgspec.structs.replace(spec, **changes) if changes else spec


def terms(spec: NamespaceSpec, request: SubscribeRequest, user: str, *, insecure: bool) -> Terms:
    """What a client that asks for `request` gets; what it may not have it silently does not get."""
    entitled = spec.has_history and access.may_read_history(spec, user, subscribed=True, insecure=insecure)
    recoverable = spec.has_history and (spec.force_recovery or (request.recoverable and entitled))
    sees = access.may_read_presence(spec, user, subscribed=True, insecure=insecure)
    return Terms(
        positioned=recoverable or (spec.has_history and (spec.force_positioning or (request.positioned and entitled))),
        recoverable=recoverable,
        presence=spec.presence,
        emits=spec.join_leave,
        watches=spec.join_leave and (spec.force_push_join_leave or (request.join_leave and sees)),
        delta=request.delta == DELTA_FOSSIL and DELTA_FOSSIL in spec.allowed_delta_types,
        cache=spec.force_recovery_mode == CACHE,
    )
