"""How a process runs: settings, lifecycle, health, fault points, clock and ids."""

from causeway_common.runtime.durations import Duration, format_duration, parse_duration
from causeway_common.runtime.faults import FAULT_POINTS, fault_point
from causeway_common.runtime.figures import LoopDelay, ProcessFigures, Telling
from causeway_common.runtime.health import Health
from causeway_common.runtime.ids import monotonic_ms, new_id, now_ms
from causeway_common.runtime.lifecycle import Lifecycle
from causeway_common.runtime.periodic import Periodic
from causeway_common.runtime.reload import ConfigWatch, HistoryNames, changed_keys
from causeway_common.runtime.service import Process, Service, StartError, arguments, run_service
from causeway_common.runtime.settings import (
    NatsSettings,
    ServiceSettings,
    Settings,
    SettingsError,
    SettingsFault,
    TelemetrySettings,
    load_settings,
)

__all__ = [
    "FAULT_POINTS",
    "ConfigWatch",
    "Duration",
    "Health",
    "HistoryNames",
    "Lifecycle",
    "LoopDelay",
    "NatsSettings",
    "Periodic",
    "Process",
    "ProcessFigures",
    "Service",
    "ServiceSettings",
    "Settings",
    "SettingsError",
    "SettingsFault",
    "StartError",
    "TelemetrySettings",
    "Telling",
    "arguments",
    "changed_keys",
    "fault_point",
    "format_duration",
    "load_settings",
    "monotonic_ms",
    "new_id",
    "now_ms",
    "parse_duration",
    "run_service",
]
