#!/bin/bash
# The first process of a small machine: makes a root of its own and becomes systemd. Started by machine.py in new
# namespaces. What is written inside lands in memory and is gone with it; the real /run, /tmp, /home and /root are not
# there, for systemd would tidy them.
#   boot.sh BASE ROOM FROM...   BASE is the system it is like, / for this one's; ROOM gets the root; each FROM=TO is a
#                               folder of ours, to be seen inside at TO, read-only
set -eu
base=$1 room=$2
shift 2
mount --make-rprivate /
mount -t tmpfs tmpfs "$room"
mkdir "$room/upper" "$room/work" "$room/root"
mount -t overlay overlay -o "lowerdir=$base,upperdir=$room/upper,workdir=$room/work" "$room/root"
cd "$room/root"
for pair in "$@"; do
    mkdir -p "./${pair#*=}"
    mount --bind -o ro "${pair%%=*}" "./${pair#*=}"
    mount -o remount,bind,ro "./${pair#*=}"
done
mount -t proc proc proc
for folder in run tmp var/tmp home root; do mount -t tmpfs tmpfs "$folder"; done
mount -t tmpfs -o mode=755 tmpfs dev
for node in null zero full random urandom; do
    : >"dev/$node"
    mount --bind "/dev/$node" "dev/$node"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs tmpfs dev/shm
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr
mount -t sysfs -o ro sysfs sys
mount -t tmpfs tmpfs sys/fs/cgroup
mount -t cgroup2 cgroup2 sys/fs/cgroup
ip link set lo up
mkdir -p run/systemd/system var/log/journal
rm -rf var/log/journal/*
cat >run/systemd/system/small.target <<'U'
[Unit]
Description=as much of a machine as joed needs
Requires=basic.target
After=basic.target
AllowIsolate=yes
U
# What would reach for the real machine, or only takes time.
for unit in getty.target systemd-logind.service systemd-udevd.service systemd-udev-trigger.service \
    systemd-modules-load.service systemd-sysctl.service systemd-timesyncd.service systemd-networkd.service \
    systemd-random-seed.service systemd-update-utmp.service systemd-remount-fs.service sys-kernel-debug.mount \
    sys-kernel-tracing.mount sys-fs-fuse-connections.mount proc-sys-fs-binfmt_misc.automount dev-hugepages.mount \
    apt-daily.timer apt-daily-upgrade.timer logrotate.timer man-db.timer dpkg-db-backup.timer fstrim.timer \
    e2scrub_all.timer systemd-tmpfiles-clean.timer; do
    ln -sf /dev/null "run/systemd/system/$unit"
done
mount --make-rshared / # else the folders of LoadCredential= come up empty
exec chroot . /usr/bin/env -i container=small PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    setpriv --bounding-set -sys_time,-sys_module,-syslog,-sys_rawio \
    /lib/systemd/systemd --system --unit=small.target --log-target=journal --show-status=0
