"""The `causeway` command: `dev` runs the whole system on this machine; `check` validates a configuration; the others use a running one."""

__version__ = "0.1.0"
