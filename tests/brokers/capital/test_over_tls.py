"""Names and certificates that are not in order, on real sockets: nothing is sent, nothing is spoken in the clear."""

import json
import subprocess
import sys

import pytest

from tests.faults.measure import measured
from tests.joectl.running import environment

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def openssl(folder, *words):
    """Run it in a folder."""
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=60)


def certificate(folder, name, host, days="2"):
    """Make a certificate for a host, of the authority that is trusted here."""
    openssl(folder, "req", *KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={host}")
    (folder / "names").write_text(f"subjectAltName=DNS:{host}")
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-extfile", "names")
    openssl(folder, "x509", "-req", "-in", f"{name}.csr", *signed, "-days", days, "-out", f"{name}.pem")


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Give what an order met at each of the servers, as a process sees it that trusts one authority."""
    folder = tmp_path_factory.mktemp("tls")
    for name in ("ca", "own"):
        openssl(folder, "req", "-x509", *KEY, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", "/CN=localhost")
    certificate(folder, "sound", "localhost")
    certificate(folder, "expired", "localhost", days="-1")
    certificate(folder, "other", "elsewhere.example")
    where = environment(SSL_CERT_FILE=str(folder / "ca.pem"))
    command = [sys.executable, "-m", "tests.brokers.capital.over_tls", str(folder)]
    done = subprocess.run(command, env=where, capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


def test_f50_a_server_whose_certificate_is_in_order_is_spoken_to(told):
    """So that the others are refused for what is wrong with them."""
    assert told["sound"] == ["", "", 1, True]


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("expired", "no connection: certificate has expired"),
        ("another's", "no connection: Hostname mismatch, certificate is not valid for 'localhost'."),
        ("of nobody", "no connection: self-signed certificate"),
        ("plain", "no connection: "),
        ("no name", "no connection: "),
    ],
)
def test_f50_nothing_is_sent_where_a_name_or_a_certificate_is_not_in_order(told, what, words):
    """NotSent, said in words; the order was never permitted, no token left, and nobody fell back to plain words."""
    kind, said, permits, leaked = told[what]

    assert (kind, permits, leaked) == ("NotSent", 0, False)
    assert said.startswith(words)
    measured("F50", detected_ms=told["took_ms"][what])


def test_s33_a_proxy_of_the_environment_hears_nothing(told):
    """Whoever may set a variable does not stand between us and the broker: the order goes straight to its server."""
    assert told["proxied"] == [["", "", 1, True], 0]
    wrong_ms = max(told["took_ms"][what] for what in ("another's", "of nobody"))
    measured("S33", detected_ms=wrong_ms, recovered_ms=wrong_ms + told["took_ms"]["proxied"])


def test_f50_a_login_that_cannot_be_sent_is_told_in_words(told):
    """A finding on the login, with what is wrong with the certificate: an alert, and a row of the doctor."""
    assert told["login"] == ["login", False, "no session: no connection: certificate has expired"]


def test_s33_a_stream_shows_its_tokens_to_no_server_whose_certificate_is_not_in_order(told):
    """Not a byte is said to it; the sound one is spoken to, and found to be no stream before it hears a token."""
    wrong = ["SSLCertVerificationError", False, False]
    sound = ["InvalidMessage", True, False]

    assert told["streams"] == {"sound": sound, "expired": wrong, "another's": wrong, "of nobody": wrong}
