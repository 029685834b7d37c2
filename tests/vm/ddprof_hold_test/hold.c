// SPDX-License-Identifier: GPL-2.0
/*
 * A file system that does not answer, for tests: mmap() of /dev/ddprof_hold waits, with the mmap
 * lock of its caller held, until somebody writes to the device; then it fails. The parameter
 * "waiting" says how many wait. Used by tests/vm/guest/held.c.
 */
#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/moduleparam.h>

static DECLARE_COMPLETION(ddp_hold_over);
static int ddp_hold_waiting;
module_param_named(waiting, ddp_hold_waiting, int, 0444);
MODULE_PARM_DESC(waiting, "callers of mmap() that wait");

static int ddp_hold_mmap(struct file *file, struct vm_area_struct *vma)
{
	int ret;

	WRITE_ONCE(ddp_hold_waiting, ddp_hold_waiting + 1);
	ret = wait_for_completion_killable(&ddp_hold_over);
	WRITE_ONCE(ddp_hold_waiting, ddp_hold_waiting - 1);
	return ret ? ret : -ENODEV;
}

static ssize_t ddp_hold_write(struct file *file, const char __user *bytes, size_t n, loff_t *at)
{
	complete_all(&ddp_hold_over);
	return n;
}

static const struct file_operations ddp_hold_ops = {
	.owner = THIS_MODULE,
	.mmap = ddp_hold_mmap,
	.write = ddp_hold_write,
};

static struct miscdevice ddp_hold_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "ddprof_hold",
	.fops = &ddp_hold_ops,
};

module_misc_device(ddp_hold_device);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("holds callers of mmap(), for tests of ddprof_kmod");
