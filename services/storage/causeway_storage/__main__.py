"""`causeway-storage`: one process of the storage service, or an operation on its database."""

from __future__ import annotations

import sys

from causeway_common.runtime import arguments, run_service
from causeway_storage.app import SERVICE
from causeway_storage.operations import OPERATIONS, operations


def main() -> None:
    """The console script."""
    if sys.argv[1:2] and sys.argv[1] in OPERATIONS:
        operations(prog_name="causeway-storage")
        return
    parser = arguments("causeway-storage", "Runs Causeway's storage service.")
    parser.epilog = f"Operations on its database: causeway-storage {{{','.join(sorted(OPERATIONS))}}} --help"
    run_service(SERVICE, parser.parse_args())


if __name__ == "__main__":
    main()
