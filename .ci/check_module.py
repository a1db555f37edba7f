"""Reads a WebAssembly module's sections and says how large it is. Fails on an import that no host must be asked for and
on an export that is missing. Not a validator: Envoy is one.

    check_module.py FILE
"""

import sys

# Some hosts define these two with another signature and refuse a module that imports them; see src/filter/abi.rs.
FORBIDDEN = {"proxy_get_metric", "proxy_get_log_level"}
# What a proxy looks for by name; link-time optimisation drops them all when nothing keeps the SDK's entry points.
EXPORTS = {
    "_initialize",
    "proxy_abi_version_0_2_1",
    "proxy_on_memory_allocate",
    "proxy_on_context_create",
    "proxy_on_configure",
    "proxy_on_request_headers",
    "proxy_on_request_body",
    "proxy_on_response_headers",
    "proxy_on_response_body",
    "proxy_on_done",
    "proxy_on_log",
}
# What Envoy, Istio, Kong and APISIX all offer of WASI; anything else would keep the module from loading in one of them.
WASI = {
    "args_get",
    "args_sizes_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_close",
    "fd_fdstat_get",
    "fd_read",
    "fd_seek",
    "fd_write",
    "proc_exit",
    "random_get",
}


class Reader:
    """Bytes of a module, read front to back."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def number(self):
        result = shift = 0
        while True:
            byte = self.byte()
            result |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return result

    def bytes(self, length):
        self.at += length
        return self.data[self.at - length : self.at]

    def name(self):
        return self.bytes(self.number()).decode()

    def limits(self):
        if self.number() & 1:
            self.number()
        self.number()


def sections(data):
    if data[:8] != b"\0asm\1\0\0\0":
        sys.exit("error: this is no WebAssembly module of version 1")
    reader = Reader(data)
    reader.at = 8
    while reader.at < len(data):
        kind = reader.byte()
        yield kind, reader.bytes(reader.number())


def imports(section):
    reader = Reader(section)
    for _ in range(reader.number()):
        module, name, kind = reader.name(), reader.name(), reader.byte()
        if kind == 0:
            reader.number()
        elif kind == 1:
            reader.byte()
            reader.limits()
        elif kind == 2:
            reader.limits()
        else:
            reader.bytes(2)
        yield module, name


def exports(section):
    reader = Reader(section)
    for _ in range(reader.number()):
        name = reader.name()
        reader.byte()
        reader.number()
        yield name


def problems(found, offered):
    for name in sorted(EXPORTS - set(offered)):
        yield f"it does not export {name}, which a proxy looks for"
    for module, name in found:
        if name in FORBIDDEN:
            yield f"it imports {name}, which is forbidden: not every host offers it safely"
        elif module == "wasi_snapshot_preview1" and name not in WASI:
            yield f"it imports {name} of WASI, which proxies do not offer"
        elif module not in ("env", "wasi_snapshot_preview1"):
            yield f"it imports {name} from \"{module}\", which no proxy offers"


def main(path):
    with open(path, "rb") as file:
        data = file.read()
    found = [pair for kind, section in sections(data) if kind == 2 for pair in imports(section)]
    offered = [name for kind, section in sections(data) if kind == 7 for name in exports(section)]
    print(f"{path}: {len(data)} bytes ({len(data) / 1024:.0f} KiB), {len(found)} imports")
    wrong = list(problems(found, offered))
    for problem in wrong:
        print(f"error: {path}: {problem}", file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main(sys.argv[1])
