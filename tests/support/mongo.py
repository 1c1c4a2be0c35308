"""MongoDB's wire for tests: a real one where there is one, else two stand-ins, so that no one's quirks become ours.

`CAUSEWAY_TEST_MONGODB_URI` names a real one; else a `mongod` on the PATH is started; else nx-27017 (PyPI) and mongo-java-server
(Maven Central) are. What the stand-ins cannot do stands in docs/storage.md.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from pymongo import MongoClient

from support.nats import free_port

HERE = Path(__file__).parent / "mongo_java_server"
JARS = Path(__file__).parents[2] / ".causeway" / "test" / "mongo-java-server"
URI = os.environ.get("CAUSEWAY_TEST_MONGODB_URI", "")
IN_CI = bool(os.environ.get("CI"))


def _run(*command: str | Path, name: str, told: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    directory = Path(tempfile.mkdtemp(prefix=f"causeway-{name}-"))
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=told, stderr=subprocess.DEVNULL, cwd=directory, bufsize=0)

    def end() -> None:
        process.kill()
        process.wait()
        shutil.rmtree(directory, ignore_errors=True)

    atexit.register(end)
    return process


def _answering(uri: str) -> str:
    end = time.monotonic() + 30
    while True:
        try:
            with MongoClient[dict[str, object]](uri, serverSelectionTimeoutMS=500) as client:
                client.admin.command("ping")
        except Exception:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return uri


def _mongod() -> str:
    port = free_port()
    _run("mongod", "--dbpath", ".", "--bind_ip", "127.0.0.1", "--port", str(port), "--replSet", "rs", name="mongod")
    uri = _answering(f"mongodb://127.0.0.1:{port}/?directConnection=true")
    with MongoClient[dict[str, object]](uri) as client:
        client.admin.command("replSetInitiate", {"_id": "rs", "members": [{"_id": 0, "host": f"127.0.0.1:{port}"}]})
        while not client.admin.command("hello").get("isWritablePrimary"):
            time.sleep(0.05)
    return f"mongodb://127.0.0.1:{port}/?replicaSet=rs"


def _nx_27017() -> str:
    port = free_port()
    _run(
        Path(sys.executable).with_name("nx-27017"),
        "--db",
        "memory",
        "-p",
        str(port),
        "--log-file",
        "log",
        "--pid-file",
        "pid",
        name="nx-27017",
    )
    return _answering(f"mongodb://127.0.0.1:{port}/")


def _jars_missing() -> str:
    """Why mongo-java-server cannot be started; "" where it can. Its jars are fetched where they are not here yet."""
    if not shutil.which("java"):
        return "mongo-java-server needs `java` (a JDK of 17 or newer)"
    if JARS.is_dir():
        return ""
    if not shutil.which("mvn"):
        return "mongo-java-server's jars are fetched by `mvn`, and it is not here"
    partly = JARS.with_name(f"{JARS.name}.{os.getpid()}")
    goal = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
    command = ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), goal, f"-DoutputDirectory={partly}"]
    try:
        subprocess.run(command, check=True, timeout=300, capture_output=True)
        partly.rename(JARS)
    except (OSError, subprocess.SubprocessError) as error:
        return "" if JARS.is_dir() else f"mongo-java-server's jars could not be fetched: {error}"
    return ""


def _mongo_java_server() -> str:
    if missing:
        reason = f"{missing}: the MongoDB adapter is tested on nx-27017 alone"
        if IN_CI:
            pytest.fail(reason)
        pytest.skip(reason)
    process = _run(
        "java",
        "-XX:TieredStopAtLevel=1",
        "-cp",
        f"{JARS}/*",
        HERE / "Launcher.java",
        name="mongo-java-server",
        told=subprocess.PIPE,
    )
    assert process.stdout is not None
    return _answering(f"mongodb://127.0.0.1:{int(process.stdout.readline())}/")


SERVERS: dict[str, Callable[[], str]] = (
    {"mongodb": lambda: URI}
    if URI
    else {"mongodb": _mongod}
    if shutil.which("mongod")
    else {"nx-27017": _nx_27017, "mongo-java-server": _mongo_java_server}
)

# While the tests are collected: fetching takes longer than a test may.
missing = _jars_missing() if "mongo-java-server" in SERVERS else ""


@cache
def server(name: str) -> str:
    """The URI of this server, without a database; started when it is asked for first, stopped with the tests."""
    return SERVERS[name]()
