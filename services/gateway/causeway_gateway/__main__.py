"""`causeway-gateway`: one gateway process."""

from __future__ import annotations

from causeway_common.runtime import arguments, run_service
from causeway_gateway.app import service


def main() -> None:
    """The console script."""
    run_service(service, arguments("causeway-gateway", "Terminates client connections.").parse_args())


if __name__ == "__main__":
    main()
