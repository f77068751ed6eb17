/* SPDX-License-Identifier: Apache-2.0
 * Sums of products of one int8 vector with rows of a matrix: what fully connected layers and the gates of recurrent ones share. */
#ifndef TINYCOURSE_PRODUCTS_H
#define TINYCOURSE_PRODUCTS_H

#include "kernels.h"

#if defined(__ARM_FEATURE_SIMD32)
/* The Cortex-M4 multiplies two pairs of 16-bit numbers and adds both products in one instruction (SMLAD). Four int8 in one word
 * become two such pairs: numbers 0 and 2, and numbers 1 and 3. The order does not matter, as it is the same in both factors. */
#include <arm_acle.h>

typedef struct {
    int16x2_t even, odd;
} four;

static inline four load_four(const int8_t *p)
{
    uint32_t word;
    __builtin_memcpy(&word, p, 4);
    const four pairs = {__sxtb16((int8x4_t)word), __sxtb16((int8x4_t)(word >> 8 | word << 24))};
    return pairs;
}

static inline int32_t add_products(four x, const int8_t *w, int32_t sum)
{
    const four y = load_four(w);
    return __smlad(x.odd, y.odd, __smlad(x.even, y.even, sum));
}

/* As many of the inputs as can be taken by fours; i counts them. */
#define TC_INPUTS(w, input, inputs) \
    for (; i + 4 <= inputs; i += 4) \
        sum = add_products(load_four(input + i), w + i, sum);
#define TC_FOUR_INPUTS(w, input, inputs)        \
    for (; i + 4 <= inputs; i += 4) {           \
        const four x = load_four(input + i);    \
        sum0 = add_products(x, w + i, sum0);    \
        sum1 = add_products(x, w##1 + i, sum1); \
        sum2 = add_products(x, w##2 + i, sum2); \
        sum3 = add_products(x, w##3 + i, sum3); \
    }
#else
#define TC_INPUTS(w, input, inputs)
#define TC_FOUR_INPUTS(w, input, inputs)
#endif

/* sum + the products of one row. */
TC_INLINE int32_t tc_add_row(const int8_t *w, const int8_t *input, int32_t inputs, int32_t sum)
{
    int32_t i = 0;
    TC_INPUTS(w, input, inputs)
    for (; i < inputs; i++)
        sum += input[i] * w[i];
    return sum;
}

/* sum0 to sum3: the same of four rows, one behind the other, each input loaded once for four products. Lines of C instead of a function,
 * even an inline one, because tc_dense would take a Cortex-M4 3 % more instructions. */
#define TC_FOUR_ROWS(w, input, inputs, bias, o)                                         \
    const int8_t *w##1 = w + inputs, *w##2 = w##1 + inputs, *w##3 = w##2 + inputs;      \
    int32_t sum0 = bias[o], sum1 = bias[o + 1], sum2 = bias[o + 2], sum3 = bias[o + 3]; \
    int32_t i = 0;                                                                      \
    TC_FOUR_INPUTS(w, input, inputs)                                                    \
    for (; i < inputs; i++) {                                                           \
        const int32_t x = input[i];                                                     \
        sum0 += x * w[i];                                                               \
        sum1 += x * w##1[i];                                                            \
        sum2 += x * w##2[i];                                                            \
        sum3 += x * w##3[i];                                                            \
    }

TC_INLINE void tc_add_four_rows(const int8_t *w, const int8_t *input, int32_t inputs, const int32_t *bias, int32_t *sum)
{
    TC_FOUR_ROWS(w, input, inputs, bias, 0)
    sum[0] = sum0;
    sum[1] = sum1;
    sum[2] = sum2;
    sum[3] = sum3;
}

#endif
