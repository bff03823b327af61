# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# Kyoto Cabinet's own test of its directory database: four threads do anything at random under its rwlocks, and check it.
needs="kcdirtest"
packages="kyotocabinet-utils"
command=(kcdirtest wicked -th 4 -it 4 "$work/casket" 1000)
result() { grep -E '^ok$' "$1"; }
