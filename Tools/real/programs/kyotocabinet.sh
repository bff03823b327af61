# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# A C++ database's own tests, eight threads on one file and on one directory: rwlocks, a mutex for each slot, spin locks.
needs="kchashtest kcdirtest"
packages="kyotocabinet-utils"
command=(bash -c 'set -e
  rm -rf "$0".*
  kchashtest order -th 8 -rnd "$0.order.kch" 20000
  kchashtest wicked -th 8 -it 2 "$0.wicked.kch" 20000
  kcdirtest wicked -th 8 "$0.wicked.kcd" 200
  kcdirtest queue -th 8 "$0.queue.kcd" 200' "$work/db")
# Every step ends in "ok", or in "error" with a status of its own; figures and times differ from run to run.
result() { grep -E '^(ok|error)$|^<' "$1" | sed -E 's/seed=[0-9]+//'; }
