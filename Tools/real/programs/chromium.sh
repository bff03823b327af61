# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# A browser without a window: a dozen processes, hundreds of threads, sandboxes, an allocator of its own.
needs="chromium"
packages="chromium"
command=(timeout -k 5 120 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --user-data-dir="$work/profile"
  --virtual-time-budget=5000 --dump-dom "file://$work/page.html")
prepare() { echo '<html><body><p id="p">no</p><script>document.getElementById("p").textContent = "hel" + "lo";</script></body></html>' >"$work/page.html"; }
result() { grep -o '<p id="p">[^<]*</p>' "$1"; }
