#!/usr/bin/python3
"""An HTTP server with a thread for each request; each meets a lock, a condition and a queue."""
import http.server
import queue
import sys
import threading

lock, changed, requests, count = threading.Lock(), threading.Condition(), queue.Queue(64), 0


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global count
        with lock:
            count += 1
        with changed:
            changed.notify()
        requests.put(count)
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"hello\n")

    def log_message(self, *_):
        pass


def drain():
    while True:
        requests.get()


def watch():
    with changed:
        while True:
            changed.wait()


for task in (drain, watch):
    threading.Thread(target=task, daemon=True).start()
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
