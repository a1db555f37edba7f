"""Holds Weir's AWS signatures against botocore's own signer.

A line holds what was signed and what came out: `{"name", "method", "url" or "host" and "path", "headers", "body",
"access_key", "secret_key", "session_token"?, "region", "service"?, "timestamp" (20261121T100000Z), "authorization" or
"signature"}`.
"""

import datetime
import re

import botocore.auth
import botocore.awsrequest
import botocore.credentials


def complaints(line):
    stamp = line["timestamp"]
    moment = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ")
    url = line.get("url") or f"https://{line['host']}{line['path']}"
    request = botocore.awsrequest.AWSRequest(line["method"], url, headers=dict(line.get("headers") or {}), data=line.get("body", "").encode())
    credentials = botocore.credentials.Credentials(line["access_key"], line["secret_key"], line.get("session_token"))
    signer = Signer(credentials, line.get("service", "bedrock"), line["region"])
    signer.sign(request, moment)
    theirs = request.headers["Authorization"]
    ours = line.get("authorization") or line["signature"]
    if "authorization" in line:
        return [] if parts(ours) == parts(theirs) else [f"Weir: {ours}", f"botocore: {theirs}"]
    return [] if theirs.endswith(f"Signature={ours}") else [f"Weir: {ours}", f"botocore: {theirs}"]


def parts(authorization):
    """The three parts of the header; white space between them means nothing."""
    return dict(re.findall(r"(Credential|SignedHeaders|Signature)=([^,\s]+)", authorization))


class Signer(botocore.auth.SigV4Auth):
    """botocore's signer at a moment of our choosing; it would take the clock's."""

    def sign(self, request, moment):
        request.context["timestamp"] = moment.strftime(botocore.auth.SIGV4_TIMESTAMP)
        self._modify_request_before_signing(request)
        canonical = self.canonical_request(request)
        self._inject_signature_to_request(request, self.signature(self.string_to_sign(request, canonical), request))
