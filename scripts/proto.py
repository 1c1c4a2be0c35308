"""Makes causeway_client_pb2.py from causeway_client.proto; needs grpcio-tools, which nothing else does: `pip install grpcio-tools` first."""

from __future__ import annotations

import sys
from pathlib import Path

FRAMES = Path(__file__).parents[1] / "services/gateway/causeway_gateway/domain/frames"


def main() -> None:
    """Generate the module and its types beside the .proto."""
    from grpc_tools import protoc  # noqa: PLC0415 - installed only where this is run

    sys.exit(
        protoc.main(
            ["protoc", f"-I{FRAMES}", f"--python_out={FRAMES}", f"--pyi_out={FRAMES}", str(FRAMES / "causeway_client.proto")]
        )
    )


if __name__ == "__main__":
    main()
