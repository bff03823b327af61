# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# git: a clone packs and indexes with threads.
needs="git"
packages="git"
command=(bash -c 'rm -rf clone && git clone --quiet --bare "file://$1" clone && git -C clone fsck --full --no-progress && git -C clone rev-list --all --count' clone "$work/source")
prepare() {
  git init -q "$work/source"
  cd "$work/source"
  for i in $(seq 1 40); do
    seq "$i" $((i * 400)) >"file$((i % 13))"
    git add . && git -c user.name=n -c user.email=e commit -qm "$i"
  done
}
