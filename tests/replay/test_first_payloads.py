#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""request_ns and response_ns of captures: the first payload of each side, at times that the capture shows; and those of
the last exchange."""
import subprocess

import replay_harness
from pcap import ACK, CLIENT, FIN, PSH, RST, SERVER, SYN, capture, packet
from replay_harness import check, equal, holds, replay

MS = 1_000_000
C, S = 1000, 51000  # the sides' sequence numbers
PAIRS = (CLIENT, SERVER), (("fd00::9", 40000), ("fd00::1", 80))


def handshake(client=CLIENT, server=SERVER):
    return [(0, packet(client, server, SYN, C)),
            (0.020, packet(server, client, SYN | ACK, S, C + 1)),
            (0.021, packet(client, server, ACK, C + 1, S + 1))]


def request(at, payload=b"GET / HTTP/1.1\r\n\r\n", first=1, acknowledged=1, flags=ACK | PSH, pair=PAIRS[0]):
    return at, packet(*pair, flags, C + first, S + acknowledged, payload)


def response(at, payload=b"HTTP/1.1 200 OK\r\n\r\n", first=1, acknowledged=1, flags=ACK | PSH, pair=PAIRS[0]):
    return at, packet(*reversed(pair), flags, S + first, C + acknowledged, payload)


def times(packets, request_ms, response_ms, *options):
    """Compares the times of the one record; None: absent."""
    records = replay(capture(packets), *options).records
    equal(len(records), 1, "records")
    holds(records[0], request_ns=None if request_ms is None else round(request_ms * MS),
          response_ns=None if response_ms is None else round(response_ms * MS))


def client_first():
    for pair in PAIRS:
        times([*handshake(*pair), request(0.0215, pair=pair), response(0.3, acknowledged=19, pair=pair),
               response(0.301, first=20, pair=pair), request(0.5, first=19, acknowledged=39, pair=pair)], 21.5, 300)


def server_first():
    for pair in PAIRS:
        times([*handshake(*pair), response(0.15, b"220 mail\r\n", pair=pair),
               request(0.17, b"EHLO a\r\n", acknowledged=11, pair=pair)], 170, 150)


def hours_later():
    times([*handshake(), request(7000), response(7003, acknowledged=19)], 7_000_000, 7_003_000)


def one_side_only():
    times([*handshake(), request(0.1)], 100, None)
    times([*handshake(), response(0.1)], None, 100)
    times(handshake(), None, None)


def retransmitted():
    times([*handshake(), request(0.1), request(0.3), request(0.7, b"GET"), response(1, acknowledged=19),
           response(1.2, acknowledged=19)], 100, 1000)


def captured_twice():
    frame = request(0.1)[1]
    times([*handshake(), (0.1, frame), (0.1001, frame)], 100, None)


def lost_before_the_capture():
    """The second segment passes first: it is not the first payload."""
    times([*handshake(), request(0.1, b"b" * 100, first=101), request(0.3, b"a" * 100)], 300, None)


def missing_in_the_capture():
    """Its acknowledgement shows that it was sent before; what follows is not the first payload, nor is its repetition."""
    times([*handshake(), (0.1, packet(SERVER, CLIENT, ACK, S + 1, C + 101)), request(0.2, first=101),
           request(0.4, b"a" * 100), response(0.5, acknowledged=119)], None, 500)


def out_of_order_in_the_capture():
    times([*handshake(), response(0.0231, acknowledged=19), request(0.0230)], 23, 23.1)
    times([(0.020, packet(SERVER, CLIENT, SYN | ACK, S, C + 1)), (0.021, packet(CLIENT, SERVER, ACK, C + 1, S + 1)),
           request(0.022), (0.0, packet(CLIENT, SERVER, SYN, C)), response(0.1, acknowledged=19)], 22, 100)


def probes():
    """A keep-alive's byte is the one before the first; a zero-window probe's is sent again with the segment."""
    times([*handshake(), request(0.5, b"\0", first=0), response(0.51, b""), request(0.9)], 900, None)
    closed = packet(SERVER, CLIENT, SYN | ACK, S, C + 1)
    window = 14 + 20 + 14
    closed = closed[:window] + b"\0\0" + closed[window + 2:]
    times([(0, packet(CLIENT, SERVER, SYN, C)), (0.02, closed), request(0.021, b""), request(0.3, b"G"),
           (0.31, packet(SERVER, CLIENT, ACK, S + 1, C + 1)), request(0.311)], 311, None)


def fast_open():
    """RFC 7413: payload in the SYN is a request if the SYN-ACK acknowledges it."""
    syn = packet(CLIENT, SERVER, SYN, C, 0, b"q" * 50)
    times([(0, syn), (0.02, packet(SERVER, CLIENT, SYN | ACK, S, C + 51)), response(0.1, acknowledged=51)], 0, 100)
    times([(0, syn), (0.02, packet(SERVER, CLIENT, SYN | ACK, S, C + 1)), request(0.0201, b"q" * 50),
           response(0.1, acknowledged=51)], 20.1, 100)


def refused():
    """A segment without ACK, one with a wrong acknowledgement, and the text of a RST."""
    times([*handshake(), request(0.1, flags=PSH), request(0.2, b"b" * 20, first=0, acknowledged=0x60000000),
           (0.3, packet(CLIENT, SERVER, RST | ACK, C + 1, S + 1, b"because"))], None, None)


def payload_with_fin():
    times([*handshake(), request(0.1, flags=ACK | PSH | FIN), response(0.2, acknowledged=20, flags=ACK | FIN)],
          100, 200)


def without_a_start():
    """Without a SYN the start is unknown."""
    times([request(0), response(0.1, acknowledged=19)], None, None)
    times([*handshake()[1:], request(0.1), response(0.2, acknowledged=19)], None, None)


def last(packets, request_ms, response_ms):
    """Compares the times of the last exchange; None: absent."""
    records = replay(capture([*handshake(), *packets])).records
    equal(len(records), 1, "records")
    holds(records[0], last_request_ns=None if request_ms is None else round(request_ms * MS),
          last_response_ns=None if response_ms is None else round(response_ms * MS))


def last_exchange():
    """Three requests on one connection; and what is no new payload."""
    first = [request(0.1), response(0.2, acknowledged=19), response(0.21, first=20, acknowledged=19)]
    second = [request(1, first=19, acknowledged=39), response(1.5, first=39, acknowledged=37)]
    third = [request(2, first=37, acknowledged=58), request(2.1, first=55, acknowledged=58)]
    last([], None, None)
    last(first[:1], None, None)
    last(first, None, None)
    last(first[1:2] + [request(0.5)], None, None)
    last(first[1:2] + [request(0.5), response(0.7, first=20, acknowledged=19)], 500, 700)
    last(first + second, 1000, 1500)
    last(first + second + third, 2000, None)
    last(first + second + third + [response(3, first=58, acknowledged=73)], 2000, 3000)
    last(first + second + [request(1.9)], 1000, 1500)  # a retransmission
    last(first + second + [request(1.9, b"\n", first=36)], 1000, 1500)  # a keep-alive
    last(first[1::-1], None, None)
    last(first + second[::-1], 1000, 1500)  # in the wrong order in the capture
    last(first + [(0.9, packet(CLIENT, SERVER, RST | ACK, C + 19, S + 39, b"because"))], None, None)
    itself = replay(capture([(0, packet(CLIENT, CLIENT, SYN, C)), (0.001, packet(CLIENT, CLIENT, SYN | ACK, C, C + 1)),
                             (0.002, packet(CLIENT, CLIENT, ACK | PSH, C + 1, C + 1, b"me"))])).records
    holds(itself[0], last_request_ns=None, last_response_ns=None)


def explain_last_exchange():
    packets = [*handshake(), request(0.1), response(0.2, acknowledged=19), request(1, first=19, acknowledged=20)]
    for more, words in (([], "The last request came 1.00s after the start and had no answer."),
                        ([response(1.5, first=20, acknowledged=37)],
                         "The last request came 1.00s after the start, and its answer 500ms later.")):
        records = replay(capture(packets + more), "-q").output
        described = subprocess.run([replay_harness.NETRACKER, "explain"], input=records, stdout=subprocess.PIPE,
                                   check=True).stdout.decode()
        check(words in " ".join(described.split()), f"{words}: {described}")


def whose_time():
    """The server takes 258.5 ms: the request is at 21.5 ms, the answer at 300 ms, the round trip takes 20 ms."""
    captured = capture([*handshake(), request(0.0215), response(0.3, acknowledged=19)])
    text = replay(captured, "-f", "text", "--no-header", "--columns", "wait,src").output.decode()
    equal(text.split(), ["peer:258ms", "198.18.0.9:40000"], "WAIT")
    records = replay(captured, "-q").output
    described = subprocess.run([replay_harness.NETRACKER, "explain"], input=records, stdout=subprocess.PIPE,
                          check=True).stdout.decode()
    described = " ".join(described.split())
    for words in ("Whose time The network took 41.0ms", "The server took 258ms before its first payload (peer)"):
        check(words in described, f"{words}: {described}")
    without = replay(capture(handshake()), "-f", "text", "--no-header", "--columns", "wait").output.decode()
    equal(without.split(), ["-"], "WAIT without payload")


def csv():
    header, line = replay(capture([*handshake(), request(0.1), response(0.3, acknowledged=19)]), "-f",
                          "csv").output.decode().splitlines()
    columns = header.split(",")
    equal(columns[columns.index("syn_finack_ns"):][1:3], ["request_ns", "response_ns"], "columns")
    values = dict(zip(columns, line.split(",")))
    equal((values["request_ns"], values["response_ns"]), (str(100 * MS), str(300 * MS)), "values")


def clock_set_back():
    """After the capture's clock was set back by an hour, the time since the SYN is unknown."""
    later = [(at - 3600, frame) for at, frame in [request(0.1), response(0.2, acknowledged=19)]]
    padding = [(-3599 + number / 100, packet(("198.18.0.8", 1000), ("198.18.0.7", 80), ACK, number, 1))
               for number in range(300)]
    records = replay(capture([*handshake(), *later, *padding])).records
    mine = [record for record in records if record["src_port"] == 40000]
    equal([(record.get("request_ns"), record.get("response_ns")) for record in mine], [(None, None)], "times")
    equal([key for record in mine for key in record if key.startswith("last_")], [], "the last exchange")


if __name__ == "__main__":
    replay_harness.run([client_first, server_first, hours_later, one_side_only, retransmitted, captured_twice,
                        lost_before_the_capture, missing_in_the_capture, out_of_order_in_the_capture, probes, fast_open,
                        refused, payload_with_fin, without_a_start, last_exchange, explain_last_exchange, whose_time, csv, clock_set_back])
