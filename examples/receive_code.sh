#!/bin/sh
# Rent a number, wait for a code and end the rental with the command `dtmf`.
#     sh examples/receive_code.sh              waits for an SMS, at most 3 minutes
#     sh examples/receive_code.sh --sandbox    in a sandbox: also deposits coins and sends the code
# Prints the number, the SMS as JSON, then the code. The rental always ends. Sign in with `dtmf login` first.
set -eu

[ "${1:-}" != --sandbox ] || dtmf sandbox deposit 50,000 >&2

number=
trap '[ -z "$number" ] || dtmf end "$number" --yes >&2' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
rented=$(dtmf rent us-mobile --json) # the script exits with 5 if the balance is too low, 6 if no number is free
number=$(printf '%s\n' "$rented" | sed -n 's/^ *"e164": "\(.*\)",$/\1/p')
echo "$number" # enter this number on the website that sends the code

if [ "${1:-}" = --sandbox ]; then
    dtmf sandbox receive "$number" MyShop "482-913 is your MyShop code. It expires in 10 minutes." >&2 &
fi

dtmf wait "$number" --json # the script exits with 8 if no SMS arrives in time
dtmf wait "$number" --code
