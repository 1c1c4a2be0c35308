"""Runs a command that ends when its parent does, by SIGKILL and however the parent ends (Linux; elsewhere it only runs it).

A program of its own, `python -I -S tether.py PARENT COMMAND [ARGUMENT ...]`: the call must be made in the child, between fork and exec,
and a function there (`preexec_fn`) is unsafe beside threads. Imports nothing of ours and keeps its process id.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Become the command. `arguments[0]` is the parent's process id."""
    if sys.platform == "linux":
        if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
        if os.getppid() != int(arguments[0]):  # it ended before the call, which then never fires
            sys.exit(1)
    os.execv(arguments[1], arguments[1:])  # noqa: S606 - the command is the supervisor's own


if __name__ == "__main__":
    main(sys.argv[1:])
