#!/bin/sh
# The API by curl alone: list, rent, read, send, end, balance. `make run` prints the two variables it needs.
#     DTMF_URL=http://127.0.0.1:8000 DTMF_TOKEN=dtmf_… sh examples/curl.sh [their number]
set -eu
: "${DTMF_URL:?where is the service? export DTMF_URL=…}" "${DTMF_TOKEN:?who asks? export DTMF_TOKEN=…}"
them=${1:-+13105550123} # who gets the SMS

# api METHOD PATH [BODY]: shows the request, then the answer
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
e164=$(echo "$number" | sed 's/.*"e164":"+\([0-9]*\)".*/\1/') # a + is %2B in a URL

api GET "/number?e164=%2B$e164"
api POST /message "{\"from\": \"+$e164\", \"to\": \"$them\", \"content\": \"Hello by curl\"}"
api GET /numbers
api DELETE "/number?e164=%2B$e164"
api GET /account
