#!/bin/sh
# Runs a command as the container does: uid 10001, no capability, no new privileges, no memory that is both writable and executable, and
# nothing but VOLUME writable. As root: restricted.sh VOLUME COMMAND…
set -eu
volume=$1
shift
# As the kubelet makes an emptyDir with fsGroup: root's, its group may write.
chown 0:10001 "$volume"
chmod 2777 "$volume"
exec unshare --mount --propagation private sh -c '
    volume=$1
    shift
    mount --bind "$volume" "$volume"
    findmnt --raw --noheadings --output TARGET | while read -r target; do
        case $target in "$volume" | /proc* | /sys* | /dev*) continue ;; esac
        mount -o remount,bind,ro "$target"
    done
    exec setpriv --reuid 10001 --regid 10001 --clear-groups --bounding-set=-all --inh-caps=-all --ambient-caps=-all --no-new-privs "$@"
' sh "$volume" "$@"
