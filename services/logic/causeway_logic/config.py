"""The settings of the runner: section `[logic]`, `CAUSEWAY_LOGIC_…`."""

from __future__ import annotations

from pydantic import Field

from causeway_common.runtime import Duration, ServiceSettings


class LogicSettings(ServiceSettings):
    """What an app's process may be told."""

    method_concurrency: int = Field(256, ge=1, le=10_000, description="calls of one method at once, beyond: 111 overloaded")
    hook_concurrency: int = Field(256, ge=1, le=10_000, description="calls of one hook at once, beyond: 111 overloaded")
    task_concurrency: int = Field(
        16, ge=1, le=10_000, description="runs of one task at once in this process, where it has no limit"
    )
    tasks_held: int = Field(
        256, ge=1, le=10_000, description="tasks that run or wait in this process at once, of all kinds together"
    )
    unhandled_after: Duration = Field(
        86_400_000, ge=1000, description="a task or event that no version of the app has had a handler for so long is dead"
    )
    announce_interval: Duration = Field(5000, ge=100, le=5000, description="how often the app's manifest is announced again")
    blocking_warning: Duration = Field(
        200,
        ge=0,
        description="a handler that keeps the event loop for so long is named in a warning with its stack; 0: nobody looks",
    )
