#!/bin/sh
# Rents a number, waits for the code that somebody sends to it, ends the rental; the command `dtmf` does it all.
#     sh examples/receive_code.sh              waits until an SMS comes, at most 3 minutes
#     sh examples/receive_code.sh --sandbox    in the sandbox: also pays, and is the phone that sends
# Prints the number, the SMS as JSON, then the code. Whatever happens, the rental ends. `dtmf login` says who you are.
set -eu

[ "${1:-}" != --sandbox ] || dtmf sandbox deposit 50,000 >&2

number=
trap '[ -z "$number" ] || dtmf end "$number" --yes >&2' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
rented=$(dtmf rent us-mobile --json) # exit status 5 without money, 6 without a free number: the script ends with it
number=$(printf '%s\n' "$rented" | sed -n 's/^ *"e164": "\(.*\)",$/\1/p')
echo "$number" # give this to whoever sends the code

if [ "${1:-}" = --sandbox ]; then
    dtmf sandbox receive "$number" MyShop "482-913 is your MyShop code. It expires in 10 minutes." >&2 &
fi

dtmf wait "$number" --json # exit status 8 when nothing comes in time, which ends this script
dtmf wait "$number" --code
