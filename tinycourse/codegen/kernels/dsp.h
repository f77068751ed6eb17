/* SPDX-License-Identifier: Apache-2.0
 * The DSP instructions of a Cortex-M4, which work on two 16-bit halves or four bytes of a word at once. Where a processor has
 * none they are written out in C, so that the kernels made of them can be tested anywhere. */
#ifndef TINYCOURSE_DSP_H
#define TINYCOURSE_DSP_H

#include "kernels.h"

/* Four int8 as one word, wherever they lie. */
TC_INLINE int32_t tc_load(const int8_t *p)
{
    int32_t word;
    __builtin_memcpy(&word, p, 4);
    return word;
}

TC_INLINE void tc_store(int32_t word, int8_t *p) { __builtin_memcpy(p, &word, 4); }

/* The halves of a word as numbers. */
TC_INLINE int32_t tc_low(int32_t word) { return (int16_t)word; }
TC_INLINE int32_t tc_high(int32_t word) { return word >> 16; }
TC_INLINE int32_t tc_pack(int32_t low, int32_t high) { return (int32_t)(((uint32_t)low & 0xffffu) | ((uint32_t)high << 16)); }

/* tc_even, tc_odd   bytes 0 and 2, or 1 and 3, of a word as its halves (SXTB16)
 * tc_add_even, odd  the same added to the halves of another word (SXTAB16)
 * tc_dot            sum + both products of halves (SMLAD)
 * tc_largest        byte by byte the larger of two (SSUB8, SEL) */
#if defined(__ARM_FEATURE_DSP)
#include <arm_acle.h>

TC_INLINE int32_t tc_even(int32_t word) { return (int32_t)__sxtb16((int8x4_t)word); }
TC_INLINE int32_t tc_turned(int32_t word) { return (int32_t)((uint32_t)word >> 8 | (uint32_t)word << 24); } /* by 8 bits: part of SXTB16 */
TC_INLINE int32_t tc_odd(int32_t word) { return (int32_t)__sxtb16((int8x4_t)tc_turned(word)); }
TC_INLINE int32_t tc_add_even(int32_t halves, int32_t word) { return (int32_t)__sxtab16((int16x2_t)halves, (int8x4_t)word); }
TC_INLINE int32_t tc_add_odd(int32_t halves, int32_t word) { return tc_add_even(halves, tc_turned(word)); }
TC_INLINE int32_t tc_dot(int32_t a, int32_t b, int32_t sum) { return __smlad((int16x2_t)a, (int16x2_t)b, sum); }

TC_INLINE int32_t tc_largest(int32_t a, int32_t b)
{
    (void)__ssub8((int8x4_t)a, (int8x4_t)b); /* leaves in four flags where a >= b */
    return (int32_t)__sel((uint8x4_t)a, (uint8x4_t)b);
}

#else

TC_INLINE int32_t tc_byte(int32_t word, int32_t i) { return (int8_t)(word >> 8 * i); }
TC_INLINE int32_t tc_even(int32_t word) { return tc_pack(tc_byte(word, 0), tc_byte(word, 2)); }
TC_INLINE int32_t tc_odd(int32_t word) { return tc_pack(tc_byte(word, 1), tc_byte(word, 3)); }

TC_INLINE int32_t tc_add_even(int32_t halves, int32_t word)
{
    return tc_pack(tc_low(halves) + tc_byte(word, 0), tc_high(halves) + tc_byte(word, 2));
}

TC_INLINE int32_t tc_add_odd(int32_t halves, int32_t word)
{
    return tc_pack(tc_low(halves) + tc_byte(word, 1), tc_high(halves) + tc_byte(word, 3));
}

TC_INLINE int32_t tc_dot(int32_t a, int32_t b, int32_t sum)
{
    return sum + tc_low(a) * tc_low(b) + tc_high(a) * tc_high(b);
}

TC_INLINE int32_t tc_largest(int32_t a, int32_t b)
{
    uint32_t word = 0;
    for (int32_t i = 0; i < 4; i++)
        word |= (uint32_t)(uint8_t)(tc_byte(a, i) > tc_byte(b, i) ? tc_byte(a, i) : tc_byte(b, i)) << 8 * i;
    return (int32_t)word;
}

#endif

/* To the range of int8; a compiler for the chip finds SSAT for it. */
TC_INLINE int32_t tc_saturate(int32_t x) { return x < -128 ? -128 : x > 127 ? 127 : x; }

/* To the range of an activation; `full` says that it is all of int8, as most are, which takes one instruction (SSAT). */
TC_INLINE int8_t tc_limit(int32_t value, const tc_activation *a, int32_t full)
{
    return full ? (int8_t)tc_saturate(value) : tc_clamp(value, a->minimum, a->maximum);
}

TC_INLINE int32_t tc_is_full(const tc_activation *a) { return a->maximum - a->minimum == 255; }

/* The upper word of a product (SMMUL). */
TC_INLINE int32_t tc_upper(int32_t a, int32_t b) { return (int32_t)(((int64_t)a * b) >> 32); }

/* sum * multiplier / 2^shift, as tc_requantize, where the shift is at least 33: all bits that stay are in the upper word. */
TC_INLINE int32_t tc_rescale(int32_t sum, int32_t multiplier, int32_t shift)
{
    return ((tc_upper(sum, multiplier) >> (shift - 33)) + 1) >> 1;
}

/* tc_requantize, whatever the shift. */
TC_INLINE int32_t tc_rescaled(int32_t sum, int32_t multiplier, int32_t shift)
{
    return shift >= 33 ? tc_rescale(sum, multiplier, shift) : tc_requantize(sum, multiplier, shift);
}

#endif
