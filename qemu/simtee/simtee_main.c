// SPDX-License-Identifier: GPL-2.0-only
/*
 * simtee: a SIMULATED TEE for tests. It is NOT A TEE: it protects nothing, and whatever it signs is signed with throw-away keys that
 * lie in a file on the host.
 *
 * It registers a report provider and measurement registers with the kernel's own TSM interfaces, under the names of the real drivers,
 * so that a program meets the same files as on hardware:
 *
 *   tdx_guest   /sys/kernel/config/tsm/report: inblob, outblob (quote version 4), generation, provider
 *               /sys/devices/virtual/misc/tdx_guest/measurements: rtmr0..3:sha384, mrtd:sha384, mrconfigid, mrowner, mrownerconfig
 *   sev_guest   /sys/kernel/config/tsm/report: the same with auxblob, privlevel, privlevel_floor (outblob: attestation report)
 *               /dev/sev-guest: SNP_GET_REPORT and SNP_GET_EXT_REPORT of <linux/sev-guest.h>
 *
 * What it is made of comes from the host, through QEMU's firmware configuration device (-fw_cfg name=opt/plinth/simtee,file=F), at
 * boot; without that it stays idle. F is the magic "SIMTEE01" and then parts {u32 type, u32 length, bytes}, little-endian:
 *   1  the provider's name, "tdx_guest" or "sev_guest"
 *   2  the private key, big-endian: P-256 of the attestation key (TDX), P-384 of the VCEK (SNP)
 *   3  the template. TDX: header and TD report body, 632 bytes; the registers live in it. SNP: the first 0x2a0 bytes of a report
 *   4  TDX: what follows the signature in a quote (attestation key, QE report, certificates). SNP: the certificate table (auxblob)
 * qemu/simtee/make writes such files, `plinth run --simulate` sets the registers in them.
 *
 * Parameters (simtee.NAME=VALUE on the command line; writable under /sys/module/simtee/parameters):
 *   fault       what goes wrong; see `faults` below
 *   delay_ms    how long a report takes at least
 *   configfs    N: no report provider, as on a kernel without configfs-tsm (SNP has its device left)
 */
#define pr_fmt(fmt) "simtee: " fmt

#include <linux/delay.h>
#include <linux/io.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sev-guest.h>
#include <linux/slab.h>
#include <linux/tsm-mr.h>
#include <linux/tsm.h>
#include <linux/uaccess.h>
#include <linux/unaligned.h>
#include <crypto/sha2.h>

#include "simtee.h"

#define MAGIC "SIMTEE01"
#define BLOB_MAX SZ_1M

/* Offsets: TDX quote version 4; SNP report versions 2 to 5. */
#define TDX_BODY 48
#define TDX_ATTRIBUTES (TDX_BODY + 120)
#define TDX_REPORT_DATA (TDX_BODY + 520)
#define TDX_SIGNED 632
#define SNP_POLICY 0x08
#define SNP_VMPL 0x30
#define SNP_REPORT_DATA 0x50
#define SNP_SIGNED 0x2a0
#define SNP_S (SNP_SIGNED + 72)
#define SNP_REPORT 0x4a0

enum part { PART_PROVIDER = 1, PART_KEY, PART_TEMPLATE, PART_TAIL, PARTS };

enum fault { FAULT_NONE, FAULT_FAIL, FAULT_BUSY, FAULT_TIMEOUT, FAULT_STALL, FAULT_STALE, FAULT_GENERATION, FAULT_REPORT_DATA, FAULT_SIGNATURE,
	     FAULT_DEBUG, FAULT_SHORT, FAULT_EMPTY, FAULT_HUGE, FAULT_NO_CERTS, FAULT_VMPL, FAULT_QUOTED_REGISTER, FAULT_REGISTER, FAULT_EXTEND,
	     FAULT_EXTEND_LOST };

static const struct {
	const char *name;
	enum fault fault;
} faults[] = {
	{ "none", FAULT_NONE },
	{ "fail", FAULT_FAIL },				/* a report: EIO */
	{ "busy", FAULT_BUSY },				/* a report: EBUSY */
	{ "timeout", FAULT_TIMEOUT },			/* a report: ETIMEDOUT, after delay_ms */
	{ "stall", FAULT_STALL },			/* a report: no answer until the fault is taken back or the reader is killed */
	{ "stale", FAULT_STALE },			/* a report: that of the request before, or over zeroes */
	{ "generation", FAULT_GENERATION },		/* a report over other data, as if another process had written inblob in between */
	{ "report_data", FAULT_REPORT_DATA },		/* a report whose report_data has one bit flipped, properly signed */
	{ "signature", FAULT_SIGNATURE },		/* a report whose signature has one bit flipped */
	{ "debug", FAULT_DEBUG },			/* a report of a guest that may be debugged */
	{ "short", FAULT_SHORT },			/* a report cut in the middle */
	{ "empty", FAULT_EMPTY },			/* a report of no bytes */
	{ "huge", FAULT_HUGE },				/* a report followed by 8 MiB of 0xaa */
	{ "no_certs", FAULT_NO_CERTS },			/* SNP: an empty auxblob */
	{ "vmpl", FAULT_VMPL },				/* SNP: a report of VMPL 3 */
	{ "quoted_register", FAULT_QUOTED_REGISTER },	/* TDX: the quote says another RTMR3 than the register's file */
	{ "register", FAULT_REGISTER },			/* TDX: an extend that extends something else */
	{ "extend", FAULT_EXTEND },			/* TDX: an extend that fails with EIO */
	{ "extend_lost", FAULT_EXTEND_LOST },		/* TDX: an extend that does nothing and says it did */
};

static char fault_name[24] = "none";
module_param_string(fault, fault_name, sizeof(fault_name), 0644);
MODULE_PARM_DESC(fault, "what goes wrong in the simulation");
static unsigned int delay_ms;
module_param(delay_ms, uint, 0644);
MODULE_PARM_DESC(delay_ms, "how long a report takes at least, in milliseconds");
static bool configfs = true;
module_param(configfs, bool, 0444);
MODULE_PARM_DESC(configfs, "register the report provider");

static struct {
	bool snp;
	u8 *blob;		/* all of F; the parts point into it */
	const u8 *part[PARTS];
	u32 size[PARTS];
	u8 *template;		/* part[PART_TEMPLATE], which changes with the registers */
	u8 *last;		/* the report before, for `stale` */
	size_t last_len;
	struct mutex lock;	/* of template and last */
} sim;

static enum fault fault_now(void)
{
	char name[sizeof(fault_name)];
	int i;

	strscpy(name, fault_name);
	strim(name);
	for (i = 0; i < ARRAY_SIZE(faults); i++)
		if (!strcmp(name, faults[i].name))
			return faults[i].fault;
	pr_err("fault=%s: no such fault; failing\n", name);
	return FAULT_FAIL;
}

/* ---- reports ---- */

/* One signed report over @request, of @vmpl (SNP). sim.lock is held. Gives a buffer to kvfree. */
static int compose(const u8 *request, unsigned int vmpl, enum fault fault, u8 **out, size_t *out_len)
{
	u32 signed_len = sim.snp ? SNP_SIGNED : TDX_SIGNED, tail = sim.size[PART_TAIL];
	size_t len = sim.snp ? SNP_REPORT : TDX_SIGNED + 4 + 64 + tail, junk = fault == FAULT_HUGE ? SZ_8M : 0;
	u8 *p = kvzalloc(len + junk, GFP_KERNEL), *report_data, r[48], s[48];
	unsigned int size = sim.size[PART_KEY];
	int i, rc;

	if (!p)
		return -ENOMEM;
	memcpy(p, sim.template, signed_len);
	report_data = p + (sim.snp ? SNP_REPORT_DATA : TDX_REPORT_DATA);
	if (request)
		memcpy(report_data, request, 64);
	if (fault == FAULT_REPORT_DATA)
		report_data[63] ^= 1;
	if (fault == FAULT_DEBUG && sim.snp)
		p[SNP_POLICY + 2] |= 1 << 3;
	else if (fault == FAULT_DEBUG)
		p[TDX_ATTRIBUTES] |= 1;
	if (fault == FAULT_QUOTED_REGISTER && !sim.snp)
		p[TDX_BODY + 328 + 3 * 48] ^= 1;
	if (sim.snp)
		put_unaligned_le32(fault == FAULT_VMPL ? 3 : vmpl, p + SNP_VMPL);

	rc = simtee_sign(sim.part[PART_KEY], size, p, signed_len, r, s);
	if (rc) {
		kvfree(p);
		return rc;
	}
	if (fault == FAULT_SIGNATURE)
		s[size - 1] ^= 1;
	if (sim.snp) {
		for (i = 0; i < size; i++) {
			p[SNP_SIGNED + i] = r[size - 1 - i];
			p[SNP_S + i] = s[size - 1 - i];
		}
	} else {
		put_unaligned_le32(64 + tail, p + TDX_SIGNED);
		memcpy(p + TDX_SIGNED + 4, r, 32);
		memcpy(p + TDX_SIGNED + 36, s, 32);
		memcpy(p + TDX_SIGNED + 68, sim.part[PART_TAIL], tail);
	}
	memset(p + len, 0xaa, junk);
	*out = p;
	*out_len = fault == FAULT_EMPTY ? 0 : fault == FAULT_SHORT ? len / 2 : len + junk;
	return 0;
}

/* The same with everything that can go wrong on the way. */
static int answer(const u8 *request, unsigned int vmpl, enum fault *fault, u8 **out, size_t *out_len)
{
	u8 *last;
	int rc;

	*fault = fault_now();
	if (delay_ms && msleep_interruptible(delay_ms))
		return -EINTR;
	while (*fault == FAULT_STALL) {
		if (msleep_interruptible(100))
			return -EINTR;
		*fault = fault_now();
	}
	switch (*fault) {
	case FAULT_FAIL: return -EIO;
	case FAULT_BUSY: return -EBUSY;
	case FAULT_TIMEOUT: return -ETIMEDOUT;
	default: break;
	}
	mutex_lock(&sim.lock);
	if (*fault == FAULT_STALE && sim.last) {
		*out = kvmemdup(sim.last, sim.last_len, GFP_KERNEL);
		*out_len = sim.last_len;
		rc = *out ? 0 : -ENOMEM;
	} else {
		rc = compose(*fault == FAULT_STALE || *fault == FAULT_GENERATION ? NULL : request, vmpl, *fault, out, out_len);
		last = rc || *fault != FAULT_NONE ? NULL : kvmemdup(*out, *out_len, GFP_KERNEL);
		if (last) {
			kvfree(sim.last);
			sim.last = last;
			sim.last_len = *out_len;
		}
	}
	mutex_unlock(&sim.lock);
	return rc;
}

static int report_new(struct tsm_report *report, void *unused)
{
	enum fault fault;
	u8 *out, *certs = NULL;
	size_t len;
	int rc;

	if (report->desc.inblob_len != 64)
		return -EINVAL;
	rc = answer(report->desc.inblob, report->desc.privlevel, &fault, &out, &len);
	if (rc)
		return rc;
	if (sim.snp && fault != FAULT_NO_CERTS) {
		certs = kvmemdup(sim.part[PART_TAIL], sim.size[PART_TAIL], GFP_KERNEL);
		if (!certs) {
			kvfree(out);
			return -ENOMEM;
		}
	}
	/* Always both: report.c clears the pointer of the report before, and not its length. */
	report->auxblob = certs;
	report->auxblob_len = certs ? sim.size[PART_TAIL] : 0;
	report->outblob = out;
	report->outblob_len = len;
	/* report.c keeps its count of writes right behind the report; another process's write would add one. */
	if (fault == FAULT_GENERATION)
		((unsigned long *)(report + 1))[0]++;
	return 0;
}

/* What drivers/virt/coco/{tdx,sev}-guest show. */
static bool attr_visible(int n)
{
	return n == TSM_REPORT_GENERATION || n == TSM_REPORT_PROVIDER ||
	       (sim.snp && (n == TSM_REPORT_PRIVLEVEL || n == TSM_REPORT_PRIVLEVEL_FLOOR));
}

static bool bin_attr_visible(int n)
{
	return n == TSM_REPORT_INBLOB || n == TSM_REPORT_OUTBLOB || (sim.snp && n == TSM_REPORT_AUXBLOB);
}

static struct tsm_report_ops ops = {
	.report_new = report_new,
	.report_attr_visible = attr_visible,
	.report_bin_attr_visible = bin_attr_visible,
};

/* ---- TDX: registers ---- */

static struct tsm_measurement_register registers[] = {
	{ TSM_MR_(mrconfigid, SHA384) | TSM_MR_F_NOHASH },
	{ TSM_MR_(mrowner, SHA384) | TSM_MR_F_NOHASH },
	{ TSM_MR_(mrownerconfig, SHA384) | TSM_MR_F_NOHASH },
	{ TSM_MR_(mrtd, SHA384) },
	{ TSM_MR_(rtmr0, SHA384) | TSM_MR_F_RTMR },
	{ TSM_MR_(rtmr1, SHA384) | TSM_MR_F_RTMR },
	{ TSM_MR_(rtmr2, SHA384) | TSM_MR_F_RTMR },
	{ TSM_MR_(rtmr3, SHA384) | TSM_MR_F_RTMR },
};
static const u16 register_at[] = { 184, 232, 280, 136, 328, 376, 424, 472 };

static int refresh(const struct tsm_measurements *tm)
{
	return 0;
}

static int extend(const struct tsm_measurements *tm, const struct tsm_measurement_register *mr, const u8 *digest)
{
	enum fault fault = fault_now();
	struct sha384_ctx sha;
	u8 other[48];

	if (fault == FAULT_EXTEND)
		return -EIO;
	if (fault == FAULT_EXTEND_LOST)
		return 0;
	memcpy(other, digest, sizeof(other));
	if (fault == FAULT_REGISTER)
		other[0] ^= 1;
	mutex_lock(&sim.lock);
	sha384_init(&sha);
	sha384_update(&sha, mr->mr_value, 48);
	sha384_update(&sha, other, 48);
	sha384_final(&sha, mr->mr_value);
	mutex_unlock(&sim.lock);
	return 0;
}

static const struct tsm_measurements measurements = {
	.mrs = registers,
	.nr_mrs = ARRAY_SIZE(registers),
	.refresh = refresh,
	.write = extend,
};
static const struct attribute_group *register_groups[2];
static struct miscdevice tdx_device = { .name = "tdx_guest", .minor = MISC_DYNAMIC_MINOR, .groups = register_groups };

static int begin_tdx(void)
{
	const struct attribute_group *group;
	int i;

	for (i = 0; i < ARRAY_SIZE(registers); i++)
		registers[i].mr_value = sim.template + TDX_BODY + register_at[i];
	group = tsm_mr_create_attribute_group(&measurements);
	if (IS_ERR(group))
		return PTR_ERR(group);
	register_groups[0] = group;
	return misc_register(&tdx_device);
}

/* ---- SNP: the older interface ---- */

static long snp_report(struct snp_guest_request_ioctl *io, bool extended)
{
	struct snp_ext_report_req request = {};
	struct snp_report_resp *response;
	enum fault fault;
	u8 *out;
	size_t len;
	long rc;

	if (copy_from_user(&request, u64_to_user_ptr(io->req_data), extended ? sizeof(request) : sizeof(request.data)))
		return -EFAULT;
	if (request.data.vmpl > 3)
		return -EINVAL;
	if (extended && request.certs_len < sim.size[PART_TAIL]) {
		io->vmm_error = SNP_GUEST_VMM_ERR_INVALID_LEN;
		request.certs_len = ALIGN(sim.size[PART_TAIL], 4096);
		return copy_to_user(u64_to_user_ptr(io->req_data), &request, sizeof(request)) ? -EFAULT : -EIO;
	}
	rc = answer(request.data.user_data, request.data.vmpl, &fault, &out, &len);
	if (rc == -EBUSY)
		io->vmm_error = SNP_GUEST_VMM_ERR_BUSY;
	if (rc)
		return rc;
	response = kzalloc(sizeof(*response), GFP_KERNEL);
	rc = response ? 0 : -ENOMEM;
	if (!rc) {
		len = min_t(size_t, len, SNP_REPORT);
		put_unaligned_le32(len, response->data + 4);
		memcpy(response->data + 32, out, len);
		if (copy_to_user(u64_to_user_ptr(io->resp_data), response, sizeof(*response)))
			rc = -EFAULT;
		else if (extended && fault != FAULT_NO_CERTS &&
			 copy_to_user(u64_to_user_ptr(request.certs_address), sim.part[PART_TAIL], sim.size[PART_TAIL]))
			rc = -EFAULT;
	}
	kfree(response);
	kvfree(out);
	return rc;
}

static long snp_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	void __user *at = (void __user *)argument;
	struct snp_guest_request_ioctl io;
	long rc;

	if (command != SNP_GET_REPORT && command != SNP_GET_EXT_REPORT)
		return -ENOTTY;
	if (copy_from_user(&io, at, sizeof(io)))
		return -EFAULT;
	io.exitinfo2 = 0;
	if (!io.msg_version)
		return -EINVAL;
	rc = snp_report(&io, command == SNP_GET_EXT_REPORT);
	return copy_to_user(at, &io, sizeof(io)) ? -EFAULT : rc;
}

static const struct file_operations snp_operations = { .owner = THIS_MODULE, .unlocked_ioctl = snp_ioctl };
static struct miscdevice snp_device = { .name = "sev-guest", .minor = MISC_DYNAMIC_MINOR, .fops = &snp_operations };

/* ---- what the host gave ---- */

/* QEMU's firmware configuration device: a selector at port 0x510, bytes at 0x511 (QEMU docs/specs/fw_cfg.rst). */
#define FW_CFG_SELECTOR 0x510
#define FW_CFG_BYTES 0x511

static void fw_cfg_read(void *p, size_t n)
{
	u8 *bytes = p;

	while (n--)
		*bytes++ = inb(FW_CFG_BYTES);
}

static int fw_cfg_load(const char *wanted, u8 **out, size_t *out_len)
{
	struct {
		__be32 size;
		__be16 selector, reserved;
		char name[56];
	} entry;
	char signature[4];
	__be32 count;
	u32 i;

	outw(0, FW_CFG_SELECTOR);
	fw_cfg_read(signature, sizeof(signature));
	if (memcmp(signature, "QEMU", 4))
		return -ENODEV;
	outw(0x19, FW_CFG_SELECTOR);
	fw_cfg_read(&count, sizeof(count));
	for (i = 0; i < be32_to_cpu(count) && i < 1024; i++) {
		fw_cfg_read(&entry, sizeof(entry));
		if (strncmp(entry.name, wanted, sizeof(entry.name)))
			continue;
		*out_len = be32_to_cpu(entry.size);
		*out = *out_len <= BLOB_MAX ? kvmalloc(*out_len, GFP_KERNEL) : NULL;
		if (!*out)
			return -ENOMEM;
		outw(be16_to_cpu(entry.selector), FW_CFG_SELECTOR);
		fw_cfg_read(*out, *out_len);
		return 0;
	}
	return -ENODEV;
}

static int load_parts(void)
{
	size_t len, at = sizeof(MAGIC) - 1;
	u32 type, size;
	int rc = fw_cfg_load("opt/plinth/simtee", &sim.blob, &len);

	if (rc)
		return rc;
	if (len < at || memcmp(sim.blob, MAGIC, at))
		return -EBADMSG;
	for (; len - at >= 8; at += size) {
		type = get_unaligned_le32(sim.blob + at);
		size = get_unaligned_le32(sim.blob + at + 4);
		at += 8;
		if (size > len - at || type == 0 || type >= PARTS || sim.part[type])
			return -EBADMSG;
		sim.part[type] = sim.blob + at;
		sim.size[type] = size;
	}
	sim.snp = sim.size[PART_PROVIDER] == 9 && sim.part[PART_PROVIDER] && !memcmp(sim.part[PART_PROVIDER], "sev_guest", 9);
	if (!sim.snp && (sim.size[PART_PROVIDER] != 9 || memcmp(sim.part[PART_PROVIDER], "tdx_guest", 9)))
		return -EBADMSG;
	if (sim.size[PART_KEY] != (sim.snp ? 48 : 32) || sim.size[PART_TEMPLATE] != (sim.snp ? SNP_SIGNED : TDX_SIGNED) || !sim.part[PART_TAIL])
		return -EBADMSG;
	sim.template = (u8 *)sim.part[PART_TEMPLATE];
	return 0;
}

static int __init simtee_init(void)
{
	int rc = load_parts();

	/* pr_alert: also on a console that is to be quiet. */
	if (rc == -ENODEV) {
		pr_alert("this kernel holds a SIMULATED TEE; it is idle: no opt/plinth/simtee from QEMU\n");
		return 0;
	}
	if (rc) {
		pr_alert("SIMULATED TEE: what the host gave cannot be used: %d\n", rc);
		return 0;
	}
	mutex_init(&sim.lock);
	ops.name = sim.snp ? "sev_guest" : "tdx_guest";
	rc = sim.snp ? misc_register(&snp_device) : begin_tdx();
	if (!rc && configfs)
		rc = tsm_report_register(&ops, NULL);
	pr_alert("SIMULATED %s, NOT A TEE: it protects nothing and signs with throw-away keys (fault=%s): %d\n", ops.name, fault_name, rc);
	return 0;
}
/* After the real drivers, which find no such processor and leave the names free. */
late_initcall(simtee_init);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("SIMULATED TEE for Plinth's tests, NOT A TEE");
/* `plinth initrd` refuses a module that says so. */
MODULE_INFO(plinth_simulation, "NOT A TEE");
