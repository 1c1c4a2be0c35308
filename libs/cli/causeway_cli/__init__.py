"""The `causeway` command: `dev` runs the whole system on this machine; `token`, `publish`, `call` and `tail` use a running one."""

__version__ = "0.1.0"
