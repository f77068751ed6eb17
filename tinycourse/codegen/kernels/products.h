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

/* Four inputs at a time, from input i on, as many as there are: of one row, and of four. */
#define TC_ADD_FOURS_OF_ROW(w, input, inputs, sum) \
    for (; i + 4 <= inputs; i += 4)                \
        sum = add_products(load_four(input + i), w + i, sum);
#define TC_ADD_FOURS(w, w1, w2, w3, input, inputs, sum0, sum1, sum2, sum3) \
    for (; i + 4 <= inputs; i += 4) {                                      \
        const four x = load_four(input + i);                               \
        sum0 = add_products(x, w + i, sum0);                               \
        sum1 = add_products(x, w1 + i, sum1);                              \
        sum2 = add_products(x, w2 + i, sum2);                              \
        sum3 = add_products(x, w3 + i, sum3);                              \
    }
#else
#define TC_ADD_FOURS_OF_ROW(w, input, inputs, sum)
#define TC_ADD_FOURS(w, w1, w2, w3, input, inputs, sum0, sum1, sum2, sum3)
#endif

/* sum + the products of one row. */
TC_INLINE int32_t tc_add_row(const int8_t *w, const int8_t *input, int32_t inputs, int32_t sum)
{
    int32_t i = 0;
    TC_ADD_FOURS_OF_ROW(w, input, inputs, sum)
    for (; i < inputs; i++)
        sum += input[i] * w[i];
    return sum;
}

/* The same of four rows of weights for four sums: each input is loaded once for four products. A macro, as for
 * tc_dense the compiler would need 3 % more instructions on a Cortex-M4 if it called the function below. */
#define TC_ADD_FOUR_ROWS(w, w1, w2, w3, input, inputs, sum0, sum1, sum2, sum3) \
    do {                                                                       \
        int32_t i = 0;                                                         \
        TC_ADD_FOURS(w, w1, w2, w3, input, inputs, sum0, sum1, sum2, sum3)     \
        for (; i < inputs; i++) {                                              \
            const int32_t x = input[i];                                        \
            sum0 += x * w[i];                                                  \
            sum1 += x * w1[i];                                                 \
            sum2 += x * w2[i];                                                 \
            sum3 += x * w3[i];                                                 \
        }                                                                      \
    } while (0)

/* The same of rows one behind the other, from four biases to four sums. */
TC_INLINE void tc_add_four_rows(const int8_t *w, const int8_t *input, int32_t inputs, const int32_t *bias, int32_t *sum)
{
    const int8_t *w1 = w + inputs, *w2 = w1 + inputs, *w3 = w2 + inputs;
    int32_t sum0 = bias[0], sum1 = bias[1], sum2 = bias[2], sum3 = bias[3];
    TC_ADD_FOUR_ROWS(w, w1, w2, w3, input, inputs, sum0, sum1, sum2, sum3);
    sum[0] = sum0;
    sum[1] = sum1;
    sum[2] = sum2;
    sum[3] = sum3;
}

#endif
