#!/bin/sh
# Runs a command as the container does: uid 10001, no capability, no new privileges, nothing but VOLUME writable; and, as the systemd units
# do, without memory that is both writable and executable (from Linux 6.3 on). As root: restricted.sh VOLUME COMMAND…
# CGROUP: a directory of /sys/fs/cgroup to go into first. PYTHON: an interpreter that uid 10001 can run, else python3.
set -eu
volume=$1
shift
if [ -n "${CGROUP:-}" ]; then
    echo $$ >"$CGROUP/cgroup.procs"
fi
# As the kubelet makes an emptyDir with fsGroup: root's, its group may write.
chown 0:10001 "$volume"
chmod 2777 "$volume"
# PR_SET_MDWE with PR_MDWE_REFUSE_EXEC_GAIN, which every later program inherits: what MemoryDenyWriteExecute sets.
deny='import ctypes, os, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0):
    sys.stderr.write("this Linux cannot deny memory that is writable and executable\n")
os.execvp(sys.argv[1], sys.argv[1:])'
exec unshare --mount --propagation private sh -c '
    volume=$1
    shift
    mount --bind "$volume" "$volume"
    findmnt --raw --noheadings --output TARGET | while read -r target; do
        case $target in "$volume" | /proc* | /sys* | /dev*) continue ;; esac
        mount -o remount,bind,ro "$target"
    done
    cd "$volume"
    exec setpriv --reuid 10001 --regid 10001 --clear-groups --bounding-set=-all --inh-caps=-all --ambient-caps=-all --no-new-privs "$@"
' sh "$volume" "${PYTHON:-python3}" -c "$deny" "$@"
