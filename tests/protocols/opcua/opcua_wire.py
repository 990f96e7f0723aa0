"""OPC UA on a bare socket."""

from __future__ import annotations

import functools
import os
import socket
import struct
from datetime import UTC, datetime, timedelta
from typing import Any

from asyncua import ua
from asyncua.common.connection import SecureConnection, TransportLimits
from asyncua.common.utils import Buffer
from asyncua.crypto import uacrypto
from asyncua.crypto.security_policies import SecurityPolicy, SecurityPolicyBasic256Sha256, SecurityPolicyNone
from asyncua.ua.ua_binary import (
    header_from_binary,
    nodeid_from_binary,
    struct_from_binary,
    struct_to_binary,
    uatcp_to_binary,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
USERS = {"ada": 1, "bob": 2, "slow": 3}
SLOW = "slow"
OAEP = "http://www.w3.org/2001/04/xmlenc#rsa-oaep"
RSA_1_5 = "http://www.w3.org/2001/04/xmlenc#rsa-1_5"


class Fault(Exception):
    """A ServiceFault, or an ERR message; `code` is its StatusCode."""

    def __init__(self, code: int) -> None:
        super().__init__(ua.status_codes.get_name_and_doc(code)[0])
        self.code = code


class Closed(Exception):
    """The server has closed the connection."""


@functools.cache
def identity() -> tuple[bytes, rsa.RSAPrivateKey]:
    """Return the certificate and the key of an application that calls itself urn:wire."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "wire")])
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier("urn:wire")])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(NOW - timedelta(days=1)).not_valid_after(NOW + timedelta(days=1))
    made = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    return made.public_bytes(Encoding.DER), key


def _policy(port: int, mode: str) -> SecurityPolicy:
    """Return the policy of a secured channel; the server's certificate is asked for."""
    with Wire(port) as stranger:
        endpoint = stranger.open().ask(ua.GetEndpointsRequest()).Endpoints[0]
    server = uacrypto.x509_from_der(endpoint.ServerCertificate)
    own, key = identity()
    return SecurityPolicyBasic256Sha256(server, uacrypto.x509_from_der(own), key, getattr(ua.MessageSecurityMode, mode))


class Wire:
    """A client on a socket that does what it is told and nothing else; secured with Basic256Sha256 in a `mode`."""

    def __init__(self, port: int, mode: str = "None_") -> None:
        self._policy = SecurityPolicyNone() if mode == "None_" else _policy(port, mode)
        self._mode = getattr(ua.MessageSecurityMode, mode)
        self._socket = socket.create_connection(("127.0.0.1", port), 20)
        self._channel = SecureConnection(self._policy, TransportLimits())
        self._requests = 0
        self.token = ua.NodeId()
        self.session = ua.CreateSessionResult()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def leave(self) -> None:
        """End the connection, also for a thread that waits for an answer."""
        self._socket.shutdown(socket.SHUT_RDWR)

    def patience(self, seconds: float) -> Wire:
        """Wait for answers for so long only."""
        self._socket.settimeout(seconds)
        return self

    def reset(self) -> None:
        """Vanish as a killed program does."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except (ConnectionError, BrokenPipeError):
            raise Closed from None

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            try:
                chunk = self._socket.recv(size - len(data))
            except ConnectionError:
                raise Closed from None
            if not chunk:
                raise Closed
            data += chunk
        return data

    def is_closed(self, patience: float = 20.0) -> bool:
        """Tell whether the server closes; whatever it says before is dropped."""
        self._socket.settimeout(patience)
        try:
            while True:
                self.read(1)
        except Closed:
            return True
        except TimeoutError:
            return False

    # --- messages

    def hello(self, **fields: Any) -> Wire:
        self.send(uatcp_to_binary(ua.MessageType.Hello, ua.Hello(EndpointUrl="opc.tcp://127.0.0.1/", **fields)))
        message = self.receive()
        assert isinstance(message, ua.Acknowledge)
        return self

    def open(self, **fields: Any) -> Wire:
        """Say HEL and open a channel."""
        self.hello()
        request = ua.OpenSecureChannelRequest()
        request.Parameters.SecurityMode = self._mode
        request.Parameters.ClientNonce = os.urandom(self._policy.secure_channel_nonce_length)
        request.Parameters.RequestedLifetime = 60_000
        for name, value in fields.items():
            setattr(request.Parameters, name, value)
        self.send(self.packed(request, ua.MessageType.SecureOpen))
        response = self._body(ua.OpenSecureChannelResponse)
        self._channel.set_channel(
            response.Parameters, ua.SecurityTokenRequestType.Issue, request.Parameters.ClientNonce
        )
        return self

    def packed(self, request: Any, kind: bytes = ua.MessageType.SecureMessage) -> bytes:
        """Return a request as the bytes of a message."""
        request.RequestHeader.AuthenticationToken = self.token
        return self.framed(struct_to_binary(request), kind)

    def framed(self, body: bytes, kind: bytes = ua.MessageType.SecureMessage) -> bytes:
        self._requests += 1
        data: bytes = self._channel.message_to_binary(body, message_type=kind, request_id=self._requests)
        return data

    def ask(self, request: Any) -> Any:
        """Return the response to a request.  Raises Fault and Closed."""
        self.send(self.packed(request))
        return self.answer(type(request))

    def answer(self, asked: type) -> Any:
        return self._body(getattr(ua, asked.__name__.replace("Request", "Response")))

    def receive(self) -> Any:
        """Return the next message.  Raises Fault for an ERR, and Closed."""
        while True:
            head = self.read(8)
            data = head + self.read(int.from_bytes(head[4:], "little") - 8)
            buffer = Buffer(data)
            header = header_from_binary(buffer)
            message = self._channel.receive_from_header_and_body(header, buffer)
            if isinstance(message, ua.ErrorMessage):
                raise Fault(message.Error.value)
            if message is not None:
                return message

    def _body(self, kind: type) -> Any:
        body = self.receive().body()
        type_id = nodeid_from_binary(body.copy())
        if type_id == ua.NodeId(ua.ObjectIds.ServiceFault_Encoding_DefaultBinary):
            raise Fault(struct_from_binary(ua.ServiceFault, body).ResponseHeader.ServiceResult.value)
        return struct_from_binary(kind, body)

    # --- a session

    def create_session(self, timeout: float = 60_000, name: str = "wire", nonce: bytes = b"n" * 32) -> Wire:
        request = ua.CreateSessionRequest()
        request.Parameters.EndpointUrl = "opc.tcp://127.0.0.1/"
        request.Parameters.RequestedSessionTimeout = timeout
        request.Parameters.ClientNonce = nonce
        request.Parameters.ClientCertificate = self._policy.host_certificate
        request.Parameters.ClientDescription.ApplicationName = ua.LocalizedText(name)
        request.Parameters.ClientDescription.ApplicationUri = f"urn:{name}"
        self.session = self.ask(request).Parameters
        self.token = self.session.AuthenticationToken
        return self

    def activate(self, token: Any, signature: bytes | None = None) -> ua.ActivateSessionResult:
        """Log in; another `signature` than the one that proves that we have the key of our certificate is wrong."""
        request = self.activation(token)
        if signature is not None:
            request.Parameters.ClientSignature.Signature = signature
        result = self.ask(request).Parameters
        self.session.ServerNonce = result.ServerNonce
        return result

    def activation(self, token: Any) -> ua.ActivateSessionRequest:
        request = ua.ActivateSessionRequest()
        request.Parameters.UserIdentityToken = token
        signed = (self.session.ServerCertificate or b"") + (self.session.ServerNonce or b"")
        request.Parameters.ClientSignature.Signature = self._policy.asymmetric_cryptography.signature(signed)
        return request

    def sealed(self, username: str, password: str, nonce: bytes | None = None, algorithm: str = OAEP) -> Any:
        """Return a user identity token with an encrypted password."""
        nonce = self.session.ServerNonce if nonce is None else nonce
        secret = password.encode() + nonce
        key = uacrypto.x509_from_der(self.session.ServerCertificate).public_key()
        plain = struct.pack("<I", len(secret)) + secret
        sent = key.encrypt(plain, padding.PKCS1v15()) if algorithm == RSA_1_5 else uacrypto.encrypt_rsa_oaep(key, plain)
        return ua.UserNameIdentityToken(
            PolicyId="username", UserName=username, Password=sent, EncryptionAlgorithm=algorithm
        )

    def log_in(self, username: str = "ada", password: str = "right", **options: Any) -> Wire:  # noqa: S107
        """Open a channel and a session, and log in."""
        self.open().create_session(**options)
        self.activate(self.sealed(username, password))
        return self

    def value(self, node_id: ua.NodeId) -> Any:
        """Read a value.  Raises Fault."""
        request = ua.ReadRequest()
        request.Parameters.NodesToRead = [ua.ReadValueId(NodeId=node_id, AttributeId=ua.AttributeIds.Value)]
        (found,) = self.ask(request).Results
        if not found.StatusCode.is_good():
            raise Fault(found.StatusCode.value)
        return found.Value.Value

    def write(self, node_id: ua.NodeId, value: Any) -> ua.StatusCode:
        item = ua.WriteValue(NodeId=node_id, AttributeId=ua.AttributeIds.Value, Value=ua.DataValue(value))
        request = ua.WriteRequest()
        request.Parameters.NodesToWrite = [item]
        return self.ask(request).Results[0]

    def subscribe(self, interval: float = 100.0) -> ua.CreateSubscriptionResult:
        request = ua.CreateSubscriptionRequest()
        request.Parameters.RequestedPublishingInterval = interval
        request.Parameters.RequestedLifetimeCount = 10_000
        request.Parameters.RequestedMaxKeepAliveCount = 1_000
        request.Parameters.PublishingEnabled = True
        return self.ask(request).Parameters

    def monitor(self, subscription_id: int, *node_ids: ua.NodeId, **parameters: Any) -> list[Any]:
        request = ua.CreateMonitoredItemsRequest()
        request.Parameters.SubscriptionId = subscription_id
        request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
        for number, node_id in enumerate(node_ids):
            item = ua.MonitoredItemCreateRequest()
            item.ItemToMonitor = ua.ReadValueId(NodeId=node_id, AttributeId=ua.AttributeIds.Value)
            item.MonitoringMode = ua.MonitoringMode.Reporting
            item.RequestedParameters = ua.MonitoringParameters(ClientHandle=number, QueueSize=1, **parameters)
            request.Parameters.ItemsToCreate.append(item)
        return list(self.ask(request).Results)

    def publish(self) -> ua.PublishResult:
        request = ua.PublishRequest()
        request.Parameters.SubscriptionAcknowledgements = []
        return self.ask(request).Parameters


def fault(action: Any) -> int | None:
    """Return the StatusCode that an action fails with, if it does."""
    try:
        action()
    except Fault as error:
        return error.code
    return None
