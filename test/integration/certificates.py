"""Certificates that `amoskys pki` would not make: with something wrong, unusual, or so many at once."""
import datetime
import ipaddress

import harness  # noqa: F401  (its environment check comes first)

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError:  # link_client.MISSING says so
    x509 = None

LOCAL_NAMES = ("localhost", "127.0.0.1")


def read_key(file):
    return serialization.load_pem_private_key(file.read_bytes(), None)


def new_key():
    return ec.generate_private_key(ec.SECP256R1())


def rsa_key(bits=3072):
    return rsa.generate_private_key(65537, bits)


def private_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def public_pem(key):
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def write_private(file, *pem):
    """A file of the owner alone, as the product wants its keys."""
    file.write_bytes(b"".join(pem))
    file.chmod(0o600)
    return file


def _name(*common_names):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in common_names])


def _san(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Authority:
    """The CA of a `pki` folder; new() makes others."""

    def __init__(self, pki):
        self.certificate = x509.load_pem_x509_certificate((pki / "ca.crt").read_bytes())
        self.key = read_key(pki / "ca.key")
        self.chain = b""  # what a leaf sends along: the intermediates

    @classmethod
    def new(cls, name="another CA", key=None, parent=None):
        """A root, or an intermediate of `parent`. `name`: a text or another CA's subject."""
        self = cls.__new__(cls)
        self.key = key or new_key()
        subject = _name(name) if isinstance(name, str) else name
        builder = cls._builder(subject, parent.certificate.subject if parent else subject, self.key, (-1, 30)).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.certificate = builder.sign(parent.key if parent else self.key, hashes.SHA256())
        self.chain = self.pem + parent.chain if parent else b""
        return self

    @property
    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @staticmethod
    def _builder(subject, issuer, key, days):
        now = datetime.datetime.utcnow()
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
                .serial_number(x509.random_serial_number())
                .not_valid_before(now + datetime.timedelta(days=days[0]))
                .not_valid_after(now + datetime.timedelta(days=days[1])))

    def issue(self, name, key, days=(-1, 1), server=False, names=LOCAL_NAMES, identify_issuer=True):
        """PEM of a certificate for that key, intermediates included. `name`: the CN, or several; `names`: a server's."""
        usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        subject = _name(name) if isinstance(name, str) else _name(*name)
        builder = self._builder(subject, self.certificate.subject, key, days).add_extension(
            x509.ExtendedKeyUsage([usage]), critical=False)
        if identify_issuer:
            builder = builder.add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        if server and names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_san(name) for name in names]), critical=False)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM) + self.chain
