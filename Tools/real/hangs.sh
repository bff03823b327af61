# shellcheck shell=bash disable=SC2034,SC2154,SC1091
# A program that works is made to hang, by its users' means: what is said then, and that nothing is said that is not so.

look_at_hang() {
  local pid i kind
  "${environment[@]}" "${command[@]}" >"$work/server.log" 2>&1 &
  pid=$!
  # shellcheck disable=SC2034  # for one_look
  stall=1
  provoke || { wrong "it does not hang" "$work/server.log"; row looks "WRONG: does not hang" "" "" ""; stop "$pid"; return 0; }
  sleep 1.5 # longer than the stall
  begin_looks
  for ((i = 0; i < looks; i++)); do
    for kind in attach all-stacks no-stop dump; do
      one_look "$pid" "$kind"
      # A look makes threads run, and the next one counts what they have waited since.
      sleep 1.2
    done
  done
  is_free "$pid" || { ((++bad)); wrong "$pid was left stopped"; }
  report_looks "looks, hung" ""
  kill -KILL "$pid"
  wait "$pid" 2>/dev/null || true
  unprovoke
}

unprovoke() { :; }

run_hang() {
  local pid target found='' bad=0
  "${environment[@]}" "$lockjaw" run --stall 1 --format json -- "${command[@]}" >"$work/server.log" 2>"$work/run.err" &
  pid=$!
  provoke || { wrong "run: it does not hang" "$work/server.log" "$work/run.err"; row run "WRONG: does not hang" "" "" ""; stop "$pid"; return 0; }
  target=$(child_of "$pid")
  if [[ -n $says_run ]]; then
    wait_until 15 grep -qE "\"verdict\": \"($says_run)\"" "$work/run.err" || { ((++bad)); wrong "run: no $says_run" "$work/run.err"; }
  else
    sleep 4
  fi
  kill -KILL "$target"
  unprovoke
  wait "$pid" 2>/dev/null || true
  wait_until 10 is_gone "$pid" || { ((++bad)); wrong "run: lockjaw stays"; }
  found=$(grep -hoE '"verdict": "[a-z-]+"|"certainty": "[a-z]+"' "$work/run.err" | cut -d '"' -f 4 | paste -sd ' ')
  if [[ -z $says_run ]] && "$tools/judge.py" "$work/run.err" | grep -q WRONG; then ((++bad)); wrong "run: $found" "$work/run.err"; fi
  row "run, hung" "$( ((bad)) && echo "WRONG: $bad" || echo right)" "${found:-none}" "" ""
}
