#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The module as an administrator gets it: `make install-source` into an empty root, dkms add, build and install for the VM's
# kernel in that root, and then a VM with the resulting /lib/modules runs modprobe. Nothing is installed on the machine
# that runs this: every folder that dkms may write to is given to it.
# shellcheck source-path=SCRIPTDIR disable=SC2317	# functions called by check
. "$(dirname "$0")/lib.sh"

declare -A KERNEL
while IFS='=' read -r key value; do
	KERNEL[$key]=$value
done < <("$TOP/scripts/kernel" --quiet)
release=${KERNEL[KERNEL_RELEASE]}
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$TOP/dkms.conf")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root

install_source()
{
	"${MAKE:-make}" -C "$TOP" BUILD="$BUILD" DESTDIR="$root" install-source
}

# only the kernel's own index files and our module: the guest loads the rest from where scripts/vm put it
make_module_tree()
{
	mkdir -p "$work/installed/$release" "$work/dkms"
	cp "${KERNEL[KERNEL_MODULES]}"/modules.{order,builtin*} "$work/installed/$release/"
}

run_dkms()
{
	local action=$1
	dkms "$action" "ddprof_kmod/$version" -k "$release" -a x86_64 --dkmstree "$work/dkms" \
		--sourcetree "$root/usr/src" --installtree "$work/installed" --kernelsourcedir "${KERNEL[KERNEL_BUILD]}" \
		--no-depmod || { cat "$work"/dkms/ddprof_kmod/"$version"/build/make.log 2>/dev/null; return 1; }
}

index_modules()
{
	mkdir -p "$root/lib"
	rm -rf "$root/lib/modules"
	cp -r "$work/installed" "$root/lib/modules"
	PATH=$PATH:/usr/sbin:/sbin depmod -b "$root" "$release"
	grep -q '^updates/dkms/ddprof_kmod\.ko' "$root/lib/modules/$release/modules.dep"
}

host_untouched()
{
	[[ ! -e /usr/src/ddprof_kmod-$version && ! -e /var/lib/dkms/ddprof_kmod ]] || {
		echo "ddprof_kmod is in /usr/src or /var/lib/dkms of this machine"
		return 1
	}
}

before=$(host_untouched >/dev/null && echo clean || echo installed)
make_module_tree
check dkms.source_installed install_source
check dkms.add run_dkms add
check dkms.build run_dkms build
check dkms.install run_dkms install
check dkms.depmod index_modules
[[ $before == installed ]] || check dkms.host_untouched host_untouched
# shellcheck disable=SC2016	# the guest expands it
vm_boot dkms --program /usr/sbin/modprobe:/sbin/modprobe --root-tree "$root" -- '
	. /lib/tap.sh
	check dkms.modprobe modprobe ddprof_kmod
	check dkms.loaded grep -q "^ddprof_kmod " /proc/modules
	check dkms.from_installed_tree sh -c "modprobe -n --show-depends ddprof_kmod | grep updates/dkms/ddprof_kmod"
	check dkms.unload modprobe -r ddprof_kmod
	check dkms.gone sh -c "! grep -q ^ddprof_kmod /proc/modules"
'
dmesg_clean dkms
finish
