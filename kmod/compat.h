/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every difference between the kernels we build for, and nothing else. Distributions backport, so
 * each HAVE_* comes from compiling a file of kmod/probes/, never from a version number.
 */
#ifndef DDP_COMPAT_H
#define DDP_COMPAT_H

#include <linux/fs.h>
#include <linux/hardirq.h>
#include <linux/hrtimer.h>
#include <linux/irq_work.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#ifndef HAVE_HRTIMER_SETUP /* before 6.13 */
static inline void ddp_hrtimer_setup(struct hrtimer *timer,
				     enum hrtimer_restart (*fn)(struct hrtimer *),
				     clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = fn;
}
#else
#define ddp_hrtimer_setup hrtimer_setup
#endif

static inline u64 ddp_inode_mtime_ns(struct inode *inode)
{
#ifdef HAVE_INODE_GET_MTIME /* 6.7 */
	struct timespec64 ts = inode_get_mtime(inode);
#else
	struct timespec64 ts = inode->i_mtime;
#endif
	return (u64)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

/* The path that the mapping process used; overlay filesystems map another file than they show. */
static inline const struct path *ddp_file_path(struct file *file)
{
#ifdef HAVE_FILE_USER_PATH /* 6.8 */
	return file_user_path(file);
#else
	return &file->f_path;
#endif
}

/* For work that may take long, on any CPU. New kernels still take the old name, with a warning. */
#ifdef HAVE_SYSTEM_DFL_WQ /* 6.17 */
#define ddp_unbound_wq system_dfl_wq
#else
#define ddp_unbound_wq system_unbound_wq
#endif

/* A reference to *at, which cannot be freed meanwhile; NULL when its last user has let go of it. */
static inline struct file *ddp_get_file(struct file **at)
{
#ifdef HAVE_GET_FILE_ACTIVE /* 6.7 */
	return get_file_active(at);
#else
	struct file *file = READ_ONCE(*at);

	return file && get_file_rcu(file) ? file : NULL;
#endif
}

/* In the middle of exec: registers are still the old program's, memory is already the new one's. */
static inline bool ddp_in_exec(const struct task_struct *task)
{
#ifdef HAVE_IN_EXECVE
	return task->in_execve;
#else
	return false;
#endif
}

/*
 * Copy words from user memory in an interrupt, without faulting anything in: 0 or -EFAULT. @len is
 * a multiple of 8. For the few words of a window half the instructions of a string copy. Only after
 * ddp_copy_from_user_nofault() succeeded in the same interrupt: this one does not look whose
 * address space is loaded.
 */
static inline int ddp_read_user_words(u64 *to, unsigned long from, unsigned long len)
{
	const u64 __user *at = (const u64 __user *)from;
	unsigned long i, nr = len / sizeof(u64);

	pagefault_disable();
	if (!user_read_access_begin(at, len))
		goto refused;
	for (i = 0; i + 8 <= nr; i += 8) {
		unsafe_get_user(to[i], &at[i], fault);
		unsafe_get_user(to[i + 1], &at[i + 1], fault);
		unsafe_get_user(to[i + 2], &at[i + 2], fault);
		unsafe_get_user(to[i + 3], &at[i + 3], fault);
		unsafe_get_user(to[i + 4], &at[i + 4], fault);
		unsafe_get_user(to[i + 5], &at[i + 5], fault);
		unsafe_get_user(to[i + 6], &at[i + 6], fault);
		unsafe_get_user(to[i + 7], &at[i + 7], fault);
	}
	for (; i < nr; i++)
		unsafe_get_user(to[i], &at[i], fault);
	user_read_access_end();
	pagefault_enable();
	return 0;
fault:
	user_read_access_end();
refused:
	pagefault_enable();
	return -EFAULT;
}

/*
 * Copy from user memory in any context, NMI included, without faulting anything in: 0 or -EFAULT.
 * On x86 it refuses while another address space than current's is loaded (firmware calls, code
 * patching).
 */
static inline int ddp_copy_from_user_nofault(void *to, unsigned long from, unsigned long len)
{
#ifdef CONFIG_X86
	return copy_from_user_nmi(to, (void __user *)from, len) ? -EFAULT : 0;
#else
	return copy_from_user_nofault(to, (void __user *)from, len);
#endif
}

/*
 * sched_process_exit tells since 6.16 whether the whole process ended; every argument but p is ours
 * to ignore.
 */
#ifdef HAVE_EXIT_GROUP_DEAD
#define DDP_EXIT_ARGS void *data, struct task_struct *p, bool group_dead
#else
#define DDP_EXIT_ARGS void *data, struct task_struct *p
#endif

/* sched_switch tells since 5.18 the state in which the thread left: it may have another by now. */
#ifdef HAVE_SWITCH_PREV_STATE
#define DDP_SWITCH_ARGS void *data, bool preempt, struct task_struct *prev, \
	struct task_struct *next, unsigned int prev_state
#define DDP_SWITCH_STATE prev_state
#else
#define DDP_SWITCH_ARGS void *data, bool preempt, struct task_struct *prev, \
	struct task_struct *next
#ifdef HAVE_TASK_STATE_UNDERSCORED /* 5.14 */
#define DDP_SWITCH_STATE READ_ONCE(prev->__state)
#else
#define DDP_SWITCH_STATE READ_ONCE(prev->state)
#endif
#endif

#ifndef TASK_RTLOCK_WAIT /* 5.15: waiting for a lock that PREEMPT_RT lets sleep */
#define TASK_RTLOCK_WAIT 0
#endif

/* In the interrupt itself on PREEMPT_RT too: 5.10 has the flag, but no initializer for it. */
static inline void ddp_init_irq_work(struct irq_work *work, void (*fn)(struct irq_work *work))
{
#ifdef IRQ_WORK_INIT_HARD
	*work = IRQ_WORK_INIT_HARD(fn);
#else
	init_irq_work(work, fn);
	atomic_set(&work->flags, IRQ_WORK_HARD_IRQ);
#endif
}

#endif /* DDP_COMPAT_H */
