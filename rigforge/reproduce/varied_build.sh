#!/bin/sh
# Runs a command on another machine, as far as one machine can be another: under another host name, another user and
# other paths, without a network. Called in namespaces of its own (mount, UTS, network).
#
#   varied_build.sh CHECKOUT TRIAL PYTHON PACKAGES COMMAND...
#
# The four directories are seen as /mnt/checkout, which is the command's working directory, /mnt/trial, …
set -eu

hostname elsewhere
mount --make-rprivate /
mount -t tmpfs -o mode=0755 tmpfs /mnt
for name in checkout trial python packages; do
    mkdir "/mnt/$name"
    mount --bind "$1" "/mnt/$name"
    shift
done
# For libfaketime, which keeps its state there, and as a trace of nobody else's programs.
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
umask 0077

# Real root becomes the user RIGFORGE_USER, whom only this namespace knows. An ordinary caller is root here already.
if [ "${RIGFORGE_USER-}" ]; then
    user=$RIGFORGE_USER
    # A whole /etc of its own: a file mounted over passwd would be gone once the machine gets another user meanwhile.
    cp -a /etc /mnt/etc
    mount --bind /mnt/etc /etc
    echo "elsewhere:x:$user:$user::/mnt/trial:/bin/sh" >>/etc/passwd
    echo "elsewhere:x:$user:" >>/etc/group
    for file in subuid subgid; do
        echo "elsewhere:1000000:65536" >>"/etc/$file"
        chmod 0644 "/etc/$file"
    done
    # On most systems everybody may use FUSE; where only root may, this user may too.
    mknod -m 0666 /mnt/fuse c 10 229
    mount --bind /mnt/fuse /dev/fuse
    set -- setpriv --reuid "$user" --regid "$user" --clear-groups "$@"
fi
cd /mnt/checkout
exec "$@"
