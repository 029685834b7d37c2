/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The one seam between the context-free core and whoever compiles it. The module and KUnit take the
 * kernel's types and atomics; host tests, fuzzers and benchmarks take the compiler's. Every access
 * that two contexts can race on goes through the ddp_ names below and nothing else, so that a host
 * test can define DDP_ATOMIC_STEP to run another context between any two of them, and
 * DDP_ATOMIC_SEEN to learn what each of them read.
 *
 * "local" operations are atomic against interrupts and NMIs of the same CPU only; the variable is
 * never written by another CPU. The others are atomic against other CPUs as well.
 */
#ifndef DDP_CORE_PORT_H
#define DDP_CORE_PORT_H

#ifdef __KERNEL__

#include <linux/types.h>
#include <linux/string.h>
#include <linux/errno.h>
#include <linux/bitops.h>
#include <linux/build_bug.h>
#include <linux/limits.h>
#include <linux/math64.h>
#include <asm/barrier.h>
#include <asm/cmpxchg.h>
#include <linux/atomic.h>

#define ddp_noinline			noinline
#define ddp_load(p)			READ_ONCE(*(p))
#define ddp_store(p, v)			WRITE_ONCE(*(p), (v))
#define ddp_load_acquire(p)		smp_load_acquire(p)
#define ddp_store_release(p, v)		smp_store_release((p), (v))
#define ddp_cmpxchg(p, old, new)	cmpxchg((p), (old), (new))
#define ddp_cmpxchg_local(p, old, new)	cmpxchg_local((p), (old), (new))

#else /* host */

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <linux/types.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#ifndef __aligned
#define __aligned(bytes) __attribute__((aligned(bytes)))
#endif

#define ddp_noinline __attribute__((__noinline__))

#ifndef DDP_ATOMIC_STEP
#define DDP_ATOMIC_STEP() ((void)0)
#endif
#ifndef DDP_ATOMIC_SEEN
#define DDP_ATOMIC_SEEN(value) (value)
#endif

#define ddp_load(p) \
	({ DDP_ATOMIC_STEP(); DDP_ATOMIC_SEEN(__atomic_load_n((p), __ATOMIC_RELAXED)); })
#define ddp_store(p, v) \
	({ DDP_ATOMIC_STEP(); __atomic_store_n((p), (v), __ATOMIC_RELAXED); })
#define ddp_load_acquire(p) \
	({ DDP_ATOMIC_STEP(); DDP_ATOMIC_SEEN(__atomic_load_n((p), __ATOMIC_ACQUIRE)); })
#define ddp_store_release(p, v) \
	({ DDP_ATOMIC_STEP(); __atomic_store_n((p), (v), __ATOMIC_RELEASE); })
#define ddp_cmpxchg(p, old, new)						\
	({									\
		__typeof__(*(p)) ddp_old_ = (old);				\
		DDP_ATOMIC_STEP();						\
		__atomic_compare_exchange_n((p), &ddp_old_, (new), 0,		\
					    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);	\
		DDP_ATOMIC_SEEN(ddp_old_);					\
	})
#define ddp_cmpxchg_local(p, old, new) ddp_cmpxchg(p, old, new)

#endif

#endif /* DDP_CORE_PORT_H */
