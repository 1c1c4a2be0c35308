"""`causeway-integrations`: one process of the integrations service."""

from __future__ import annotations

from causeway_common.runtime import arguments, run_service
from causeway_integrations.app import SERVICE


def main() -> None:
    """The console script."""
    run_service(SERVICE, arguments("causeway-integrations", "Runs Causeway's integrations service.").parse_args())


if __name__ == "__main__":
    main()
