/* SPDX-License-Identifier: Apache-2.0 */
/* A fuzz target's committed corpus, run through it without a fuzzer: what was found stays fixed. */
#ifndef TESTS_CORPUS_H
#define TESTS_CORPUS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Run every file of tests/fuzz/corpus/@target through @run, each in memory of its own size, so that
 * ASan sees who leaves it. The test fails when there is no file, or one cannot be read.
 */
void corpus_replay(const char *target, int (*run)(const uint8_t *data, size_t size));

#endif /* TESTS_CORPUS_H */
