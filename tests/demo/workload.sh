#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What `make demo` profiles: a threaded compression of real files, and a shell pipeline over one of them.
set -e
compress 4 /demo/files/*
echo "most frequent words of the kernel's headers:"
tr -cs A-Za-z '\n' </demo/files/headers.txt | sort | uniq -c | sort -rn | head -n 3
