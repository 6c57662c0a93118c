#!/bin/sh
# Runs the publish layout as its image would be run: bare.sh PUBLISHED ROOT ARGUMENTS...
# In ROOT, an empty folder, are the layout, the runtime and the libraries that these load, all read-only; /tmp is all that can be written,
# and there is no shell, no root and no capability. Needs root, for the mounts.
set -eu
published=$1 root=$2
shift 2
dotnet=$(dirname "$(readlink -f "$(command -v dotnet)")")
export PATH="$PATH:/usr/sbin:/sbin"
exec unshare --mount --propagation private -- sh -eu -c '
  published=$1 root=$2 dotnet=$3
  shift 3
  mount -t tmpfs -o size=64m,mode=755 none "$root"
  mkdir -p "$root/app" "$root/usr/share/dotnet" "$root/tmp" "$root/dev" "$root/proc" "$root/etc"
  mount --bind "$published" "$root/app"
  mount --bind "$dotnet" "$root/usr/share/dotnet"
  # The libraries that an image of the runtime has: those that its files ask for, and what they open by name.
  for library in $(find -L "$dotnet/shared" "$published/runtimes/linux-x64" -name "*.so" -exec ldd {} + 2>/dev/null | sed -n "s/.* => \(\/[^ ]*\).*/\1/p; s/^\s*\(\/[^ ]*ld-linux[^ ]*\).*/\1/p" | grep -v "^$dotnet" | sort -u) \
      $(ldconfig -p | sed -n "s/.*lib\(ssl\|crypto\)\.so\.3.* => //p"); do
    mkdir -p "$root/$(dirname "$library")" && cp -L "$library" "$root/$library"
  done
  for device in null zero urandom random; do
    touch "$root/dev/$device" && mount --bind "/dev/$device" "$root/dev/$device"
  done
  mount --bind /proc "$root/proc"
  mount -o remount,bind,ro "$root/app"
  mount -o remount,bind,ro "$root/usr/share/dotnet"
  mount -t tmpfs -o size=256m,mode=1777 none "$root/tmp"
  mount -o remount,ro "$root"
  exec setpriv --no-new-privs --inh-caps=-all --bounding-set=-all,+sys_chroot,+setuid,+setgid \
    env -i DOTNET_ROOT=/usr/share/dotnet DOTNET_EnableDiagnostics=0 HOME=/tmp NO_COLOR=1 PATH="$PATH" \
    chroot --userspec=1654:1654 --groups= "$root" /app/hearth "$@"
' sh "$published" "$root" "$dotnet" "$@"
