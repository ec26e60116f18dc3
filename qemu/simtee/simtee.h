/* SPDX-License-Identifier: GPL-2.0-only */
/* simtee: parts of the SIMULATED TEE of Plinth's tests. See simtee_main.c. */
#ifndef PLINTH_SIMTEE_H
#define PLINTH_SIMTEE_H

#include <linux/types.h>

/*
 * ECDSA over SHA-256 on P-256 (@size 32) or SHA-384 on P-384 (@size 48): signs @message with the big-endian private key
 * @key and gives r and s big-endian, @size bytes each. -EINVAL for another size or a key outside the curve's order.
 */
int simtee_sign(const u8 *key, unsigned int size, const u8 *message, size_t message_len, u8 *r, u8 *s);

#endif
