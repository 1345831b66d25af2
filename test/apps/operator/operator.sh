#!/usr/bin/env bash
# Three agents under one key, as an operator runs them from a shell: start, write, look, rotate the key, keep a stranger out, end.
# Run in a folder with @grapevine/cli installed. Prints one line for each thing that was seen; ends with 1 where one was not.
set -euo pipefail

PATH=$PWD/node_modules/.bin:$PATH
pids=()
trap 'kill -KILL "${pids[@]}" 2>/dev/null || true' EXIT

new_key() { od -An -tx1 -N32 /dev/urandom | tr -d ' \n'; }

# Waits until a command succeeds, at most a minute.
wait_for() {
  local end=$((SECONDS + 60))
  until "${@:2}"; do
    [ $SECONDS -lt $end ] || { echo "not in time: $1" >&2; tail -n 20 ./*.out ./*.err >&2; exit 1; }
    sleep 0.1
  done
}

# The shell makes the files of what it starts in the background: one may not be there yet.
said() { grep -qsE "$2" "$1"; }
said_by_all() { for name in a b c; do said "$name.$1" "$2" || return 1; done; }
times() { [ "$(grep -csE "$2" "$1" || true)" = "$3" ]; }
rotated_by_all() { for name in a b c; do times "$name.err" '^keys were read again' "$1" || return 1; done; }

# Starts an agent: its name, its key file, and what else it takes. Lines for it go into the pipe NAME.in.
start() {
  local name=$1 key_file=$2
  mkfifo "$name.in"
  grapevine agent --name "$name" --listen 0 --gossip flags --key-file "$key_file" --json "${@:3}" \
    <"$name.in" >"$name.out" 2>"$name.err" &
  pids+=($!)
  declare -g "pid_$name=$!"
}

url_of() { grep -m1 '"event":"ready"' "$1.out" | sed -E 's/.*"url":"([^"]+)".*/\1/'; }

umask 077
old=$(new_key) new=$(new_key)
echo "$old" >keys
new_key >other-keys

start a keys
exec 3>a.in
wait_for 'a is ready' said a.out '"event":"ready"'
url=$(url_of a)
start b keys --join "$url"
exec 4>b.in
start c keys --join "$url"
exec 5>c.in
wait_for 'b is ready' said b.out '"event":"ready"'
wait_for 'c is ready' said c.out '"event":"ready"'

everybody_there() {
  grapevine members "$url" --key-file keys --json >members.json 2>members.err
  local name
  for name in a b c; do
    said members.json "\"name\":\"$name\",[^{]*\"meta\":\{\},\"state\":\"alive\"" || return 1
  done
}
wait_for 'three members' everybody_there
echo 'members: a b c'

echo '{"id": "dark-mode", "value": {"on": true}}' >&4
wait_for 'the flag everywhere' said_by_all out '"id":"dark-mode","value":\{"on":true\}'
echo 'written at b, read at a b c'

start d other-keys --join "$url"
exec 6>d.in
wait_for 'the refusal at d' said d.err 'KEY_MISMATCH'
wait_for 'the refusal at a' said a.err 'KEY_MISMATCH'
said d.out '"event":"nodeup"' && exit 1
kill -TERM "$pid_d"
echo 'another key: KEY_MISMATCH, at both ends'

if grapevine members "$url" --timeout 20s >without.out 2>without.err; then exit 1; fi
grep -q 'has none: give both the same security.keys (--key-file)' without.err
echo 'members without a key: refused, and told the cure'

# Take both; use the new one; take the new one alone.
rotated=0
for keys in "$old $new" "$new $old" "$new"; do
  tr ' ' '\n' <<<"$keys" >keys
  kill -HUP "$pid_a" "$pid_b" "$pid_c"
  rotated=$((rotated + 1))
  wait_for "rotation $rotated" rotated_by_all "$rotated"
done
wait_for 'three members under the new key' everybody_there
echo '{"id": "dark-mode", "remove": true}' >&5
wait_for 'the removal everywhere' said_by_all out '"event":"removed".*"id":"dark-mode"'
echo 'rotated; removed at c, gone at a b c'

# A command for one write: it ends once another node has it, and with an error where nobody does.
echo '{"id": "once", "value": 1}' | grapevine agent --name e --gossip flags --key-file keys --join "$url" --exit-on-end >e.out 2>e.err
wait_for 'the write of a command' said_by_all out '"id":"once"'
echo 'written by a command that ends: read at a b c'
if echo '{"id": "lost", "value": 1}' | grapevine agent --name f --gossip flags --key-file other-keys --join "$url" \
  --exit-on-end >f.out 2>f.err; then exit 1; fi
echo 'written under another key: an error'

# Written in the last moment: an agent that ends stores what it has read, and hands it over.
echo '{"id": "last", "value": 1}' >&4
wait_for 'b has read it' said b.out '"id":"last"'
kill -TERM "$pid_b"
wait "$pid_b"
wait_for 'the last word at a' said a.out '"id":"last"'
wait_for 'the last word at c' said c.out '"id":"last"'
wait_for 'the goodbye' said a.out '"event":"nodeleft".*"id":"b"'
kill -TERM "$pid_a" "$pid_c"
wait "$pid_a"
wait "$pid_c"
echo 'ended in good order: a b c'
