/* SPDX-License-Identifier: Apache-2.0
 *
 * Rounding, once. A real factor M is stored as an integer multiplier and a right shift, M = multiplier / 2^shift. To apply
 * it: exact product, add half, arithmetic shift right. That rounds to nearest, halves upward, and it is the only rounding
 * there is. Sums of products have 32-bit multipliers, so their product has 64 bits: tc_round_shift(). Numbers of int8
 * (scale, add) have 16-bit multipliers, and 32 bits are enough.
 */
#ifndef TINYCOURSE_FIXED_POINT_H
#define TINYCOURSE_FIXED_POINT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* C99 leaves the right shift of a negative number to the compiler; every current one shifts arithmetically. Make sure. */
typedef char tc_requires_arithmetic_shift[((-3) >> 1) == -2 ? 1 : -1];

/* value / 2^shift, rounded to nearest, for |value| < 2^62. */
int32_t tc_round_shift_64(int64_t value, int32_t shift); /* any shift; saturates at +-2^30, far beyond int8 */

static inline int32_t tc_round_shift(int64_t value, int32_t shift)
{
    if (shift < 33)
        return tc_round_shift_64(value, shift);
    /* The usual case: all bits that stay, and the half, are in the upper word. Keep one bit more, add it, drop it. */
    return (((int32_t)(value >> 32) >> (shift - 33)) + 1) >> 1;
}

/* accumulator * multiplier / 2^shift */
static inline int32_t tc_requantize(int32_t accumulator, int32_t multiplier, int32_t shift)
{
    return tc_round_shift((int64_t)accumulator * multiplier, shift);
}

static inline int8_t tc_clamp(int32_t value, int32_t minimum, int32_t maximum)
{
    return (int8_t)(value < minimum ? minimum : value > maximum ? maximum : value);
}

static inline int16_t tc_clamp16(int64_t value) { return (int16_t)(value < -32768 ? -32768 : value > 32767 ? 32767 : value); }

/* int16 with 12 bits after the point -> 15 bits after the point, -32767 to 32767 and 0 to 32767. */
int32_t tc_tanh(int32_t x);
int32_t tc_sigmoid(int32_t x);

#ifdef __cplusplus
}
#endif

#endif
