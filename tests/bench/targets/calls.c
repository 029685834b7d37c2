// SPDX-License-Identifier: Apache-2.0
/*
 * Deep stacks that end in one library, by the first argument: "libc" (sorting with callbacks,
 * formatting, memory), "libm" or "loader" (dlopen and dlclose of the library that the second one
 * names). Runs until it is killed. To be built optimised and without frame pointers.
 */
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH = 24 };

static volatile double sink;
static const char *library;

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static double call_libc(unsigned int seed)
{
	char *words[64], text[64];

	for (int i = 0; i < 64; i++) {
		snprintf(text, sizeof(text), "%u/%g", (seed * 31 + i) * 2654435761u, i * 0.7);
		words[i] = strdup(text);
	}
	qsort(words, 64, sizeof(words[0]), compare);
	for (int i = 0; i < 64; i++)
		free(words[i]);
	return seed;
}

static double call_libm(unsigned int seed)
{
	double x = seed % 1000 + 0.5, sum = 0;

	for (int i = 0; i < 200; i++) {
		sum += pow(x, 1.7) + lgamma(x) + jn(3, x) + tgamma(x / 10) + fma(x, x, 1) +
		       erf(x) + sinl(x);
		x += 0.01;
	}
	return sum;
}

static double call_loader(unsigned int seed)
{
	void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);

	if (handle)
		dlclose(handle);
	return seed;
}

static double __attribute__((noinline)) descend(unsigned int depth, unsigned int seed,
						double (*call)(unsigned int seed))
{
	double r = depth ? descend(depth - 1, seed * 5 + depth, call) : call(seed);

	sink = r;
	return r + depth;
}

int main(int argc, char **argv)
{
	double (*call)(unsigned int seed) = call_libc;

	if (argc > 1 && !strcmp(argv[1], "libm"))
		call = call_libm;
	if (argc > 2 && !strcmp(argv[1], "loader")) {
		call = call_loader;
		library = argv[2];
	}
	for (unsigned int seed = 1;; seed++)
		descend(DEPTH, seed, call);
}
