"""`AppTester`: an app under test in this process, without a broker or a database; and `explore`, which looks for what breaks it."""

from causeway_testing.calls import Calls, MadeCall
from causeway_testing.errors import BrokenInvariantError, CallError, HarnessError, NothingCameError
from causeway_testing.explore import Explored, explore
from causeway_testing.faults import Faults
from causeway_testing.jobs import Job, TaskRecord
from causeway_testing.rooms import Received
from causeway_testing.tester import AppTester
from causeway_testing.users import Answered, Membership, Subscription, User

__version__ = "0.1.0"

__all__ = [
    "Answered",
    "AppTester",
    "BrokenInvariantError",
    "CallError",
    "Calls",
    "Explored",
    "Faults",
    "HarnessError",
    "Job",
    "MadeCall",
    "Membership",
    "NothingCameError",
    "Received",
    "Subscription",
    "TaskRecord",
    "User",
    "explore",
]
