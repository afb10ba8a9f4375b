#!/bin/sh
# Checks the model of the protocol: as it is it must pass, and without one of its rules it must fail as told. README.md says more.
set -eu

for tool in spin gcc; do
  command -v "$tool" >/dev/null || {
    echo "check.sh needs $tool, which is not here. On Debian or Ubuntu: apt-get install spin gcc" >&2
    exit 2
  }
done

model=$(cd "$(dirname "$0")" && pwd)/cutover.pml
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cd "$work"
wrong=0

# check <name> <what must come of it> <-D switches of the model>
check() {
  case $3 in
    *HOLDS*) how='-DNFAIR=3' search='-a -f' ;;
    *) how='-DSAFETY' search='' ;;
  esac
  rm -f pan*
  # shellcheck disable=SC2086 # lists of words
  {
    spin -a $3 "$model" >spin.out 2>&1 || { cat spin.out >&2; exit 2; }
    gcc -O2 -w -DCOLLAPSE -DMEMLIM=4096 $how -o pan pan.c
    ./pan -m1000000 -w24 $search >pan.out 2>&1 || true
  }
  # Nothing but a search that went through counts as passed: not one that was cut short by memory, depth or a signal.
  result=$(awk '
    /assertion violated/ { print $4; found = 1; exit }
    /acceptance cycle/ && /^pan/ { print "every_hold_ends"; found = 1; exit }
    /not completed|too small|out of memory|recompile|interrupted/ { cut = 1 }
    /errors: 0$/ { clean = 1 }
    END { if (!found) print clean && !cut ? "passes" : "unfinished" }' pan.out)
  [ "$result" = "$2" ] && verdict=ok || { verdict=WRONG; wrong=1; }
  states=$(awk '/states, stored/ { print $1; exit }' pan.out)
  seconds=$(awk '/elapsed time/ { print $4; exit }' pan.out)
  printf '%-42s %-16s %-16s %10s %7s  %s\n' "$1" "$2" "$result" "${states:-?}" "${seconds:-?}" "$verdict"
}

printf '%-42s %-16s %-16s %10s %7s\n' variant expected result states seconds

small='-DCOORDINATORS=1 -DEPOCHS=2 -DWRITES=2'
holds='-DCOORDINATORS=1 -DEPOCHS=2 -DWRITES=1 -DHOLDS'

check 'as it is: two rivals' passes '-DCOORDINATORS=2 -DEPOCHS=2 -DWRITES=2'
check 'as it is: three attempts' passes '-DCOORDINATORS=1 -DEPOCHS=3 -DWRITES=2'
check 'as it is: two members' passes '-DCOORDINATORS=1 -DEPOCHS=2 -DWRITES=1 -DMEMBERS=2'
check 'as it is: databases crash' passes "$small -DCRASHES"
check 'as it is: holds' passes "$holds"

check 'epoch row on N, "no row -> unfence"' one_writer "$small -DONLY_ONE_WRITER -DEPOCH_ON_N"
check 'prepare without the guard' one_writer "$small -DONLY_ONE_WRITER -DNO_GUARD"
check 'abort and open without compare-and-set' one_writer "$small -DONLY_ONE_WRITER -DNO_CAS"
check 'decide without compare-and-set' one_writer "$small -DONLY_ONE_WRITER -DBLIND_DECIDE"
check 'reads on N before its row says writer' no_stale_read "$small -DONLY_NO_STALE_READ -DREAD_N_EARLY"
check 'confirmed by the row of the other side' no_stale_read "$small -DONLY_NO_STALE_READ -DCONFIRM_BY_OTHER"
check 'a member that does not ack is left out' no_stale_read "$small -DONLY_NO_STALE_READ -DNO_WAITING_OUT"
check 'members listed before the fence' no_stale_read "$small -DONLY_NO_STALE_READ -DLIST_EARLY"
check 'an answer from before the ack confirms' no_stale_read "$small -DONLY_NO_STALE_READ -DACK_KEEPS_QUERY"
check 'prepare writes mirror unconditionally' every_hold_ends "$holds -DMIRROR_ALWAYS"
check 'fence without locks' nothing_lost "$small -DONLY_NOTHING_LOST -DNO_LOCK"
check 'reverse without its guard' nothing_lost "$small -DONLY_NOTHING_LOST -DNO_TURN_GUARD"
check 'reverse before the worker has gone' nothing_lost "$small -DONLY_NOTHING_LOST -DNO_WORKER_WAIT"
check 'catch-up without a flush' nothing_lost "$small -DONLY_NOTHING_LOST -DCRASHES -DNO_FLUSH"

exit "$wrong"
