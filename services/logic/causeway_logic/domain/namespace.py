"""A namespace as an app declares it: its history, its options, its hooks. Faults are told where it is declared, all at once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from typing import Any, Final, Literal, TypedDict

import msgspec

from causeway_common.contracts.messages import HookFallbacks, NamespaceSpec
from causeway_common.runtime.durations import parse_duration
from causeway_logic.domain.channel_hooks import ChannelHooks, Fallback, Hook
from causeway_logic.domain.patterns import ChannelPattern

DELTA_TYPES: Final = ("fossil",)
RECOVERY_MODES: Final = ("stream", "cache")
SLOW_READERS: Final = ("close", "drop", "conflate")


class History:
    """That the channels of a namespace are logged: the newest `size` publications, each for `ttl` (`7d`, `12h`).

    `meta_ttl`: how long a quiet channel's position is remembered, at least `ttl`; storage's own time when left out.

    Raises:
        ValueError: a size or time below one, no duration, or a `meta_ttl` below `ttl`.
    """

    __slots__ = ("meta_ttl_ms", "size", "ttl_ms")

    def __init__(self, *, size: int, ttl: str, meta_ttl: str = "") -> None:
        self.size, self.ttl_ms = size, parse_duration(ttl)
        self.meta_ttl_ms = parse_duration(meta_ttl) if meta_ttl else 0
        if size < 1 or self.ttl_ms < 1:
            raise ValueError("a history needs a size and a time to live above zero")
        if meta_ttl and self.meta_ttl_ms < self.ttl_ms:
            raise ValueError("a history's meta_ttl is at least its ttl")


class NamespaceOptions(TypedDict, total=False):
    """A namespace's options; all off by default. The names and meanings are the configured namespaces'.

    `allow_…` is what clients may do without a hook being asked. `force_recovery_mode`: `stream` gives a returning client what it missed,
    `cache` the newest publication. `slow_reader`: `close`, `drop`, or `conflate` to the newest (per value of the tag `conflate_tag`).
    `publish_rate_limit`: publications of one connection in a second. `binary`: any bytes instead of JSON.
    """

    force_recovery: bool
    force_recovery_mode: Literal["stream", "cache"]
    force_positioning: bool
    presence: bool
    join_leave: bool
    force_push_join_leave: bool
    allow_subscribe_for_client: bool
    allow_subscribe_for_anonymous: bool
    allow_publish_for_client: bool
    allow_publish_for_anonymous: bool
    allow_publish_for_subscriber: bool
    allow_history_for_client: bool
    allow_history_for_anonymous: bool
    allow_history_for_subscriber: bool
    allow_presence_for_client: bool
    allow_presence_for_anonymous: bool
    allow_presence_for_subscriber: bool
    allow_user_limited_channels: bool
    allow_tags_filter: bool
    allowed_delta_types: list[str]
    delta_publish: bool
    channel_regex: str
    binary: bool
    publish_rate_limit: int
    slow_reader: Literal["close", "drop", "conflate"]
    conflate_tag: str
    lifecycle_events: bool
    occupancy_events: bool


class Namespace(ChannelHooks):
    """A namespace of an app. Made by `App.namespace`.

    Raises:
        ValueError: an option that is not known, has a value of the wrong kind, or contradicts another.
    """

    def __init__(self, name: str, history: History | None, options: Mapping[str, Any], services: Collection[Any] = ()) -> None:
        super().__init__(f"the namespace {name}", services)
        self.name, self.history = name, history
        self.patterns: list[ChannelPattern] = []
        self._spec = _spec(name, history, options)

    @property
    def binary(self) -> bool:
        """Whether its publications are any bytes instead of JSON."""
        return self._spec.binary

    def channel(self, pattern: str, *, message: Any = None) -> ChannelPattern:
        """Declare a family of this namespace's channels: `namespace.channel("{lot_id}", message=LotMessage)` is `lot:{lot_id}`.

        A channel of a namespace with families belongs to the first that it fits; one that fits none does not exist (102). A family's own
        hooks are asked in the place of the namespace's.

        Args:
            pattern: what stands behind the namespace: literal text and fields.
            message: the type of every message there: what is published is checked.

        Raises:
            ValueError: a pattern of another form.
            TypeError: a message of a type that pydantic does not know.
        """
        made = ChannelPattern(self.name, pattern, message, self._services)
        self.patterns.append(made)
        return made

    def family(self, id: str) -> tuple[ChannelPattern, Mapping[str, str]] | None:
        """The family of a channel of this namespace (`id` is what stands behind the namespace), and its fields' values."""
        for pattern in self.patterns:
            if (values := pattern.match(id)) is not None:
                return pattern, values
        return None

    def spec(self) -> NamespaceSpec:
        """The namespace as the manifest announces it. Raises ValueError where its families' hooks differ in their fallback."""
        owners: tuple[ChannelHooks, ...] = (self, *self.patterns)
        subscribe = [owner.subscribe_hook for owner in owners if owner.subscribe_hook]
        sub_refresh = [owner.sub_refresh_hook for owner in owners if owner.sub_refresh_hook]
        publish = [owner.publish_hook for owner in owners if owner.publish_hook]
        return msgspec.structs.replace(
            self._spec,
            subscribe_hook=bool(subscribe),
            sub_refresh_hook=bool(sub_refresh),
            publish_hook=bool(publish),
            fallbacks=HookFallbacks(
                subscribe=self._fallback("subscribe", subscribe),
                sub_refresh=self._fallback("sub_refresh", sub_refresh),
                publish=self._fallback("publish", publish),
            ),
        )

    def _fallback(self, what: str, hooks: list[Hook]) -> Fallback:
        found = {hook.when_unavailable for hook in hooks} or {"error"}
        if len(found) > 1:
            raise ValueError(f"the {what} hooks of {self.name} differ in when_unavailable: gateways know it by namespace")
        return found.pop()


def _spec(name: str, history: History | None, options: Mapping[str, Any]) -> NamespaceSpec:
    faults = [_unknown(option) for option in options if option not in NamespaceOptions.__annotations__]
    kept: dict[str, Any] = {"name": name}
    if history is not None:
        kept |= {"history_size": history.size, "history_ttl_ms": history.ttl_ms, "history_meta_ttl_ms": history.meta_ttl_ms}
    for option, value in options.items():
        if option in NamespaceOptions.__annotations__:
            try:
                msgspec.convert({"name": name, option: value}, NamespaceSpec)
            except msgspec.ValidationError as error:
                faults.append(f"{option}: {error}".partition(" - at")[0])
            else:
                kept[option] = value
    spec = NamespaceSpec(**kept)
    faults += contradictions(spec)
    if faults:
        raise ValueError(f"the namespace {name} cannot be declared like this: {'; '.join(faults)}")
    return spec


def _unknown(option: str) -> str:
    near = difflib.get_close_matches(option, NamespaceOptions.__annotations__, n=1)
    return f"there is no option {option}" + (f", did you mean {near[0]}?" if near else "")


def contradictions(spec: NamespaceSpec) -> list[str]:
    """What is wrong with the options of a namespace, one sentence each; empty where they fit together."""
    on = {name for name in NamespaceOptions.__annotations__ if getattr(spec, name)}
    history = {"force_recovery", "force_positioning", *(name for name in on if name.startswith("allow_history_"))}
    presence = {name for name in on if name.startswith("allow_presence_")}
    told = [f"{name} needs a history" for name in sorted(on & history) if not spec.has_history]
    told += [f"{name} needs presence or join_leave" for name in sorted(presence) if not (spec.presence or spec.join_leave)]
    rules = (
        (
            spec.force_recovery_mode not in RECOVERY_MODES,
            f"force_recovery_mode is one of {', '.join(RECOVERY_MODES)}, got {spec.force_recovery_mode!r}",
        ),
        (spec.force_recovery_mode == "cache" and not spec.has_history, "force_recovery_mode cache needs a history"),
        (spec.force_push_join_leave and not spec.join_leave, "force_push_join_leave needs join_leave"),
        (
            not set(spec.allowed_delta_types) <= set(DELTA_TYPES),
            f"allowed_delta_types may hold {', '.join(DELTA_TYPES)}, got {spec.allowed_delta_types!r}",
        ),
        (spec.delta_publish and not spec.allowed_delta_types, 'delta_publish needs allowed_delta_types=["fossil"]'),
        (spec.slow_reader not in SLOW_READERS, f"slow_reader is one of {', '.join(SLOW_READERS)}, got {spec.slow_reader!r}"),
        (
            spec.slow_reader != "close"
            and (spec.force_positioning or (spec.force_recovery and spec.force_recovery_mode == "stream")),
            "slow_reader must be close where subscriptions are positioned, or recoverable but for the mode cache",
        ),
        (spec.conflate_tag != "" and spec.slow_reader != "conflate", "conflate_tag needs slow_reader conflate"),
        (spec.publish_rate_limit < 0, "publish_rate_limit is 0 (none) or above"),
    )
    told += [sentence for wrong, sentence in rules if wrong]
    try:
        re.compile(spec.channel_regex)
    except re.error as error:
        told.append(f"channel_regex is no regular expression: {error}")
    return told
