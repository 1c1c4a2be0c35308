"""A stand-in for a service: answers on its internal port, and does as it is told on the command line.

`standin_process.py PORT [stubborn] [unready] [noisy] [brood] [brief]`: ignores SIGTERM; is alive and never ready; prints more than a pipe
holds; has a child of its own and writes its process id; ends at once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

port, traits = int(sys.argv[1]), set(sys.argv[2:])


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(503 if "unready" in traits else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


print(
    "env",
    os.environ.get("CAUSEWAY_FAULT", "-"),
    os.environ.get("CAUSEWAY_PARENT_FD", "-"),
    "group",
    os.getpgid(0) == os.getpid(),
    flush=True,
)
if "brief" in traits:
    sys.exit(3)
if "stubborn" in traits:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: (print("bye", flush=True), os._exit(0)))
if "noisy" in traits:
    print("\n".join(["noise " * 20] * 5000), flush=True)
if "brood" in traits:
    child = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"])
    print("child", child.pid, flush=True)
ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
