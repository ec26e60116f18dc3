"""dhcp_server.py INTERFACE MODE: a DHCP server that answers as no server should, over a packet socket.

good: as it should. junk: seventeen broken answers before each good one. refusing: takes its offer back twice. flood: thousands of answers to
somebody else first. absurd: offers 127.0.0.1 for ever. short: leases of 20 s. moving: the same, another address each time."""
import random
import socket
import struct
import sys

interface, mode = sys.argv[1:]
wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
wire.bind((interface, 0x0800))
ADDRESS, SERVER = bytes([192, 168, 77, 99]), bytes([192, 168, 77, 1])


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def packet(message, udp_length=None, total=None, flip=0):
    length = 8 + len(message)
    udp = struct.pack(">HHHH", 67, 68, udp_length or length, 0) + message
    pseudo = SERVER + b"\xff" * 4 + struct.pack(">HH", 17, length)
    udp = udp[:6] + struct.pack(">H", (checksum(pseudo + udp) or 0xffff) ^ flip) + udp[8:]
    ip = struct.pack(">BBHHHBBH", 0x45, 0, total or 20 + len(udp), 1, 0, 64, 17, 0) + SERVER + b"\xff" * 4
    return ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:] + udp


def option(code, value):
    return bytes([code, len(value)]) + value


def message(asked, kind, address=ADDRESS, server=SERVER, mask=b"\xff\xff\xff\0", more=b"", xid=None, hardware=None, options=None):
    head = b"\2\1\6\0" + (xid or asked[4:8]) + b"\0\0\x80\0\0\0\0\0" + address + b"\0" * 8 + (hardware or asked[28:44]) + b"\0" * 192
    good = (option(53, bytes([kind])) + option(54, server) + option(51, struct.pack(">I", 20 if mode in ("short", "moving") else 3600)) + option(1, mask) + option(3, SERVER) +
            option(6, SERVER + bytes([9, 9, 9, 9])) + option(15, b"lab.example") + option(12, b"guest-7") + more + b"\xff")
    return head + b"\x63\x82\x53\x63" + (good if options is None else options)


def send(data):
    wire.sendto(data, (interface, 0x0800, 0, 0, b"\xff" * 6))


print("ready", flush=True)
requests = 0
while True:
    data, source = wire.recvfrom(4096)
    if source[2] == socket.PACKET_OUTGOING or data[9] != 17 or data[22:24] != b"\0\x43":
        continue
    asked = data[28:]
    kind = 2 if asked[242] == 1 else 5
    requests += kind == 5
    good = packet(message(asked, kind))
    if mode == "moving":
        good = packet(message(asked, kind, address=ADDRESS[:3] + bytes([100 + (requests - (kind == 5))])))
    if mode == "absurd":
        good = packet(message(asked, kind, address=bytes([127, 0, 0, 1])))
    if mode == "refusing" and kind == 5 and requests < 3:
        good = packet(message(asked, 6))
    if mode == "flood":
        for i in range(3000):
            send(packet(message(asked, kind, xid=b"\1\2\3\4")))
    if mode == "junk":
        for bad in (good[:20], good[:100], packet(message(asked, kind), flip=1), packet(message(asked, kind, xid=b"abcd")),
                    packet(message(asked, kind, hardware=b"\1" * 16)), packet(message(asked, kind, mask=b"\xff\0\xff\0")),
                    packet(message(asked, kind), udp_length=2000), packet(message(asked, kind), total=1400),
                    packet(message(asked, kind, more=option(3, b"\1\2\3\4"))), packet(message(asked, kind, server=b"\xff" * 4)),
                    packet(message(asked, kind, address=b"\xe0\0\0\1")), packet(message(asked, kind, options=b"\x35\xff\2")),
                    packet(message(asked, 99)), packet(b"x" * 300), b"\x45" + b"\0" * 19, random.randbytes(500),
                    packet(message(asked, 5, server=bytes([192, 168, 77, 2]), address=bytes([192, 168, 77, 112])))):
            send(bad)
    send(good)
