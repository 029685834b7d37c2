// SPDX-License-Identifier: Apache-2.0
/*
 * Ring and stack cache under every interleaving of their three contexts: an interrupt that samples,
 * an NMI that samples inside it, and the drain, truly concurrent. docs/concurrency.md is the
 * protocol; this is its check.
 *
 * Interrupt (with the NMIs nested in it) and drain are two coroutines. Each stops in front of every
 * atomic step of the core, and the explorer chooses who goes next, or that an NMI starts: depth
 * first, until all choices have been made. Two schedules that lead to the same memory and to
 * contexts that know the same have the same futures, so the second is not followed further; the
 * number of schedules they stand for is computed. Memory is sequentially consistent here; what
 * weaker machines need is argued in the document.
 *
 * Each scenario checks that every sample is reported exactly once under its stack or counted as
 * lost, that no record is torn, lost or out of order, and that ids live as uapi/ddprof.h says. The
 * mutants then break one rule each and must be caught: that is what proves the checks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>

#include <cmocka.h>

static void step(void);
static uint64_t saw(uint64_t value);

#define DDP_ATOMIC_STEP() step()
#define DDP_ATOMIC_SEEN(value) ((__typeof__(value))saw((uint64_t)(value)))

#include "../../kmod/core/hash.h"
#include "../../kmod/core/ring.c"
#include "../../kmod/core/stack_cache.c"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN 1
#endif
#ifdef HAVE_ASAN
/* AddressSanitizer has to be told of stack switches; not every compiler ships its headers */
void __sanitizer_start_switch_fiber(void **fake_stack, const void *bottom, size_t size);
void __sanitizer_finish_switch_fiber(void *fake_stack, const void **bottom, size_t *size);
void __asan_unpoison_memory_region(const volatile void *at, size_t size);
#else
#define __sanitizer_start_switch_fiber(save, bottom, size) ((void)(save))
#define __sanitizer_finish_switch_fiber(save, bottom, size) ((void)(save))
#define __asan_unpoison_memory_region(at, size) ((void)(at))
#endif

enum {
	MAX_STACKS = 4,		/* A, B, C share a slot; D is in another */
	MAX_SAMPLES = 4,	/* of one context */
	MAX_NMIS = 2,
	MAX_IDS = 16,
	MAX_RING = 512,
	MAX_SLOTS = 2,
	FIBER_BYTES = 64 * 1024,
	MAX_DEPTH = 4096,	/* choices of one schedule */
};

/* One way each to break the protocol. */
enum mutant {
	CORRECT,
	KEY_AFTER_PUBLISH,	/* the slot opens before its key is written */
	PUBLISH_BEFORE_RESERVE,	/* the slot opens before its STACK has a place in the ring */
	COUNT_NOT_ATOMIC,	/* a hit is a load and a store */
	TAKE_NOT_ATOMIC,	/* so is the drain's take */
	CLAIM_DROPS_COUNT,	/* the evicted stack's pending count is not written */
	RESTORE_FORGETS,	/* a full ring leaves the slot empty */
	DRAIN_EMITS_FIRST,	/* taken counts go out before the ring is consumed */
	TARGET_BEFORE_TAKE,	/* the ring is consumed up to where it was before the take */
	SKIPS_UNCOMMITTED,	/* the drain does not wait for records that are being written */
	NO_STILL,		/* a timed HIT is committed without asking for its id again */
	POP_LEAVES_BYTES,	/* the consumer does not zero what it gives back */
	COMMIT_BEFORE_WRITE,	/* a record is committed half written */
};

struct scenario {
	const char *name;
	u32 ring_bytes, slots;
	bool timed;		/* a HIT for each sample, nothing folded */
	bool raw;		/* ring only: records of different sizes, no cache */
	const char *before;	/* stacks sampled before the contexts start to race */
	bool drained;		/* and flushed once before that */
	const char *irq;	/* stacks the interrupt samples */
	const char *nmi;	/* what each NMI samples */
	u32 nmis;
	u32 flushes;		/* of the drain, concurrent; one more follows in the end */
	bool must_lose;		/* the ring is too small: some schedule loses samples */
};

/* ---- what the contexts share, all of it: the explorer recognises states by this memory ---- */

static struct {
	struct ddp_ring ring;
	struct ddp_stack_cache cache;
	u64 words[MAX_SLOTS];
	struct ddp_hash keys[MAX_SLOTS];
	u64 data[MAX_RING / 8];
} shared;

/* ---- what really happened, and what a reader of the stream knows ---- */

static struct {
	u64 sampled[MAX_STACKS];
	u64 lost[MAX_STACKS];
	u64 raw_next[MAX_STACKS];	/* raw: the next serial to be written, by context */
} truth;

static struct {
	u64 reported[MAX_STACKS];
	struct {
		u8 known, once, retiring, retired, used_up;
		u8 stack;
	} ids[MAX_IDS];
	u64 raw_next[MAX_STACKS];	/* raw: the next serial to be read, by context */
} reader;

static const char *failure;

/* ---- explorer ---- */

struct fiber {
	ucontext_t uc;
	void *fake_stack;
	const void *bottom;
	size_t size;
	u64 history;	/* what it has done and read, as far as it still matters to it */
	bool done;
};

struct choice {
	u64 state;
	double schedules;	/* that go through it, as far as known */
	u32 taken, count;
};

enum actor { CPU, DRAIN, NMI };

static struct fiber main_fiber, cpu, drain;
static u8 cpu_stack[FIBER_BYTES] __attribute__((aligned(64)));
static u8 drain_stack[FIBER_BYTES] __attribute__((aligned(64)));
static struct fiber *running;	/* NULL: outside the race, nobody interferes */
static const struct scenario *scenario;
static enum mutant mutant;
static u32 nmis_left;
static u64 cpu_moves;
static u64 outer_history;	/* the interrupt's, while an NMI is inside it */
static bool in_nmi, drain_waits, fire_nmi, starting, abandon, pruned;
static bool lost_any;

static struct choice choices[MAX_DEPTH];
static u32 depth, replay;	/* choices made in this schedule; of them, made before */
static double pruned_schedules;	/* behind the state that ended this run */

static u64 mix(u64 hash, u64 value)
{
	return ddp_hash_mum(hash ^ value, 0x9e3779b97f4a7c15ULL) + value;
}

static uint64_t saw(uint64_t value)
{
	if (running)
		running->history = mix(running->history, value);
	return value;
}

static void broken(const char *why)
{
	if (!failure)
		failure = why;
}

/* States that were left for good, with the number of schedules behind each: open addressing. */
static struct {
	struct { u64 state; double schedules; } *at;
	size_t used, size;
} visited;

static size_t visited_slot(u64 state)
{
	size_t i = state & (visited.size - 1);

	while (visited.at[i].state && visited.at[i].state != state)
		i = (i + 1) & (visited.size - 1);
	return i;
}

static void visited_grow(void)
{
	__typeof__(visited) old = visited;
	size_t i;

	visited.size = old.size ? old.size * 2 : 1 << 12;
	visited.at = calloc(visited.size, sizeof(*visited.at));
	assert_non_null(visited.at);
	for (i = 0; i < old.size; i++)
		if (old.at[i].state)
			visited.at[visited_slot(old.at[i].state)] = old.at[i];
	free(old.at);
}

static void visited_add(u64 state, double schedules)
{
	size_t i;

	if (visited.used * 2 >= visited.size)
		visited_grow();
	i = visited_slot(state);
	visited.used += !visited.at[i].state;
	visited.at[i].state = state;
	visited.at[i].schedules = schedules;
}

static u64 mix_words(u64 hash, const void *at, size_t bytes)
{
	const u64 *word = at;
	size_t i;

	for (i = 0; i < bytes / 8; i++)
		hash = mix(hash, word[i] + i);
	return hash;
}

static u64 state_now(void)
{
	u64 hash = mix(cpu.history, 1);

	hash = mix(mix(hash, drain.history), 2);
	hash = mix(hash, nmis_left | in_nmi << 8 | drain_waits << 9 | cpu.done << 10 |
			 drain.done << 11);
	hash = mix_words(hash, &shared, offsetof(__typeof__(shared), data) + scenario->ring_bytes);
	hash = mix_words(hash, &truth, sizeof(truth));
	return hash ? hash : 1;
}

static void fiber_switch(struct fiber *from, struct fiber *to, bool last)
{
	__sanitizer_start_switch_fiber(last ? NULL : &from->fake_stack, to->bottom, to->size);
	swapcontext(&from->uc, &to->uc);
	__sanitizer_finish_switch_fiber(from->fake_stack, NULL, NULL);
}

static void fiber_exit(struct fiber *me)
{
	me->done = true;
	fiber_switch(me, &main_fiber, true);
	abort();
}

/* Who goes next; a state seen before, or a failure, ends the schedule. */
static enum actor choose(struct fiber *me)
{
	enum actor options[3];
	struct choice *c;
	u32 n = 0;

	if (!cpu.done)
		options[n++] = CPU;
	if (!drain.done && !drain_waits)
		options[n++] = DRAIN;
	if (!cpu.done && !in_nmi && nmis_left)
		options[n++] = NMI;
	if (!n)
		broken("the drain waits for a record that nobody is writing");
	if (failure)
		fiber_exit(me);
	if (n == 1)
		return options[0];

	c = &choices[depth];
	if (depth++ >= replay) {
		u64 state = state_now();
		size_t i;

		assert_true(depth < MAX_DEPTH);
		if (visited.used * 2 >= visited.size)
			visited_grow();
		i = visited_slot(state);
		if (visited.at[i].state) {
			depth--;
			pruned = true;
			pruned_schedules = visited.at[i].schedules;
			fiber_exit(me);
		}
		*c = (struct choice){ .state = state, .count = n };
	}
	return options[c->taken];
}

static void sample_nmi(void);

static void run_nmi(void)
{
	outer_history = cpu.history;
	nmis_left--;
	in_nmi = true;
	sample_nmi();
	in_nmi = false;
	/* what the interrupt knows is what it knew; it finds the rest in memory */
	cpu.history = outer_history;
}

/* Hand over to whoever was chosen; returns when @me is chosen again. */
static void hand_over(struct fiber *me, enum actor next)
{
	fire_nmi = next == NMI;
	running = next == DRAIN ? &drain : &cpu;
	if (running != me)
		fiber_switch(me, running, false);
	if (abandon)
		fiber_exit(me);
}

static void step(void)
{
	struct fiber *me = running;

	if (!me)
		return;
	if (starting) {
		fiber_switch(me, &main_fiber, false);
		if (abandon)
			fiber_exit(me);
	}
	/* the drain is first resumed by a choice, the CPU by the start of the race */
	if (!starting && !(me == &drain && me->history == 0))
		hand_over(me, choose(me));
	while (fire_nmi) {
		fire_nmi = false;
		run_nmi();
		hand_over(me, choose(me));
	}
	if (me == &cpu) {
		cpu_moves++;
		drain_waits = false;
	}
	me->history = mix(me->history, 0x33);
}

static void fiber_finish(struct fiber *me)
{
	enum actor next;

	me->done = true;
	if (starting || (cpu.done && drain.done)) {
		fiber_switch(me, &main_fiber, true);
		abort();
	}
	next = choose(me);
	fire_nmi = next == NMI;
	running = next == DRAIN ? &drain : &cpu;
	fiber_switch(me, running, true);
	abort();
}

/* ---- producers ---- */

static const struct ddp_hash *stack_key(u32 stack)
{
	static const struct ddp_hash keys[MAX_STACKS] = {
		{ 2, 100 }, { 4, 100 }, { 4, 102 }, { 1, 100 },
	};

	return &keys[stack];
}

enum { REC_STACK = 1, REC_HIT, REC_RAW };

/* Records of this test: four words, and a check word over them so that torn ones are seen. */
struct rec {
	u64 kind, id, a, b, check;
};

static u64 rec_check(const struct rec *r)
{
	return mix(mix(mix(mix(7, r->kind), r->id), r->a), r->b);
}

/* Written with a step in its middle: other contexts may look at it half done. */
static u8 *write_rec(u8 *to, u64 kind, u64 id, u64 a, u64 b)
{
	struct rec r = { kind, id, a, b, 0 };

	r.check = rec_check(&r);
	memcpy(to, &r, 16);
	step();
	memcpy(to + 16, (u8 *)&r + 16, sizeof(r) - 16);
	return to + sizeof(r);
}

static void broken_publish(const struct ddp_cache_ref *ref, const struct ddp_hash *key, u32 id,
			   u32 count)
{
	ddp_store_release(&shared.words[ref->slot], word_make(id, count));
	ddp_store(&shared.keys[ref->slot].a, key->a);
	ddp_store(&shared.keys[ref->slot].b, key->b);
}

static void publish(const struct ddp_cache_ref *ref, u32 stack, u32 id, u32 count)
{
	if (mutant == KEY_AFTER_PUBLISH)
		broken_publish(ref, stack_key(stack), id, count);
	else
		ddp_cache_publish(&shared.cache, ref, stack_key(stack), id, count);
}

static void lose(u32 stack, u32 count)
{
	truth.lost[stack] += count;
	lost_any = true;
}

/* Neither cached nor cacheable now: its STACK and its only HIT. */
static void sample_once(u32 stack, u32 count)
{
	struct ddp_ring_slot slot;
	u32 id = ddp_cache_new_id(&shared.cache);
	u8 *at;

	if (ddp_ring_reserve(&shared.ring, 2 * sizeof(struct rec), &slot)) {
		lose(stack, count);
		return;
	}
	at = write_rec(slot.payload, REC_STACK, id, stack | 1 << 8, 0);
	write_rec(at, REC_HIT, id, count, 0);
	ddp_ring_commit(&shared.ring, &slot);
}

/* The slot is ours: the old stack's HIT, the new STACK, and in timed mode its HIT, in one entry. */
static void sample_new(u32 stack, u32 count, const struct ddp_cache_ref *ref)
{
	u32 pending = scenario->timed ? 0 : count;
	u32 recs = 1 + !!ref->old_count + scenario->timed;
	u32 id = ddp_cache_new_id(&shared.cache);
	struct ddp_ring_slot slot;
	u8 *at;

	if (mutant == PUBLISH_BEFORE_RESERVE)
		publish(ref, stack, id, pending);
	if (ddp_ring_reserve(&shared.ring, recs * sizeof(struct rec), &slot)) {
		struct ddp_cache_ref back = *ref;

		if (mutant == RESTORE_FORGETS)
			back.old_id = back.old_count = 0;
		ddp_cache_restore(&shared.cache, &back);
		lose(stack, count);
		return;
	}
	at = slot.payload;
	if (ref->old_count)
		at = write_rec(at, REC_HIT, ref->old_id,
			       mutant == CLAIM_DROPS_COUNT ? 0 : ref->old_count, 0);
	at = write_rec(at, REC_STACK, id, stack, ref->old_id);
	if (scenario->timed)
		write_rec(at, REC_HIT, id, count, 0);
	ddp_ring_commit(&shared.ring, &slot);
	if (mutant != PUBLISH_BEFORE_RESERVE)
		publish(ref, stack, id, pending);
}

static bool broken_hit(u32 stack, u32 count)
{
	u32 slot = stack_key(stack)->a & (scenario->slots - 1);
	u64 word = ddp_load(&shared.words[slot]);

	if (word & WORD_BUSY || !key_matches(&shared.keys[slot], stack_key(stack)))
		return false;
	ddp_store(&shared.words[slot], word + count);
	return true;
}

static void sample_folded(u32 stack, u32 count)
{
	struct ddp_cache_ref ref;

	if (mutant == COUNT_NOT_ATOMIC && broken_hit(stack, count))
		return;
	switch (ddp_cache_count(&shared.cache, stack_key(stack), count, &ref)) {
	case DDP_CACHE_HIT:
		break;
	case DDP_CACHE_CLAIMED:
		sample_new(stack, count, &ref);
		break;
	case DDP_CACHE_BYPASS:
		sample_once(stack, count);
		break;
	}
}

/* A known stack's timed HIT; false when its id was given up before the reservation. */
static bool sample_timed_hit(u32 stack, u32 count, const struct ddp_cache_ref *ref)
{
	struct ddp_ring_slot slot;

	if (ddp_ring_reserve(&shared.ring, sizeof(struct rec), &slot)) {
		lose(stack, count);
		return true;
	}
	if (mutant != NO_STILL && !ddp_cache_still(&shared.cache, ref)) {
		ddp_ring_discard(&shared.ring, &slot);
		return false;
	}
	write_rec(slot.payload, REC_HIT, ref->id, count, 0);
	ddp_ring_commit(&shared.ring, &slot);
	return true;
}

static void sample_timed(u32 stack, u32 count)
{
	struct ddp_cache_ref ref;

	switch (ddp_cache_find(&shared.cache, stack_key(stack), &ref)) {
	case DDP_CACHE_HIT:
		if (!sample_timed_hit(stack, count, &ref))
			sample_once(stack, count);
		break;
	case DDP_CACHE_CLAIMED:
		sample_new(stack, count, &ref);
		break;
	case DDP_CACHE_BYPASS:
		sample_once(stack, count);
		break;
	}
}

/* Ring only: @stack says how many words the record has; each context numbers its own. */
static void sample_raw(u32 stack, u32 context)
{
	struct ddp_ring_slot slot;
	u64 serial = truth.raw_next[context];
	u32 bytes = sizeof(struct rec) + 8 * stack;

	if (ddp_ring_reserve(&shared.ring, bytes, &slot)) {
		lose(stack, 1);
		return;
	}
	truth.raw_next[context]++;
	memset(slot.payload + sizeof(struct rec), 0xff, bytes - sizeof(struct rec));
	if (mutant == COMMIT_BEFORE_WRITE)
		ddp_ring_commit(&shared.ring, &slot);
	write_rec(slot.payload, REC_RAW, stack, context, serial);
	if (mutant != COMMIT_BEFORE_WRITE)
		ddp_ring_commit(&shared.ring, &slot);
}

static void sample_all(const char *stacks, u32 count, u32 context)
{
	for (; *stacks; stacks++) {
		u32 stack = *stacks - 'A';

		truth.sampled[stack] += scenario->raw ? 1 : count;
		if (scenario->raw)
			sample_raw(stack, context);
		else if (scenario->timed)
			sample_timed(stack, count);
		else
			sample_folded(stack, count);
		/* nothing that the last sample read matters to the next one */
		if (running)
			cpu.history = mix(in_nmi ? outer_history : 0, strlen(stacks));
	}
}

/* counts differ by context, so that a count in the wrong place shows */
static void sample_irq(void)
{
	sample_all(scenario->irq, 1, 0);
}

static void sample_nmi(void)
{
	sample_all(scenario->nmi, 100, 1);
}

/* ---- drain, and the reader's view of the stream ---- */

static void read_stack_rec(const struct rec *r)
{
	u32 stack = r->a & 0xff;

	if (r->id >= MAX_IDS || stack >= MAX_STACKS) {
		broken("a STACK that nobody wrote");
		return;
	}
	if (reader.ids[r->id].known)
		broken("an id was used twice");
	reader.ids[r->id].known = true;
	reader.ids[r->id].once = r->a >> 8;
	reader.ids[r->id].stack = stack;
	if (!r->b)
		return;
	if (!reader.ids[r->b].known)
		broken("a STACK replaces an id that was never announced");
	if (reader.ids[r->b].retiring || reader.ids[r->b].retired)
		broken("an id was replaced twice");
	reader.ids[r->b].retiring = true;
	/* timed hits are in the ring's order, so the old id is over at once */
	reader.ids[r->b].retired |= scenario->timed;
}

static void read_hit(u64 id, u64 count)
{
	if (id >= MAX_IDS || !reader.ids[id].known) {
		broken("a HIT came before its STACK");
		return;
	}
	if (reader.ids[id].retired)
		broken("a HIT named an id that was given up");
	if (reader.ids[id].used_up)
		broken("a second HIT for a STACK written once");
	reader.ids[id].used_up = reader.ids[id].once;
	reader.reported[reader.ids[id].stack] += count;
}

static void read_raw(const struct rec *r, u32 len)
{
	if (r->id >= MAX_STACKS || r->a >= MAX_STACKS || len != sizeof(*r) + 8 * r->id) {
		broken("a record that nobody wrote");
		return;
	}
	if (r->b != reader.raw_next[r->a])
		broken("a context's records were lost, doubled or out of order");
	reader.raw_next[r->a]++;
	reader.reported[r->id]++;
}

static void read_payload(const u8 *payload, u32 len)
{
	u32 at;

	if (len > (const u8 *)shared.data + scenario->ring_bytes - payload) {
		broken("a record over the ring's end");
		return;
	}
	for (at = 0; at + sizeof(struct rec) <= len; at += sizeof(struct rec)) {
		struct rec r;

		memcpy(&r, payload + at, sizeof(r));
		saw(r.check);
		if (r.check != rec_check(&r)) {
			broken("a torn record");
			return;
		}
		if (r.kind == REC_RAW)
			return read_raw(&r, len);
		if (r.kind == REC_STACK)
			read_stack_rec(&r);
		else
			read_hit(r.id, r.a);
	}
}

static void pop(u32 len)
{
	if (mutant == POP_LEAVES_BYTES)
		ddp_store_release(&shared.ring.tail,
				  ddp_load(&shared.ring.tail) + entry_span(len));
	else
		ddp_ring_pop(&shared.ring);
}

struct taken {
	u64 flush, n;	/* the number of this flush; entries */
	u64 id[MAX_SLOTS], count[MAX_SLOTS];
};

/* Between two records the drain knows where it goes, what it took, and what has been read. */
static void drain_settles(u64 target, const struct taken *taken)
{
	if (!running)
		return;
	drain.history = mix_words(target, &reader, sizeof(reader));
	drain.history = mix_words(drain.history, taken, sizeof(*taken));
}

/* Consume all that was reserved before @target, waiting for what is still being written. */
static void drain_ring(u64 target, const struct taken *taken)
{
	while (ddp_ring_tail(&shared.ring) < target) {
		u64 moves = cpu_moves;
		const u8 *payload;
		u32 len;

		payload = ddp_ring_peek(&shared.ring, target, &len);
		if (failure)
			return;
		if (payload) {
			read_payload(payload, len);
			pop(len);
		} else if (ddp_ring_tail(&shared.ring) < target) {
			if (mutant == SKIPS_UNCOMMITTED)
				return;
			if (!running) {
				broken("a record was never committed");
				return;
			}
			/* looking again changes nothing until a producer moves */
			drain_waits = moves == cpu_moves;
		}
		drain_settles(target, taken);
	}
}

static u32 broken_take(u32 slot, u32 *id)
{
	u64 word = ddp_load(&shared.words[slot]);

	if (word & WORD_BUSY || !word_count(word))
		return 0;
	ddp_store(&shared.words[slot], word & ~WORD_COUNT);
	*id = word_id(word);
	return word_count(word);
}

static void drain_take(struct taken *taken)
{
	u32 slot;

	for (slot = 0; slot < scenario->slots; slot++) {
		u32 id = 0, count;

		if (mutant == TAKE_NOT_ATOMIC)
			count = broken_take(slot, &id);
		else
			count = ddp_cache_take(&shared.cache, slot, &id);
		if (!count)
			continue;
		taken->id[taken->n] = id;
		taken->count[taken->n++] = count;
	}
}

static void drain_emit(const struct taken *taken)
{
	u64 i;

	for (i = 0; i < taken->n; i++)
		read_hit(taken->id[i], taken->count[i]);
}

static void fold_end(void)
{
	u32 id;

	for (id = 0; id < MAX_IDS; id++)
		reader.ids[id].retired |= reader.ids[id].retiring;
}

static void flush(u32 number)
{
	struct taken taken = { .flush = number };
	u64 target = 0;

	if (mutant == TARGET_BEFORE_TAKE)
		target = ddp_ring_head(&shared.ring);
	drain_take(&taken);
	if (mutant == DRAIN_EMITS_FIRST)
		drain_emit(&taken);
	if (mutant != TARGET_BEFORE_TAKE)
		target = ddp_ring_head(&shared.ring);
	drain_ring(target, &taken);
	if (mutant != DRAIN_EMITS_FIRST)
		drain_emit(&taken);
	fold_end();
	taken = (struct taken){ .flush = number + 1 };
	drain_settles(0, &taken);
}

/* ---- one schedule ---- */

static void cpu_main(void)
{
	__sanitizer_finish_switch_fiber(NULL, &main_fiber.bottom, &main_fiber.size);
	sample_irq();
	fiber_finish(&cpu);
}

static void drain_main(void)
{
	u32 i;

	__sanitizer_finish_switch_fiber(NULL, &main_fiber.bottom, &main_fiber.size);
	for (i = 0; i < scenario->flushes; i++)
		flush(i);
	fiber_finish(&drain);
}

static void fiber_start(struct fiber *f, u8 *stack, void (*entry)(void))
{
	__asan_unpoison_memory_region(stack, FIBER_BYTES);
	memset(f, 0, sizeof(*f));
	getcontext(&f->uc);
	f->uc.uc_stack.ss_sp = stack;
	f->uc.uc_stack.ss_size = FIBER_BYTES;
	f->bottom = stack;
	f->size = FIBER_BYTES;
	makecontext(&f->uc, entry, 0);
	running = f;
	fiber_switch(&main_fiber, f, false);
}

static void check_totals(void)
{
	u32 i;

	for (i = 0; i < MAX_STACKS; i++)
		if (reader.reported[i] + truth.lost[i] != truth.sampled[i])
			broken("a stack's samples are not all reported or counted as lost");
	for (i = 0; scenario->raw && i < MAX_STACKS; i++)
		if (reader.raw_next[i] != truth.raw_next[i])
			broken("a written record was not read");
}

static void world_reset(void)
{
	memset(&shared, 0, sizeof(shared));
	memset(&truth, 0, sizeof(truth));
	memset(&reader, 0, sizeof(reader));
	failure = NULL;
	ddp_ring_init(&shared.ring, shared.data, scenario->ring_bytes);
	ddp_cache_init(&shared.cache, shared.words, shared.keys, scenario->slots);
	nmis_left = scenario->nmis;
	in_nmi = drain_waits = fire_nmi = abandon = pruned = false;
	running = NULL;
	depth = 0;
}

static void abandon_fiber(struct fiber *f)
{
	if (f->done)
		return;
	abandon = true;
	running = f;
	fiber_switch(&main_fiber, f, false);
}

static void run_schedule(void)
{
	world_reset();
	sample_all(scenario->before, 10000, 2);
	if (scenario->drained)
		flush(0);

	starting = true;
	fiber_start(&cpu, cpu_stack, cpu_main);
	fiber_start(&drain, drain_stack, drain_main);
	starting = false;
	/* both stand in front of their first step */
	running = &cpu;
	fiber_switch(&main_fiber, running, false);

	abandon_fiber(&cpu);
	abandon_fiber(&drain);
	running = NULL;
	if (pruned || failure)
		return;
	flush(0);
	check_totals();
}

/* ---- all schedules ---- */

struct result {
	u64 runs, states;
	double schedules;
	const char *failure;
};

/* Leave what is finished and go to the next choice not yet made; false when there is none. */
static bool backtrack(double schedules)
{
	while (depth) {
		struct choice *c = &choices[depth - 1];

		c->schedules += schedules;
		if (++c->taken < c->count)
			break;
		visited_add(c->state, c->schedules);
		schedules = c->schedules;
		depth--;
	}
	replay = depth;
	return depth;
}

static struct result explore(const struct scenario *s, enum mutant m)
{
	struct result r = { 0 };
	double schedules;

	scenario = s;
	mutant = m;
	replay = 0;
	lost_any = false;
	do {
		run_schedule();
		r.runs++;
		r.failure = failure;
		schedules = pruned ? pruned_schedules : 1;
		if (depth)
			r.schedules = choices[0].schedules + schedules;
	} while (!r.failure && backtrack(schedules));
	r.states = visited.used;
	free(visited.at);
	memset(&visited, 0, sizeof(visited));
	return r;
}

/*
 * A record is 40 bytes, its ring header 8. A, B and C share a slot, D is in the other one, if there
 * is one. In raw scenarios the letter is the record's size: A is 40 bytes, B 48, C 56.
 */
static const struct scenario scenarios[] = {
	{ "ring: an NMI inside a write", 512, 1, .raw = true, .before = "",
	  .irq = "A", .nmi = "B", .nmis = 1, .flushes = 1 },
	{ "ring: two NMIs inside two writes", 512, 1, .raw = true, .before = "",
	  .irq = "AB", .nmi = "C", .nmis = 2, .flushes = 1 },
	{ "ring: the NMI's record crosses the end", 256, 1, .raw = true, .before = "AAA",
	  .drained = true, .irq = "A", .nmi = "C", .nmis = 1, .flushes = 1 },
	{ "ring: the interrupt's record crosses the end", 256, 1, .raw = true, .before = "AAAA",
	  .drained = true, .irq = "CA", .nmi = "A", .nmis = 1, .flushes = 2 },
	{ "ring: full, and emptied meanwhile", 128, 1, .raw = true, .before = "A",
	  .irq = "AB", .nmi = "A", .nmis = 1, .flushes = 2, .must_lose = true },

	{ "folded: all the same stack, known", 512, 1, .before = "A",
	  .irq = "AA", .nmi = "A", .nmis = 2, .flushes = 2 },
	{ "folded: all the same stack, new", 512, 1, .before = "",
	  .irq = "AA", .nmi = "A", .nmis = 1, .flushes = 2 },
	{ "folded: the NMI evicts what the interrupt counts", 512, 1, .before = "A",
	  .irq = "A", .nmi = "B", .nmis = 1, .flushes = 2 },
	{ "folded: the interrupt evicts what the NMI counts", 512, 1, .before = "A",
	  .irq = "B", .nmi = "A", .nmis = 1, .flushes = 2 },
	{ "folded: the NMI brings what the interrupt brings", 512, 1, .before = "A",
	  .irq = "B", .nmi = "B", .nmis = 2, .flushes = 1 },
	{ "folded: three stacks fight for one slot", 512, 1, .before = "A",
	  .irq = "BA", .nmi = "C", .nmis = 1, .flushes = 1 },
	{ "folded: two slots", 512, 2, .before = "A",
	  .irq = "BD", .nmi = "DB", .nmis = 1, .flushes = 1 },
	{ "folded: the ring is full", 128, 1, .before = "A",
	  .irq = "BA", .nmi = "C", .nmis = 1, .flushes = 2, .must_lose = true },

	{ "timed: all the same stack", 512, 1, .timed = true, .before = "A",
	  .irq = "AA", .nmi = "A", .nmis = 1, .flushes = 1 },
	{ "timed: the NMI evicts what the interrupt found", 512, 1, .timed = true, .before = "A",
	  .irq = "A", .nmi = "B", .nmis = 1, .flushes = 2 },
	{ "timed: the interrupt evicts what the NMI finds", 512, 1, .timed = true, .before = "A",
	  .irq = "BA", .nmi = "A", .nmis = 1, .flushes = 1 },
	{ "timed: the ring is full", 256, 1, .timed = true, .before = "A",
	  .irq = "BA", .nmi = "C", .nmis = 1, .flushes = 2, .must_lose = true },
};

static u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

static void every_schedule_keeps_every_sample(void **state)
{
	u64 runs = 0, start = now_ms();
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++) {
		struct result r = explore(&scenarios[i], CORRECT);

		print_message("%-52s runs=%llu states=%llu schedules=%.3g%s%s\n", scenarios[i].name,
			      (unsigned long long)r.runs, (unsigned long long)r.states,
			      r.schedules, r.failure ? " FAILED: " : "",
			      r.failure ? r.failure : "");
		fflush(stdout);
		assert_null(r.failure);
		assert_true(lost_any || !scenarios[i].must_lose);
		runs += r.runs;
	}
	print_message("interleave_runs=%llu ms=%llu\n", (unsigned long long)runs,
		      (unsigned long long)(now_ms() - start));
	assert_true(runs >= 50000);
}

static const struct scenario *scenario_named(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++)
		if (!strcmp(scenarios[i].name, name))
			return &scenarios[i];
	fail_msg("no scenario is called %s", name);
	return NULL;
}

/* Each by the first scenario that can; to search those in which it does no harm takes minutes. */
static void every_broken_protocol_is_caught(void **state)
{
	static const struct {
		const char *name;
		enum mutant mutant;
		const char *scenario;
	} mutants[] = {
		{ "key written after publish", KEY_AFTER_PUBLISH,
		  "folded: the interrupt evicts what the NMI counts" },
		{ "published before the STACK has its place", PUBLISH_BEFORE_RESERVE,
		  "folded: all the same stack, new" },
		{ "hit counted by load and store", COUNT_NOT_ATOMIC,
		  "folded: all the same stack, known" },
		{ "count taken by load and store", TAKE_NOT_ATOMIC,
		  "folded: all the same stack, known" },
		{ "evicted count dropped", CLAIM_DROPS_COUNT,
		  "folded: the NMI evicts what the interrupt counts" },
		{ "full ring empties the slot", RESTORE_FORGETS, "folded: the ring is full" },
		{ "taken counts sent before the ring", DRAIN_EMITS_FIRST,
		  "folded: all the same stack, known" },
		{ "ring position read before the counts", TARGET_BEFORE_TAKE,
		  "folded: all the same stack, new" },
		{ "drain does not wait", SKIPS_UNCOMMITTED, "folded: two slots" },
		{ "timed HIT not rechecked", NO_STILL,
		  "timed: the NMI evicts what the interrupt found" },
		{ "consumed bytes not zeroed", POP_LEAVES_BYTES,
		  "ring: the interrupt's record crosses the end" },
		{ "committed before written", COMMIT_BEFORE_WRITE, "ring: an NMI inside a write" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(mutants) / sizeof(*mutants); i++) {
		struct result r = explore(scenario_named(mutants[i].scenario), mutants[i].mutant);

		print_message("mutant: %-44s %s\n", mutants[i].name,
			      r.failure ? r.failure : "NOT CAUGHT");
		assert_non_null(r.failure);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_schedule_keeps_every_sample),
		cmocka_unit_test(every_broken_protocol_is_caught),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
