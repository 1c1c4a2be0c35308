"""What an operator does with a database beside serving it: check, export, import, restored, backup."""

from causeway_storage.operations.commands import OPERATIONS, operations

__all__ = ["OPERATIONS", "operations"]
