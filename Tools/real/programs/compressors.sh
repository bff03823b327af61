# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# xz, zstd and pigz with threads; gcc with a linker that optimises in several processes.
needs="xz zstd pigz"
packages="xz-utils zstd pigz"
command=(bash -c 'set -e
  xz -k -c -2 -T4 --block-size=512KiB source | tee source.xz | sha256sum && xz -d -c -T4 source.xz | sha256sum
  zstd -q -c -T4 -B512K source | sha256sum && zstd -q -c -T0 --rsyncable source | zstd -d -c | sha256sum
  pigz -n -c -p 4 source | tee source.gz | sha256sum && pigz -d -c source.gz | sha256sum')
prepare() { seq 1 1500000 >source; }
