// SPDX-License-Identifier: GPL-2.0-only
/*
 * simtee_sign: ECDSA for the SIMULATED TEE. The kernel verifies ECDSA but does not sign, and what its crypto/ecc.c has of use is partly
 * static and, without CONFIG_CRYPTO_ECC, not compiled: so that file is compiled into this one. Not in constant time; the keys it
 * signs with are thrown away.
 */
#include <linux/export.h>
#include <linux/random.h>
#include <crypto/rng.h>
#include <crypto/sha2.h>

/* Its functions stay in this module, and draw from the kernel's generator directly: a lean kernel has no DRBG. */
#undef EXPORT_SYMBOL
#define EXPORT_SYMBOL(name)
#define crypto_stdrng_get_bytes(buffer, size) (get_random_bytes(buffer, size), 0)
#include "ecc.c"

#include "simtee.h"

int simtee_sign(const u8 *key, unsigned int size, const u8 *message, size_t message_len, u8 *r_out, u8 *s_out)
{
	unsigned int id = size == 32 ? ECC_CURVE_NIST_P256 : ECC_CURVE_NIST_P384;
	const struct ecc_curve *curve = ecc_get_curve(id);
	unsigned int n = size / 8;
	u64 d[ECC_MAX_DIGITS], e[ECC_MAX_DIGITS], k[ECC_MAX_DIGITS], r[ECC_MAX_DIGITS], s[ECC_MAX_DIGITS];
	u64 point[2 * ECC_MAX_DIGITS];
	u8 digest[48];
	int i;

	if ((size != 32 && size != 48) || !curve)
		return -EINVAL;
	if (size == 32)
		sha256(message, message_len, digest);
	else
		sha384(message, message_len, digest);
	ecc_digits_from_bytes(key, size, d, n);
	ecc_digits_from_bytes(digest, size, e, n);
	if (vli_is_zero(d, n) || vli_cmp(d, curve->n, n) >= 0)
		return -EINVAL;
	if (vli_cmp(e, curve->n, n) >= 0)
		vli_sub(e, e, curve->n, n);

	for (i = 0; i < 16; i++) {
		if (ecc_gen_privkey(id, n, k) || ecc_make_pub_key(id, n, k, point))
			continue;
		/* r = x of k*G; s = (e + r d) / k; both modulo the group's order. */
		vli_from_be64(r, point, n);
		if (vli_cmp(r, curve->n, n) >= 0)
			vli_sub(r, r, curve->n, n);
		vli_mod_mult_slow(s, r, d, curve->n, n);
		vli_mod_add(s, s, e, curve->n, n);
		vli_mod_inv(k, k, curve->n, n);
		vli_mod_mult_slow(s, s, k, curve->n, n);
		if (vli_is_zero(r, n) || vli_is_zero(s, n))
			continue;
		ecc_swap_digits(r, (u64 *)point, n);
		memcpy(r_out, point, size);
		ecc_swap_digits(s, (u64 *)point, n);
		memcpy(s_out, point, size);
		return 0;
	}
	return -EIO;
}
