# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# QEMU's block layer: coroutines that jump between stacks and threads, a pool of workers, events made of futexes.
needs="qemu-img qemu-io"
packages="qemu-utils"
command=(bash -c 'set -e
  rm -f copy.* && qemu-img convert -f raw -O qcow2 -c -m 16 -W source copy.packed && qemu-img convert -O qcow2 -m 8 -W copy.packed copy.qcow2
  qemu-img bench -f qcow2 -c 4000 -d 32 -s 4096 -S 8192 copy.qcow2 >bench && qemu-img bench -w -i threads -f qcow2 -c 2000 -d 16 -o 16M copy.packed >bench
  qemu-io -c "aio_write -P 7 0 1M" -c "aio_write -P 9 4M 1M" -c aio_flush -c "read -P 7 0 1M" copy.qcow2 >io
  qemu-img check copy.qcow2 && qemu-img compare source copy.qcow2 || [[ $? == 1 ]] && sha256sum <(qemu-img dd -f qcow2 -O raw bs=1M if=copy.qcow2 of=copy.raw && cat copy.raw)')
prepare() { seq 1 8000000 >source; truncate -s 64M source; }
result() { grep -oE '^[0-9a-f]{64}|^No errors.*|^Content mismatch.*' "$1"; }
