#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The distribution's own programs, unmodified, for a guest: sourced by the coverage benchmark and the VM
# test of unwinding. distribution_files copies what the programs need besides themselves (libraries of
# Python and Perl, what a compiler reads) into a folder for scripts/vm --root-tree, and sets the array
# `distribution` to scripts/vm's options. Programs keep the paths that they have here.

copy_folder() # ROOT FOLDER [tar option...]
{
	local root=$1 folder=$2
	shift 2
	mkdir -p "$root$folder"
	tar -C "$folder" -c "$@" . | tar -C "$root$folder" -x
}

copy_file() # ROOT FILE...
{
	local root=$1 file
	shift
	for file; do
		mkdir -p "$root$(dirname "$file")"
		cp -L "$file" "$root$file"
	done
}

copy_python() # ROOT
{
	local folder
	folder=$(/usr/bin/python3 -c 'import json, os; print(os.path.dirname(os.path.dirname(json.__file__)))')
	copy_folder "$1" "$folder" --exclude='./config-*' --exclude=./test --exclude=./idlelib \
		--exclude=./ensurepip --exclude=./lib2to3 --exclude=./tkinter
}

copy_perl() # ROOT
{
	local folder
	folder=$(perl -e 'require strict; $_ = $INC{"strict.pm"}; s,/[^/]*$,,; print')
	copy_folder "$1" "$folder"
}

copy_passes() # NAME...
{
	local name
	for name; do
		distribution+=(--program "$(gcc -print-prog-name="$name"):$(gcc -print-prog-name="$name")")
	done
}

# gcc and g++ as far as they compile and link a program of the standard library
copy_compiler() # ROOT
{
	local root=$1 name path
	local lists=(crt1.o Scrt1.o crti.o crtn.o libc.so libc_nonshared.a libm.so libmvec.so.1 libc.so.6 libm.so.6
		libgcc_s.so.1 libstdc++.so.6)
	for name in "${lists[@]}" crtbegin.o crtbeginS.o crtend.o crtendS.o libgcc.a libgcc_s.so liblto_plugin.so \
		libstdc++.so; do
		path=$(gcc -print-file-name="$name")
		[[ $path == /* ]] || { echo "coverage: gcc has no $name" >&2; return 1; }
		copy_file "$root" "$(realpath -s "$path")"
	done
	copy_folder "$root" "$(dirname "$(gcc -print-libgcc-file-name)")/include"
	for name in bits sys gnu asm-generic linux x86_64-linux-gnu c++; do
		[[ ! -d /usr/include/$name ]] || copy_folder "$root" "/usr/include/$name"
	done
	copy_file "$root" /usr/include/*.h
}

# what every shell command of a load is, so that none is the guest's busybox
shell_programs=(bash awk sed grep sort gzip cat cut tr wc head date sleep timeout seq mkdir rm mv)

# distribution_files ROOT [python|perl|c|c++|PROGRAM]...
distribution_files()
{
	local root=$1 name programs=("${shell_programs[@]}")
	shift
	distribution=(--root-tree "$root")
	rm -rf "$root"
	mkdir -p "$root"
	for name; do
		case $name in
		python) copy_python "$root"; distribution+=(--program "$(readlink -f /usr/bin/python3):/usr/bin/python3") ;;
		perl) copy_perl "$root"; programs+=(perl) ;;
		c) copy_compiler "$root"; programs+=(gcc as ld); copy_passes cc1 collect2 lto-wrapper ;;
		c++) programs+=(g++); copy_passes cc1plus ;;
		*) programs+=("$name") ;;
		esac
	done
	for name in "${programs[@]}"; do
		distribution+=(--program "$(readlink -f "$(type -P "$name")"):/usr/bin/$name")
	done
}
