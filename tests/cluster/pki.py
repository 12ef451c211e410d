"""The certificates and keys of one control plane, made by openssl in a folder of its own."""

import dataclasses
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Final

_DAYS: Final = "30"
_CURVE: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
_SECONDS: Final = 60.0


@dataclasses.dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key."""

    certificate: Path
    key: Path


class Authority:
    """A certificate authority: `ca.crt` signs what it issues."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self.own = Pair(folder / "ca.crt", folder / "ca.key")
        _openssl(
            *("req", "-x509", *_CURVE, "-days", _DAYS, "-subj", "/CN=kubernetes-ca"),
            *("-addext", "keyUsage=critical,digitalSignature,keyCertSign,cRLSign"),
            *("-keyout", str(self.own.key), "-out", str(self.own.certificate)),
        )

    def issue_client(self, name: str, user: str, group: str = "") -> Pair:
        """A client certificate; Kubernetes reads the user from CN and the group from O."""
        subject = f"/O={group}/CN={user}" if group else f"/CN={user}"
        return self._issue(name, subject, "extendedKeyUsage=clientAuth\n")

    def issue_server(self, name: str, *alternative_names: str) -> Pair:
        """A serving certificate; the names are as openssl writes them, `IP:127.0.0.1` or `DNS:localhost`."""
        names = ",".join(alternative_names)
        return self._issue(name, f"/CN={name}", f"extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName={names}\n")

    def signing_key(self, name: str) -> Path:
        """An RSA key, for the tokens of ServiceAccounts."""
        path = self._folder / f"{name}.key"
        _openssl("genrsa", "-out", str(path), "2048")
        return path

    def client_context(self, pair: Pair | None = None) -> ssl.SSLContext:
        """What a client needs that trusts this authority, and shows a certificate of its own if it has one."""
        context = ssl.create_default_context(cafile=str(self.own.certificate))
        if pair:
            context.load_cert_chain(pair.certificate, pair.key)
        return context

    def _issue(self, name: str, subject: str, extensions: str) -> Pair:
        pair = Pair(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        request, extra = self._folder / f"{name}.csr", self._folder / f"{name}.ext"
        # Key identifiers: without them strict verifiers (Python 3.13) refuse the chain.
        extra.write_text(f"{extensions}subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
        _openssl("req", *_CURVE, "-subj", subject, "-keyout", str(pair.key), "-out", str(request))
        _openssl(
            *(
                "x509",
                "-req",
                "-days",
                _DAYS,
                "-in",
                str(request),
                "-extfile",
                str(extra),
                "-out",
                str(pair.certificate),
            ),
            *("-CA", str(self.own.certificate), "-CAkey", str(self.own.key), "-CAcreateserial"),
        )
        return pair


def _openssl(*arguments: str) -> None:
    program = shutil.which("openssl")
    if program is None:
        message = "openssl is missing: apt-get install openssl"
        raise FileNotFoundError(message)
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=_SECONDS)
    if done.returncode:
        message = f"openssl {' '.join(arguments)}: {done.stderr}"
        raise RuntimeError(message)
