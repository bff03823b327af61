# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# CPython's own tests of threads and locks: thousands of short threads, forks, locks held at exit, deadlocks avoided.
needs="/usr/bin/python3"
packages="python3 libpython3.11-testsuite"
command=(/usr/bin/python3 -m test test_thread test_threading test_queue test_threadsignals test_threading_local)
prepare() { /usr/bin/python3 -c 'import test.test_threading'; }
result() { grep -E '^(All [0-9]+ tests OK|Tests result|Result):?' "$1"; }
