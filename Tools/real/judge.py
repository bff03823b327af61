#!/usr/bin/python3
"""Judges reports about programs that are known to work: judge.py [--core CORE] [--claims FILE] [--may=KIND]... REPORT...

Each REPORT is one JSON document, or several after each other with other lines between (what `lockjaw run` leaves on
standard error). For each document one line is printed: `ok VERDICT` or `WRONG VERDICT why`. Wrong are a verdict that
says a working program hangs, and, with the core that the report was made from, a claimed holder that the lock's own
word contradicts. The words are read here from the core's bytes by the C library's, Rust's and parking_lot's published
layouts, so nothing of lockjaw's own decoding is believed. FILE gets a line with two numbers: locks with a claimed holder
whose word was read here, and those for which it could not be (the core lacks it, or the layout is not known here).
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


def layout(lock):
    """How the lock's words are read; None where that is not known here."""
    kind, library = lock["type"], lock["library"]
    if library == "glibc":
        return {"mutex": "<IIi", "rwlock": "<IIIIIIi"}.get(kind)
    if library == "Rust std" and kind in ("mutex", "rwlock"):
        return "<I"
    if library == "parking_lot":
        return {"mutex": "<B", "rwlock": "<Q"}.get(kind)
    return None


def contradiction(lock, words, holders):
    """What the words of `lock` say against `holders`, or None."""
    kind, library = lock["type"], lock["library"]
    if library == "glibc" and kind == "mutex":
        if words[0] == 0 or [words[2]] != holders:
            return f"mutex {lock['address']}: word {words[0]:#x}, owner {words[2]}, claimed {holders}"
    elif library == "glibc":
        readers, writer = words[0] >> 3, words[6]
        if writer and holders != [writer] or not writer and readers < len(holders):
            return f"rwlock {lock['address']}: {readers} readers, writer {writer}, claimed {holders}"
    elif library == "Rust std":
        readers = words[0] & 0x3FFFFFFF
        if words[0] == 0 or kind == "rwlock" and readers != 0x3FFFFFFF and readers < len(holders):
            return f"Rust's {kind} {lock['address']}: word {words[0]:#x}, claimed {holders}"
    elif kind == "mutex":
        if not words[0] & 1 or len(holders) != 1:
            return f"parking_lot's mutex {lock['address']}: word {words[0]:#x}, claimed {holders}"
    else:
        readers, is_written = words[0] >> 4, words[0] & 8
        if len(holders) > (1 if is_written and not readers else readers):
            return f"parking_lot's rwlock {lock['address']}: word {words[0]:#x}, claimed {holders}"
    return None


def documents(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read()
    decoder, position = json.JSONDecoder(), 0
    while (position := text.find('{\n  "schema"', position)) >= 0:
        document, position = decoder.raw_decode(text, position)
        yield document


def judge(report, core, fine, counted):
    verdict = report["verdict"]
    wrong = [
        f"{finding['kind']} ({finding['certainty']}): {finding['summary']}"
        for finding in report["findings"]
        if finding["kind"] not in fine
    ]
    if verdict not in fine and not wrong:
        wrong.append(f"the verdict is {verdict}")
    if core:
        claims, waits = {}, {thread["tid"]: thread["waits_for"] for thread in report["threads"]}
        for thread in report["threads"]:
            for lock in thread["holds"]:
                claims.setdefault(lock, set()).add(thread["tid"])
        for finding in report["findings"]:
            for edge in finding["edges"]:
                # A reader's edge lists the writers that are let in before it, too: those wait, and are no holders.
                ahead = {tid for tid in edge.get("waiting_writers", ()) if waits.get(tid) == edge["lock"]}
                claims.setdefault(edge["lock"], set()).update(set(edge["holders"]) - ahead)
        for lock in report["locks"]:
            holders, form = sorted(claims.get(lock["id"], ())), layout(lock)
            if not holders:
                continue
            words = core.read(int(lock["address"], 16), form) if form else None
            counted["checked" if words else "not checkable"] += 1
            if words and (reason := contradiction(lock, words, holders)):
                wrong.append(reason)
    return f"WRONG {verdict} {'; '.join(wrong)}" if wrong else f"ok {verdict}"


def main(arguments):
    core, fine, paths, claims, counted = None, set(FINE), [], None, {"checked": 0, "not checkable": 0}
    arguments = iter(arguments)
    for argument in arguments:
        if argument == "--core":
            core = Core(next(arguments))
        elif argument == "--claims":
            claims = next(arguments)
        elif argument.startswith("--may="):
            fine.add(argument.removeprefix("--may="))
        else:
            paths.append(argument)
    for path in paths:
        for report in documents(path):
            print(judge(report, core, fine, counted))
    if claims:
        with open(claims, "w", encoding="ascii") as file:
            print(counted["checked"], counted["not checkable"], file=file)


main(sys.argv[1:])
