#!/usr/bin/python3
# A stock book and an order book, each with a threading.Lock. CPython's locks are semaphores to the C library: who holds
# one is known only from whose wait on it succeeded last, and any thread may post it: lockjaw suspects, once it has lasted.
#
# The lines below are Python's; the native stacks that lockjaw shows end in the interpreter, so frames=interpreter.
#
# lockjaw: verdict=deadlock certainty=suspect threads=2 frames=interpreter
import ctypes
import os
import signal
import threading

PR_SET_NAME = 15
libc = ctypes.CDLL(None, use_errno=True)

stock_lock = threading.Lock()
orders_lock = threading.Lock()
both_hold_one = threading.Barrier(2)
stock = {"apples": 7}
orders = []


def ship():
    libc.prctl(PR_SET_NAME, b"shipping")
    with stock_lock:  # lockjaw: holds stock thread=shipping
        both_hold_one.wait()
        with orders_lock:  # lockjaw: waits orders thread=shipping
            stock["apples"] -= len(orders)
            orders.clear()


def order():
    libc.prctl(PR_SET_NAME, b"ordering")
    with orders_lock:  # lockjaw: holds orders thread=ordering
        both_hold_one.wait()
        with stock_lock:  # lockjaw: waits stock thread=ordering
            orders.extend(["apple"] * stock["apples"])


if "LOCKJAW_SAMPLE_FOREVER" not in os.environ:
    signal.alarm(300)
threading.Thread(target=ship, daemon=True).start()
threading.Thread(target=order, daemon=True).start()
while True:
    signal.pause()
