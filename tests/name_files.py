# SPDX-License-Identifier: GPL-2.0-or-later
"""Gives one command files of its own from which the system's resolver takes names."""
import os

# Binds the files within a mount namespace of its own, so the machine's stay as they are.
PRIVATELY = """
for file in hosts nsswitch.conf resolv.conf; do mount --bind "$0/$file" "/etc/$file" || exit 125; done
exec "$@"
"""
# Prints a line when it is ready; reads questions for names, and never answers.
SILENT_SERVER = """
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
print("ready", flush=True)
while server.recv(512):
    print("asked", flush=True)
"""

# Answers questions for the names of 198.18.0.N with names that an attacker would choose (RFC 1035 section 4.1).
LYING_SERVER = r"""
import socket
NAMES = {1: [b"web", b"test"], 2: [b"198", b"18", b"0", b"77"], 3: [b"a\x1b[2J\nb", b"test"], 4: [b"x" * 63] * 3,
         5: [b"198.18.0.77"], 6: [], 7: [b"198.18.0.77:80", b"test"], 8: [b"~198", b"test"]}
def encode(labels):
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
print("ready", flush=True)
while True:
    question, client = server.recvfrom(512)
    end = question.index(b"\0", 12) + 5
    number = int(question[13:13 + question[12]])
    name = encode(NAMES[number])
    server.sendto(question[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + question[12:end] + b"\xc0\x0c\0\x0c\0\1\0\0\0\x3c"
                  + len(name).to_bytes(2, "big") + name, client)
"""


def lacking():
    """Returns the file of the machine that no other can be bound over, as it does not exist; None if all do."""
    paths = ("/etc/hosts", "/etc/nsswitch.conf", "/etc/resolv.conf")
    return next((path for path in paths if not os.path.exists(path)), None)


def write_files(directory, hosts, sources="files"):
    """sources: as in nsswitch.conf(5). A name server is asked at 127.0.0.1; a question takes 40 s without an answer."""
    texts = {"hosts": hosts, "nsswitch.conf": f"hosts: {sources}\n",
             "resolv.conf": "nameserver 127.0.0.1\noptions timeout:20\n"}
    for name, text in texts.items():
        with open(os.path.join(directory, name), "w", encoding="ascii") as file:
            file.write(text)


def command_with_files(directory, *command, namespaces="-m"):
    """Returns the command that runs `command` with the files of write_files(). namespaces: options of unshare."""
    return ["unshare", *namespaces.split(), "sh", "-c", PRIVATELY, directory, *command]
