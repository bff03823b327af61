#!/usr/bin/python3
"""Judges reports about programs that are known to work: judge.py [--core CORE] [--may=KIND]... REPORT...

Each REPORT is one JSON document, or several after each other with other lines between (what `lockjaw run` leaves on
standard error). For each document one line is printed: `ok VERDICT` or `WRONG VERDICT why`. Wrong are a verdict that
says a working program hangs, and, with the core that the report was made from, a claimed holder that the lock's own
word contradicts. The words are read here from the core's bytes by the C library's and Rust's published layouts, so
nothing of lockjaw's own decoding is believed.
"""
import json
import struct
import sys

# hang-unknown is what is left when many threads wait for nothing that is known: no claim, but no good news either.
# host-starved says that the program is not to blame; on a machine with more work than processors it is true.
FINE = {"healthy", "idle", "contention", "long-hold", "host-starved"}


class Core:
    """The memory of an ELF64 core."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.image = file.read()
        offset, size, count = (*struct.unpack_from("<Q", self.image, 32), *struct.unpack_from("<HH", self.image, 54))
        self.loads = []
        for index in range(count):
            kind, _, at, address, _, length = struct.unpack_from("<IIQQQQ", self.image, offset + index * size)
            if kind == 1:
                self.loads.append((address, at, length))

    def read(self, address, form):
        length = struct.calcsize(form)
        for start, at, available in self.loads:
            if start <= address and address + length <= start + available:
                return struct.unpack_from(form, self.image, at + address - start)
        return None


def contradiction(core, lock, holders):
    """What the word of `lock` says against `holders`, or None. A word that the core lacks says nothing."""
    address, kind, library = int(lock["address"], 16), lock["type"], lock["library"]
    if not holders:
        return None
    if library == "glibc" and kind == "mutex":
        words = core.read(address, "<IIi")
        if words and (words[0] == 0 or [words[2]] != holders):
            return f"mutex {lock['address']}: word {words[0]:#x}, owner {words[2]}, claimed {holders}"
    if library == "glibc" and kind == "rwlock":
        words = core.read(address, "<IIIIIIi")
        if words:
            readers, writer = words[0] >> 3, words[6]
            if writer and holders != [writer] or not writer and readers < len(holders):
                return f"rwlock {lock['address']}: {readers} readers, writer {writer}, claimed {holders}"
    if library == "Rust std" and kind in ("mutex", "rwlock"):
        words = core.read(address, "<I")
        if words:
            readers = words[0] & 0x3FFFFFFF
            if words[0] == 0 or kind == "rwlock" and readers != 0x3FFFFFFF and readers < len(holders):
                return f"Rust's {kind} {lock['address']}: word {words[0]:#x}, claimed {holders}"
    return None


def documents(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read()
    decoder, position = json.JSONDecoder(), 0
    while (position := text.find('{\n  "schema"', position)) >= 0:
        document, position = decoder.raw_decode(text, position)
        yield document


def judge(report, core, fine):
    verdict = report["verdict"]
    wrong = [
        f"{finding['kind']} ({finding['certainty']}): {finding['summary']}"
        for finding in report["findings"]
        if finding["kind"] not in fine
    ]
    if verdict not in fine and not wrong:
        wrong.append(f"the verdict is {verdict}")
    if core:
        claims = {}
        for thread in report["threads"]:
            for lock in thread["holds"]:
                claims.setdefault(lock, set()).add(thread["tid"])
        for finding in report["findings"]:
            for edge in finding["edges"]:
                claims.setdefault(edge["lock"], set()).update(edge["holders"])
        for lock in report["locks"]:
            if reason := contradiction(core, lock, sorted(claims.get(lock["id"], ()))):
                wrong.append(reason)
    return f"WRONG {verdict} {'; '.join(wrong)}" if wrong else f"ok {verdict}"


def main(arguments):
    core, fine, paths = None, set(FINE), []
    arguments = iter(arguments)
    for argument in arguments:
        if argument == "--core":
            core = Core(next(arguments))
        elif argument.startswith("--may="):
            fine.add(argument.removeprefix("--may="))
        else:
            paths.append(argument)
    for path in paths:
        for report in documents(path):
            print(judge(report, core, fine))


main(sys.argv[1:])
