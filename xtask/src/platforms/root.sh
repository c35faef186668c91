#!/bin/sh
# root.sh FOLDER [NAME=PATH]... -- COMMAND...: runs the command where PATH is at /NAME, the names of Envoy Gateway are
# this machine and nothing of /var/lib is there; for a mount namespace of its own, which keeps it from others.
set -eu
root=$(mktemp -d "$1/root.XXXXXX")
shift
mount -t tmpfs none "$root"
for entry in /*; do
    name=${entry#/}
    if [ -L "$entry" ]; then cp -P "$entry" "$root/"
    elif [ -d "$entry" ]; then mkdir "$root/$name" && mount --rbind "$entry" "$root/$name"
    fi
done
mount -t tmpfs none "$root/var/lib"
echo "127.0.0.1 localhost envoy-gateway envoy-gateway.envoy-gateway-system.svc.cluster.local" >"$root/hosts"
mount --bind "$root/hosts" "$root/etc/hosts"
while [ "$1" != -- ]; do
    at="$root/${1%%=*}" path=${1#*=}
    if [ -d "$path" ]; then mkdir "$at"; else : >"$at"; fi
    mount --bind "$path" "$at"
    shift
done
shift
exec chroot "$root" "$@"
