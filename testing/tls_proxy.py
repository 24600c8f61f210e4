"""HAProxy with the configuration of deploy/tls, before a running gateway."""

import grp
import os
import pwd
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from testing.machine import ROOT, free_port
from testing.waiting import PATIENCE

CONFIG = ROOT / "deploy" / "tls" / "haproxy.cfg"


class TlsProxy(NamedTuple):
    """A started HAProxy, and its ports for plain HTTP and for HTTPS, on which it may not listen yet."""

    process: subprocess.Popen[bytes]
    http_port: int
    https_port: int


@contextmanager
def started(gateway_port: int, config: Path = CONFIG, **variables: str) -> Iterator[TlsProxy]:
    """Run HAProxy during the block, with further `variables` of its configuration."""
    http_port, https_port = free_port(), free_port()
    environment = {
        **os.environ, "TLS_GATEWAY": f"127.0.0.1:{gateway_port}", "TLS_HTTP": f"127.0.0.1:{http_port}",
        "TLS_HTTPS": f"127.0.0.1:{https_port}", **_user(), **variables,
    }  # fmt: skip
    process = subprocess.Popen(["haproxy", "-db", "-f", str(config)], env=environment)
    try:
        yield TlsProxy(process, http_port, https_port)
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _user() -> dict[str, str]:
    """Return the variables of the user to run as: this one, but for root, which HAProxy gives up by itself."""
    if not os.geteuid():
        return {}
    user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
    return {"TLS_USER": user, "TLS_GROUP": group}
