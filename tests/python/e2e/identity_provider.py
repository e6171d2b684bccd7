"""An identity provider on loopback: tokens, keys behind TLS, SAML metadata and responses. Signed by libraries that are
not ours (`cryptography`, `signxml`), so that Stoa's verification is judged by somebody else's signatures."""

import base64
import contextlib
import datetime
import hashlib
import http.server
import ipaddress
import json
import ssl
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml import DigestAlgorithm, SignatureMethod, XMLSigner, methods

ENTITY = "https://idp.example.com/saml"
SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
ATTRIBUTES = "https://aws.amazon.com/SAML/Attributes/"


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def instant(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def certificate_of(key, name="127.0.0.1"):
    """A self-signed certificate for this key, good for a server on loopback."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - datetime.timedelta(days=1))
        .not_valid_after(now() + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )


class Issuer:
    """An OpenID Connect issuer. Without `url` it has none but the one it is given: its keys are then to be pinned."""

    def __init__(self, url=None):
        self.url = url
        self.keys = {"rsa-1": rsa.generate_private_key(65537, 2048), "ec-1": ec.generate_private_key(ec.SECP256R1())}
        self.asked = []

    def jwks(self):
        return {"keys": [self._jwk(kid, key) for kid, key in self.keys.items()]}

    @staticmethod
    def _jwk(kid, key):
        numbers = key.public_key().public_numbers()
        if isinstance(key, rsa.RSAPrivateKey):
            n = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
            return {"kty": "RSA", "kid": kid, "use": "sig", "n": base64url(n), "e": "AQAB"}
        x, y = (base64url(value.to_bytes(32, "big")) for value in (numbers.x, numbers.y))
        return {"kty": "EC", "kid": kid, "crv": "P-256", "x": x, "y": y}

    def claims(self, **changes):
        start = int(now().timestamp())
        claims = {"iss": self.url, "sub": "anna", "aud": "stoa", "iat": start, "exp": start + 300, **changes}
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, kid="rsa-1", header=None, signer=None, **changes):
        key = (signer or self).keys[kid]
        algorithm = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
        header = {"alg": algorithm, "kid": kid, "typ": "JWT", **(header or {})}
        parts = [base64url(json.dumps(part).encode()) for part in (header, self.claims(**changes))]
        message = ".".join(parts).encode()
        if algorithm == "RS256":
            signature = key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        else:
            r, s = utils.decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
            signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return f"{message.decode()}.{base64url(signature)}"


@contextlib.contextmanager
def serve(issuer, folder):
    """Puts the issuer's documents behind TLS on loopback; yields the thumbprint of its certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = certificate_of(key)
    pem = folder / "issuer.pem"
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            issuer.asked.append(self.path)
            documents = {
                "/.well-known/openid-configuration": {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"},
                "/keys": issuer.jwks(),
            }
            document = documents.get(self.path)
            body = json.dumps(document).encode()
            self.send_response(200 if document else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *_):
            """A client that ends the handshake, since it only looks at the certificate or does not believe it."""

    server = Server(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    issuer.url = f"https://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hashlib.sha1(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class SamlProvider:
    """A SAML identity provider."""

    def __init__(self):
        self.key = rsa.generate_private_key(65537, 2048)
        self.certificate = certificate_of(self.key, "idp")

    def metadata(self):
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        text = "\n".join(base64.encodebytes(der).decode().splitlines())
        return f"""<?xml version="1.0" encoding="UTF-8"?>
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#"
    entityID="{ENTITY}">
  <md:IDPSSODescriptor WantAuthnRequestsSigned="false" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    <md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>
{text}
    </ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
    <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="{ENTITY}/sso"/>
  </md:IDPSSODescriptor>
</md:EntityDescriptor>"""

    def _sign(self, element, method):
        """Signs an element in place, where SAML wants the signature: behind the issuer."""
        configuration = dict(
            method=methods.enveloped,
            signature_algorithm=method,
            digest_algorithm=DigestAlgorithm.SHA256,
            c14n_algorithm="http://www.w3.org/2001/10/xml-exc-c14n#",
        )
        signer = XMLSigner(**configuration)
        signed = signer.sign(element, key=self.key, cert=[self.certificate], reference_uri=element.get("ID"))
        signature = signed.find("{http://www.w3.org/2000/09/xmldsig#}Signature")
        signed.remove(signature)
        signed.insert(1, signature)
        return signed

    def response(
        self, attributes, subject="anna@lab", sign="assertion", issued=None, audience="urn:amazon:webservices",
        recipient="https://signin.aws.amazon.com/saml", method=SignatureMethod.RSA_SHA256,
    ):
        """A response in base64, with these attributes (name to values)."""
        issued = issued or now()
        later = instant(issued + datetime.timedelta(minutes=5))
        statement = "".join(
            f'<saml:Attribute Name="{name}">'
            + "".join(f"<saml:AttributeValue>{value}</saml:AttributeValue>" for value in values)
            + "</saml:Attribute>"
            for name, values in attributes.items()
        )
        assertion = f"""<saml:Assertion xmlns:saml="{SAML}" ID="_assertion" Version="2.0" IssueInstant="{instant(issued)}">
  <saml:Issuer>{ENTITY}</saml:Issuer>
  <saml:Subject>
    <saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">{subject}</saml:NameID>
    <saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">
      <saml:SubjectConfirmationData NotOnOrAfter="{later}" Recipient="{recipient}"/>
    </saml:SubjectConfirmation>
  </saml:Subject>
  <saml:Conditions NotBefore="{instant(issued)}" NotOnOrAfter="{later}">
    <saml:AudienceRestriction><saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction>
  </saml:Conditions>
  <saml:AuthnStatement AuthnInstant="{instant(issued)}" SessionIndex="_s">
    <saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext>
  </saml:AuthnStatement>
  <saml:AttributeStatement>{statement}</saml:AttributeStatement>
</saml:Assertion>"""
        element = etree.fromstring(assertion)
        if sign in ("assertion", "both"):
            element = self._sign(element, method)
        response = etree.fromstring(
            f"""<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_response" Version="2.0"
    IssueInstant="{instant(issued)}" Destination="{recipient}"><saml:Issuer xmlns:saml="{SAML}">{ENTITY}</saml:Issuer><samlp:Status>
    <samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status></samlp:Response>"""
        )
        response.append(element)
        if sign in ("response", "both"):
            response = self._sign(response, method)
        return base64.b64encode(etree.tostring(response)).decode()
