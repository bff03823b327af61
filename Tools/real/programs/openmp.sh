# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# OpenMP: libgomp's threads spin, then sleep on futexes by system calls of their own, which no library sees.
needs="gcc"
packages="gcc libc6-dev libgomp1"
command=(bash -c './threads && OMP_WAIT_POLICY=passive ./threads')
prepare() { gcc -g -O1 -fopenmp "$tools/sources/openmp.c" -o threads; }
