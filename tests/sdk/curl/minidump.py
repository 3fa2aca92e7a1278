# Writes the smallest honest minidump: a system, one module, one thread, and the exception that ended it.
# The layout is Microsoft's minidumpapiset.h: a header, a directory of streams, the streams.
import struct
import sys

SYSTEM_INFO, THREAD_LIST, MODULE_LIST, EXCEPTION = 7, 3, 4, 6
AMD64, LINUX = 9, 0x8201
SIGSEGV = 11

streams = []
header_size = 32
directory_size = 12 * 4
body = b""


def here():
    return header_size + directory_size + len(body)


def place(data):
    global body
    at = here()
    body += data + b"\0" * (-len(data) % 8)
    return at


def text(value):
    encoded = value.encode("utf-16-le")
    return place(struct.pack("<I", len(encoded)) + encoded + b"\0\0")


# CONTEXT_AMD64 is 1232 bytes; only its flags and the instruction pointer are filled in.
context = bytearray(1232)
struct.pack_into("<I", context, 0x30, 0x00100001)
struct.pack_into("<Q", context, 0x98, 0x7FFC00001000)
struct.pack_into("<Q", context, 0xF8, 0x400123)
context_at = place(bytes(context))
stack_at = place(b"\0" * 64)
name_at = text("/opt/shop/till")
csd_at = text("Linux 6.1.0 x86_64")

streams.append((SYSTEM_INFO, struct.pack("<HHHBBIIIIIHH24s", AMD64, 6, 0, 2, 1, 6, 1, 0, LINUX, csd_at, 0, 0, b"GenuineIntel" + b"\0" * 12)))
thread = struct.pack("<IIIIQQIIII", 77, 0, 0, 0, 0, 0x7FFC00001000, 64, stack_at, len(context), context_at)
streams.append((THREAD_LIST, struct.pack("<I", 1) + thread))
module = struct.pack("<QIIII", 0x400000, 0x10000, 0, 0, name_at) + b"\0" * 52 + struct.pack("<IIII", 0, 0, 0, 0) + b"\0" * 16
assert len(module) == 108
streams.append((MODULE_LIST, struct.pack("<I", 1) + module))
exception = struct.pack("<II", 77, 0) + struct.pack("<IIQQII", SIGSEGV, 0, 0, 0x400123, 0, 0) + b"\0" * 120 + struct.pack("<II", len(context), context_at)
assert len(exception) == 168
streams.append((EXCEPTION, exception))

directory = b"".join(struct.pack("<III", kind, len(data), place(data)) for kind, data in streams)
header = struct.pack("<4sIIIIIQ", b"MDMP", 0xA793, len(streams), header_size, 0, 1795460000, 0)
with open(sys.argv[1], "wb") as file:
    file.write(header + directory + body)
