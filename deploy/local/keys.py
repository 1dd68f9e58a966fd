"""The key files of a local installation: one master set, and a directory for each service with its own keys only.

`python -m deploy.local.keys DIRECTORY` creates what is missing there.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from chassis.privacy.key_files import make
from deploy.local.processes import KEYS

_OWN = "service"
"""Each service has its own request key, so that no service can recognise another's requests."""


def provide(directory: Path, wanted: Mapping[str, tuple[str, ...]]) -> None:
    """Create what is missing; existing keys are never touched, since sealed data would be lost with them."""
    master = directory / "master"
    make(master, sorted({name for names in wanted.values() for name in names if name != _OWN}))
    for service, names in wanted.items():
        own = directory / service
        make(own, [name for name in names if name == _OWN])
        for name in names:
            target = own / f"{name}.key"
            if not target.exists():
                shutil.copy2(master / f"{name}.key", target)
    _receipt_key(directory / "intake" / "receipt.pem")


def _receipt_key(path: Path) -> None:
    if path.exists():
        return
    part = path.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)


if __name__ == "__main__":
    provide(Path(sys.argv[1]), KEYS)
