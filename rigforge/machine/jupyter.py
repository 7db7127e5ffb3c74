"""JupyterLab as the user service starts it: when somebody connects, never without a token, and over HTTPS where others
can reach it.

The token is made once, in ~/.config/rigforge/jupyter-token; so is the certificate, beside it. docs/jupyter.md says
what they are for.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

#: Where it listens; a second user's takes the next free one of this many ports.
PORT, PORTS = 8888, 50

#: Days that a certificate is good for: the longest that Apple's systems accept
#: (https://support.apple.com/en-us/103769), and how long before its end a new one is made.
VALID, RENEWED = 825, 30

#: How long a first boot may take to get an address (seconds).
PATIENCE = 60

#: JupyterLab by another road than its program, with the number of the open socket before its arguments: it gets that
#: one where it would bind its port. And jsonschema would load a checker of IRIs, for which no schema of Jupyter's asks,
#: and which takes a second to start and 16 MiB.
LAB = """\
import os, socket, sys
sys.path[:] = filter(None, sys.path)
sys.modules["rfc3987_syntax"] = None
from tornado import netutil
listener, bind = socket.socket(fileno=int(sys.argv[1])), netutil.bind_sockets
os.set_inheritable(listener.fileno(), False)
listener.setblocking(False)
def bind_sockets(port, *rest, **more):
    return [listener.dup()] if port == listener.getsockname()[1] else bind(port, *rest, **more)
netutil.bind_sockets = bind_sockets
sys.argv[:2] = ["jupyter-lab"]
from jupyterlab.labapp import main
sys.exit(main())
"""

CERTIFICATE = """\
[req]
prompt = no
distinguished_name = subject
x509_extensions = extensions
[subject]
CN = {name}
[extensions]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = {names}
"""


def token_file(folder: Path) -> Path:
    """Returns the file with the token, which only its owner can read; an empty one gets a new token.

    Jupyter takes the file's whole content for the token, so it ends without a newline.
    """
    file = folder / "jupyter-token"
    token = ""
    with suppress(OSError, UnicodeDecodeError):
        token = file.read_text().strip()
    _write_secret(file, token or secrets.token_hex(24))
    return file


def _write_secret(file: Path, text: str) -> None:
    """Writes a file whole, at no moment readable by others."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    new.touch(0o600, exist_ok=False)
    new.write_text(text)
    new.replace(file)


def certificate(folder: Path) -> tuple[Path, Path]:
    """Returns certificate and key, in PEM; made anew where there is none that is good for `RENEWED` days.

    Raises CalledProcessError with openssl's own words in the journal.
    """
    certificate_file, key = folder / "jupyter.crt", folder / "jupyter.key"
    good = ["openssl", "x509", "-in", str(certificate_file), "-noout", "-checkend", str(RENEWED * 86400)]
    if key.exists() and subprocess.run(good, capture_output=True, check=False).returncode == 0:
        return certificate_file, key
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    configuration = CERTIFICATE.format(name=socket.gethostname(), names=", ".join(alternative_names(own_addresses())))
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    new = ["openssl", "req", "-x509", "-config", "/dev/stdin", "-days", str(VALID), *curve]
    files = ["-keyout", str(key), "-out", str(certificate_file)]
    subprocess.run([*new, *files], input=configuration, text=True, check=True, umask=0o077)
    return certificate_file, key


def alternative_names(addresses: Iterable[str]) -> list[str]:
    """Returns all that the machine is called, in openssl's words (x509v3_config(5)): its names, and its addresses."""
    host = socket.gethostname()
    names = dict.fromkeys([host, host.split(".")[0], f"{host.split('.')[0]}.local", socket.getfqdn(), "localhost"])
    return [*(f"DNS:{name}" for name in names), *(f"IP:{address}" for address in ("127.0.0.1", "::1", *addresses))]


def own_addresses() -> list[str]:
    """Returns the addresses by which the network knows this machine; waits for the first one."""
    end = time.monotonic() + PATIENCE
    while True:
        addresses = global_addresses(_ip("address", "show", "scope", "global"), _ip("route", "show", "default"))
        if addresses or time.monotonic() > end:
            return addresses
        time.sleep(1)


def global_addresses(interfaces: Iterable[dict[str, Any]], routes: Iterable[dict[str, Any]]) -> list[str]:
    """Returns the lasting addresses of the interfaces that lead out (of all, where no route does), not of bridges.

    >>> interfaces = [{"ifname": "eno1", "addr_info": [{"local": "192.0.2.7"}]},
    ...               {"ifname": "docker0", "addr_info": [{"local": "172.17.0.1"}]}]
    >>> global_addresses(interfaces, [{"dev": "eno1"}])
    ['192.0.2.7']
    """
    outward = {route["dev"] for route in routes if "dev" in route}
    return [
        address["local"]
        for interface in interfaces
        if not outward or interface.get("ifname") in outward
        for address in interface.get("addr_info", ())
        if "local" in address and not address.get("temporary")
    ]


def _ip(*question: str) -> list[dict[str, Any]]:
    answer = subprocess.run(["ip", "-json", *question], stdout=subprocess.PIPE, text=True, check=True)
    answers: list[dict[str, Any]] = json.loads(answer.stdout or "[]")
    return answers


def listen(address: str) -> socket.socket:
    """Returns a socket that listens on the first free port from `PORT` on, on all addresses of the machine for "".

    Raises OSError where none is free.
    """
    both = not address and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    for port in range(PORT, PORT + PORTS - 1):
        try:
            return socket.create_server((address, port), family=family, dualstack_ipv6=both)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    return socket.create_server((address, PORT + PORTS - 1), family=family, dualstack_ipv6=both)


def sleep(listener: socket.socket, token: str, *, secure: bool) -> None:
    """Waits for the first connection, known to `jupyter server list` as the server that is started by it.

    No version marks it as one that sleeps (rigforge.connect wakes it). The idle server would take 80 MiB.
    """
    port = listener.getsockname()[1]
    server = {
        "base_url": "/",
        "hostname": "localhost",
        "password": False,
        "pid": os.getpid(),
        "port": port,
        "root_dir": str(Path.cwd()),
        "secure": secure,
        "sock": "",
        "token": token,
        "url": f"{'https' if secure else 'http'}://localhost:{port}/",
        "version": "",
    }
    # jupyter_core.paths, jupyter_runtime_dir
    share = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share"
    data = os.environ.get("JUPYTER_DATA_DIR") or Path(share) / "jupyter"
    runtime = Path(os.environ.get("JUPYTER_RUNTIME_DIR") or Path(data) / "runtime")
    file = runtime / f"jpserver-{os.getpid()}.json"
    _write_secret(file, json.dumps(server, indent=2))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        select.select([listener], [], [])
    except BaseException:
        file.unlink(missing_ok=True)
        raise


def main() -> None:
    """Becomes JupyterLab, once somebody connects."""
    folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "rigforge"
    token = token_file(folder)
    os.environ["JUPYTER_TOKEN_FILE"] = str(token)
    lan = os.environ.pop("RIGFORGE_JUPYTER_LISTEN", "localhost") == "lan"
    if lan:
        certificate_file, key = certificate(folder)
        options = ["--ip=*", f"--certfile={certificate_file}", f"--keyfile={key}"]
    else:
        options = ["--ip=127.0.0.1"]
    listener = listen("" if lan else "127.0.0.1")
    sleep(listener, token.read_text(), secure=lan)
    listener.set_inheritable(True)
    handed = [str(listener.fileno()), "--no-browser", f"--port={listener.getsockname()[1]}"]
    os.execvp("python", ["python", "-c", LAB, *handed, *options])


if __name__ == "__main__":
    main()
