"""The configuration file, followed while the process runs: what is valid is taken over, what is not is refused and told."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel

from causeway_common.contracts.messages import NamespaceSpec
from causeway_common.runtime.periodic import Periodic
from causeway_common.runtime.settings import SettingsError, SettingsFault
from causeway_common.telemetry import get_logger

T = TypeVar("T")
POLL_SECONDS: Final = 1.0
SETTLE_SECONDS: Final = 0.2
log = get_logger("runtime")


class ConfigWatch(Generic[T]):
    """Follows one file, by its content: a rename over it, a symbolic link that now leads elsewhere (Kubernetes) and a write in place count.

    A change is taken over once the file has stayed the same for `settle_s`, so that a half-written one is not read. SIGHUP reads the file
    at once, changed or not. A file that is refused is told once, and looked at again when it changes. What the file holds when this object
    is made counts as taken over.

    Args:
        path: the file; None: there is none, and nothing is followed.
        load: reads and validates the whole of it, in a thread. Raises SettingsError with every fault.
        apply: takes the new settings over, in the event loop. Raises SettingsError to refuse them, and has then changed nothing.
        interval_s: between two looks.
        settle_s: as said.
    """

    def __init__(
        self,
        path: Path | None,
        load: Callable[[], T],
        apply: Callable[[T], None],
        *,
        interval_s: float = POLL_SECONDS,
        settle_s: float = SETTLE_SECONDS,
    ) -> None:
        self._path, self._load, self._apply = path, load, apply
        self._interval, self._settle = interval_s, settle_s
        self._steps = Periodic("configuration", self._look, after_failure_s=interval_s)
        self._taken = self._fresh = _content(path) if path else None
        self._asked = False

    async def start(self) -> None:
        """Begin."""
        if self._path is None:
            return
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.reload)
        await self._steps.start()

    async def stop(self) -> None:
        """Follow no more."""
        if self._path is not None:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
            await self._steps.stop()

    def reload(self) -> None:
        """Read the file now, changed or not."""
        self._asked = True
        self._steps.wake()

    async def _look(self) -> float:
        """One look; the seconds until the next."""
        assert self._path is not None  # noqa: S101 - `start` sees to it
        content = await asyncio.to_thread(_content, self._path)
        if not self._asked:
            if content == self._taken:
                self._fresh = content
                return self._interval
            if content != self._fresh:
                self._fresh = content
                return self._settle
        self._asked = False
        # Before it is read: a change meanwhile is then another change.
        self._taken = self._fresh = content
        try:
            self._apply(await asyncio.to_thread(self._load))
        except SettingsError as error:
            for fault in error.faults:
                log.error("the changed configuration is refused, the former one stays", fault=str(fault))  # noqa: TRY400 - one line each
        else:
            log.info("the configuration was read again", file=str(self._path))
        return self._interval


def changed_keys(old: BaseModel, new: BaseModel, *, live: Iterable[str] = ()) -> list[str]:
    """The dotted keys whose values differ, without those below a key of `live`; never their values, which may be secrets."""
    skipped = tuple(live)
    return [key for key in _differing(old, new, "") if not any(key == part or key.startswith(f"{part}.") for part in skipped)]


class HistoryNames:
    """Which namespaces of the file have a history, from the first time that this process saw them: it never changes under one name.

    The publications of a name with history are in a log, those of one without are nowhere: its subscribers would miss them in silence.
    """

    def __init__(self, specs: Iterable[NamespaceSpec]) -> None:
        self._known = {spec.name: spec.has_history for spec in specs}

    def take(self, specs: Iterable[NamespaceSpec], place: str) -> None:
        """Note other namespaces.

        Args:
            specs: all of the file.
            place: the file, for the faults.

        Raises:
            SettingsError: one of them has changed its mind, also after it was gone for a while; nothing was noted.
        """
        seen = {spec.name: spec.has_history for spec in specs}
        faults = [
            SettingsFault(
                f"channel.namespaces.{name}" if name else "channel.without_namespace",
                place,
                f"{'has' if self._known[name] else 'has no'} history, which never changes under one name while the gateway runs: "
                "take another name, or restart every gateway",
            )
            for name, has_history in seen.items()
            if self._known.get(name, has_history) != has_history
        ]
        if faults:
            raise SettingsError(faults)
        self._known |= seen


def _differing(old: BaseModel, new: BaseModel, prefix: str) -> list[str]:
    keys: list[str] = []
    for name in type(old).model_fields:
        before: Any = getattr(old, name)
        after: Any = getattr(new, name)
        if isinstance(before, BaseModel) and isinstance(after, BaseModel):
            keys += _differing(before, after, f"{prefix}{name}.")
        elif before != after:
            keys.append(prefix + name)
    return keys


def _content(path: Path) -> bytes | None:
    """None where the file cannot be read: the settings' own reader says why."""
    try:
        return path.read_bytes()
    except OSError:
        return None
