#!/bin/sh
# Makes an nkey for each role: the seed in keys/, the public key in .env. Needs nk, a tool of NATS, which an image has:
#
#   docker run --rm --user "$(id -u)" -v "$PWD:/deploy" natsio/nats-box sh /deploy/keys.sh
set -eu
cd "$(dirname "$0")"
[ ! -e .env ] || { echo "keys.sh: .env exists: remove it and keys/ to make new keys" >&2; exit 1; }

mkdir -m 700 keys # only you can enter it; the user in a container can read the file that is mounted there
for role in feeder worker collector viewer operator; do
  nk -gen user > "keys/$role.nk"
  public="$(nk -inkey "keys/$role.nk" -pubout)"
  echo "$(echo "$role" | tr a-z A-Z)_NKEY=$public"
done > .env.part
echo "FANOUT_RUN=first" >> .env.part
mv .env.part .env
