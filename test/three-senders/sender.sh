#!/usr/bin/env bash
# Sends 1, 2, 3 ... with curl, each under a key of its own: sender.sh <socket> <stop file> <numbers file>. A number is on file before
# it goes, so whoever goes on begins with one that may be stored already, under the same key. Says the last number when it stops.
set -u
socket=$1 stop=$2 file=$3

number=$(tail -n 1 "$file" 2>/dev/null)
number=${number:-1}
while [ ! -e "$stop" ]; do
  echo "$number" >>"$file"
  until curl -sS --fail --max-time 5 --unix-socket "$socket" -d "curl $number" "http://ringmail/v1/send/bags?sendKey=curl-$number" >/dev/null 2>&1; do
    sleep 0.02
  done
  number=$((number + 1))
done
echo "last $((number - 1))"
