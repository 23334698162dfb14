"""The other host, which holds the bytes of attachments behind signed, expiring URLs."""

from __future__ import annotations

import hashlib
import hmac
import re
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.clinic.files import FileContent
    from sandbox.cliniko.account import Account
    from sandbox.control import Control
    from sandbox.gate import Receive, Scope, Send

CHUNK_BYTES = 1 << 20
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_SECRET = b"sandbox signing key"


class FileHost:
    """Serves bytes to whoever holds a fresh URL and sends no credential.

    `origin` must be set once the port is known. A real store refuses a signed URL that comes with an
    Authorization header; a Cookie would be a leak too, so both are refused and noted as violations.
    """

    def __init__(self, account: Account, control: Control) -> None:
        """Take the account whose files are served."""
        self.origin = ""
        self._account = account
        self._control = control

    def signed_url(self, identity: str, seconds: float) -> str:
        """Return a URL for the bytes of a file, valid for some seconds."""
        expires = f"{self._control.now() + seconds:.3f}"
        name = quote(self._account.tables["patient_attachments"][identity].get("filename") or "file", safe="")
        query = urlencode({"Expires": expires, "Signature": _signature(identity, expires)})
        return f"{self.origin}/uploads/{identity}/{name}?{query}"

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Serve one download."""
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        request = scope["sandbox.request"]
        request.route = "/uploads/{id}"
        for name in ("authorization", "cookie"):
            if name in headers:
                self._control.violation("credential_to_file_host", f"{name} header", request)
                await _refuse(send, HTTPStatus.BAD_REQUEST, "InvalidArgument", "one credential only")
                return
        found = re.fullmatch(r"/uploads/(\d+)/.*", scope["path"], re.DOTALL)
        content = self._account.files.get(found.group(1)) if found else None
        if found is None or scope["method"] != "GET" or not self._valid(found.group(1), scope):
            await _refuse(send, HTTPStatus.FORBIDDEN, "AccessDenied", "the URL has expired or is not signed")
        elif content is None:
            await _refuse(send, HTTPStatus.NOT_FOUND, "NoSuchKey", "there is no such file")
        else:
            await self._stream(send, found.group(1), content, headers)

    def _valid(self, identity: str, scope: Scope) -> bool:
        query = parse_qs(scope["query_string"].decode("latin-1"))
        expires, signature = query.get("Expires", ["0"])[0], query.get("Signature", [""])[0]
        if not hmac.compare_digest(signature, _signature(identity, expires)):
            return False
        return self._control.now() <= float(expires)

    async def _stream(
        self, send: Send, identity: str, content: FileContent, headers: Mapping[str, str]
    ) -> None:
        row = self._account.tables["patient_attachments"][identity]
        kind = row.get("content_type") or "binary/octet-stream"
        fields = {"content-type": kind, "accept-ranges": "bytes", "etag": f'"{content.tag}"'}
        asked = _RANGE.fullmatch(headers.get("range", ""))
        span = _span(asked.group(1), asked.group(2), content.size) if asked else (0, content.size)
        if span is None:
            await _start(send, 416, {"content-range": f"bytes */{content.size}", "content-length": "0"})
            await send({"type": "http.response.body", "body": b""})
            return
        first, end = span
        if asked:
            fields["content-range"] = f"bytes {first}-{end - 1}/{content.size}"
        await _start(send, 206 if asked else 200, {**fields, "content-length": str(end - first)})
        for offset in range(first, end, CHUNK_BYTES):
            chunk = content.read(offset, min(CHUNK_BYTES, end - offset))
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _signature(identity: str, expires: str) -> str:
    return hmac.new(_SECRET, f"{identity} {expires}".encode(), hashlib.sha256).hexdigest()


def _span(first: str, last: str, size: int) -> tuple[int, int] | None:
    """Return the half-open span a Range header asks for, or None when it lies outside."""
    if not first:
        return (max(0, size - int(last)), size) if last and int(last) else None
    start = int(first)
    end = min(int(last) + 1, size) if last else size
    return (start, end) if start < end else None


async def _start(send: Send, status: int, fields: Mapping[str, str]) -> None:
    raw = [(key.encode("latin-1"), value.encode("latin-1")) for key, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})


async def _refuse(send: Send, status: HTTPStatus, code: str, message: str) -> None:
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    fields = {"content-type": "application/xml", "content-length": str(len(body))}
    await _start(send, status.value, fields)
    await send({"type": "http.response.body", "body": body})
