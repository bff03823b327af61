# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# SBCL: Lisp threads on futexes; the collector stops them by signals, whose handlers wait on semaphores, in the middle of anything.
needs="sbcl"
packages="sbcl"
command=(sbcl --noinform --non-interactive --no-sysinit --no-userinit --load "$tools/sources/threads.lisp")
