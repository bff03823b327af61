# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# A process that executes itself every few milliseconds: looks come while it is being born, and while threads end.
needs="gcc"
packages="gcc libc6-dev"
command=("$work/churn" 1500)
prepare() { gcc -O1 -Wall -Wextra -Werror -pthread "$tools/sources/churn.c" -o "$work/churn"; }
