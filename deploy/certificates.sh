#!/usr/bin/env bash
# Certificates for trying out mutual TLS between agents, a colony and an operator: an authority and three pairs.
#
#   deploy/certificates.sh DIRECTORY [COLONY [DAYS]]
#
# COLONY (default: main) is the id in spiffe://coral/colony/COLONY; DAYS (default: 90) how long the pairs are valid. The authority
# is made once and valid for ten years; run the script again and the pairs are made anew, under the same authority.
#
#   DIRECTORY/ca.crt, ca.key            the authority; keep ca.key away from every node
#   DIRECTORY/agent/{tls.crt,tls.key,ca.crt}     every agent: DNS name agent.coral; lets in whom ca.crt has signed
#   DIRECTORY/colony/{tls.crt,tls.key,ca.crt}    the colony: URI spiffe://coral/colony/COLONY
#   DIRECTORY/operator/{tls.crt,tls.key,ca.crt}  a person: URI spiffe://coral/colony/COLONY-operator, for coral-agent spans --tls-…
#
# In production let cert-manager or SPIRE issue them: they renew before they expire.
set -euo pipefail

directory=${1:?"write where: deploy/certificates.sh DIRECTORY [COLONY [DAYS]]"}
colony=${2:-main}
days=${3:-90}
if [[ ! $colony =~ ^[A-Za-z0-9._-]+$ ]]; then
    echo "COLONY = \"$colony\": write letters, digits, dots, underscores and hyphens" >&2
    exit 2
fi
if [[ ! $days =~ ^[1-9][0-9]*$ ]]; then
    echo "DAYS = \"$days\": write a whole number of days" >&2
    exit 2
fi
umask 077
mkdir -p "$directory"

if [ ! -e "$directory/ca.key" ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 -days 3650 -subj "/CN=Coral try-out authority" \
        -addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign" \
        -keyout "$directory/ca.key" -out "$directory/ca.crt" 2>/dev/null
fi

# pair NAME SUBJECT_ALTERNATIVE_NAME EXTENDED_KEY_USAGE: new files are renamed over old ones, as agents that reload them expect.
pair() {
    local home=$directory/$1
    mkdir -p "$home"
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 -subj "/CN=coral $1" \
        -keyout "$home/.tls.key" -out "$home/.csr" 2>/dev/null
    printf '%s\n' "basicConstraints=critical,CA:FALSE" "keyUsage=critical,digitalSignature" "extendedKeyUsage=$3" \
        "subjectAltName=$2" "subjectKeyIdentifier=hash" "authorityKeyIdentifier=keyid" >"$home/.extensions"
    openssl x509 -req -sha256 -days "$days" -in "$home/.csr" -CA "$directory/ca.crt" -CAkey "$directory/ca.key" \
        -set_serial "0x$(openssl rand -hex 16)" -extfile "$home/.extensions" -out "$home/.tls.crt" 2>/dev/null
    rm "$home/.csr" "$home/.extensions"
    mv "$home/.tls.key" "$home/tls.key"
    mv "$home/.tls.crt" "$home/tls.crt"
    cp "$directory/ca.crt" "$home/ca.crt"
}

pair agent "DNS:agent.coral" "serverAuth"
pair colony "URI:spiffe://coral/colony/$colony" "clientAuth"
pair operator "URI:spiffe://coral/colony/$colony-operator" "clientAuth"
echo "in $directory: ca.crt, and for the agent, the colony and an operator tls.crt, tls.key and ca.crt, valid for $days days"
