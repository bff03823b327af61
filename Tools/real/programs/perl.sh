# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# Perl's threads: an interpreter each, one mutex and condition for all that is shared.
needs="perl"
packages="perl"
command=(perl "$tools/sources/threads.pl")
