"""Holds Weir's AWS signatures against botocore's own signer.

A line of `tests/fixtures/sigv4.jsonl`, whose `headers` Weir's tests prove to be Weir's: `{"name", "method", "host", "path",
"query", "content_type", "body", "region", "service", "access_key", "secret", "session_token", "unix_time", "headers"}`.
"""

import datetime
import re

import botocore.auth
import botocore.awsrequest
import botocore.credentials


def complaints(line):
    moment = datetime.datetime.fromtimestamp(line["unix_time"], datetime.timezone.utc)
    url = f"https://{line['host']}{line['path']}" + (f"?{line['query']}" if line.get("query") else "")
    headers = {"content-type": line["content_type"]} if line.get("content_type") else {}
    request = botocore.awsrequest.AWSRequest(line["method"], url, headers=headers, data=line["body"].encode())
    credentials = botocore.credentials.Credentials(line["access_key"], line["secret"], line.get("session_token"))
    Signer(credentials, line["service"], line["region"]).sign(request, moment)
    found = []
    for name in ("authorization", "x-amz-date", "x-amz-security-token"):
        ours, theirs = line["headers"].get(name), request.headers.get(name)
        if name == "authorization":
            ours, theirs = parts(ours or ""), parts(theirs)
        if ours != theirs:
            found.append(f"{name}: Weir has {ours}, botocore {theirs}")
    return found


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
