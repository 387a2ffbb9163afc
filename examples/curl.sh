#!/bin/sh
# The API with curl: list, rent, read, send, end, balance. `make run` prints the two variables that this script needs.
#     DTMF_URL=http://127.0.0.1:8000 DTMF_TOKEN=dtmf_… sh examples/curl.sh [RECIPIENT]
set -eu
: "${DTMF_URL:?is not set: export the address of the service}" "${DTMF_TOKEN:?is not set: export your token}"
them=${1:-+13105550123} # the recipient of the SMS

# api METHOD PATH [BODY]: print the request, then the response
api() {
    method=$1 path=$2
    shift 2
    echo "$method /api/v1$path $*" >&2
    curl --silent --show-error --fail-with-body --request "$method" "$DTMF_URL/api/v1$path" \
        --header "Authorization: Bearer $DTMF_TOKEN" ${1:+--data "$1"} || { echo && exit 1; }
    echo
}

api GET '/groups?type=mobile'

number=$(api POST /numbers '{"group_id": "us-mobile"}') || { echo "$number" && exit 1; }
echo "$number"
e164=$(echo "$number" | sed 's/.*"e164":"+\([0-9]*\)".*/\1/') # encode a + as %2B in a URL

api GET "/number?e164=%2B$e164"
api POST /message "{\"from\": \"+$e164\", \"to\": \"$them\", \"content\": \"Hello from curl\"}"
api GET /numbers
api DELETE "/number?e164=%2B$e164"
api GET /account
