# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# Two Python threads, two threading.Locks: semaphores, of which only the shim records who has one.
needs="/usr/bin/python3"
packages="python3"
command=(/usr/bin/python3 "$root/Samples/python/two_locks.py")
provoke() { sleep 2; }
says='idle' tells='threading.Lock is a semaphore'
says_run='deadlock'
