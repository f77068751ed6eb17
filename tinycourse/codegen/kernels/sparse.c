/* SPDX-License-Identifier: Apache-2.0
 * Products with block-sparse matrices: weights that are zero in blocks of eight outputs x one input (8x1) are neither stored nor
 * multiplied. Eight sums stay in registers while the blocks that are left go by, each with the one input that feeds it. They come
 * in pairs, so that a Cortex-M4 can multiply an output's weights in both blocks by their inputs in one instruction. */
#include "products.h"

void tc_sparse_rows(const tc_product *p, int32_t o, int32_t count, const int8_t *input, int32_t y[8])
{
    const int8_t *w = p->weight + 16 * p->start[o / 8];
    const uint16_t *column = p->column + 2 * p->start[o / 8], *end = p->column + 2 * p->start[o / 8 + 1];
    int32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0, sum4 = 0, sum5 = 0, sum6 = 0, sum7 = 0;

    for (; column < end; column += 2, w += 16) {
        const int32_t a = input[column[0]], b = input[column[1]];
#if defined(__ARM_FEATURE_SIMD32)
        const int16x2_t x = (int16x2_t)((uint32_t)b << 16 | (uint16_t)a);
        four v = load_four(w);
        sum0 = __smlad(x, v.even, sum0);
        sum1 = __smlad(x, v.odd, sum1);
        v = load_four(w + 4);
        sum2 = __smlad(x, v.even, sum2);
        sum3 = __smlad(x, v.odd, sum3);
        v = load_four(w + 8);
        sum4 = __smlad(x, v.even, sum4);
        sum5 = __smlad(x, v.odd, sum5);
        v = load_four(w + 12);
        sum6 = __smlad(x, v.even, sum6);
        sum7 = __smlad(x, v.odd, sum7);
#else
        sum0 += a * w[0] + b * w[2];
        sum1 += a * w[1] + b * w[3];
        sum2 += a * w[4] + b * w[6];
        sum3 += a * w[5] + b * w[7];
        sum4 += a * w[8] + b * w[10];
        sum5 += a * w[9] + b * w[11];
        sum6 += a * w[12] + b * w[14];
        sum7 += a * w[13] + b * w[15];
#endif
    }
    const int32_t sums[8] = {sum0, sum1, sum2, sum3, sum4, sum5, sum6, sum7};
    for (int32_t k = 0; k < count; k++)
        y[k] = tc_requantize(sums[k] + p->bias[o + k], p->multiplier[o + k], p->shift[o + k]);
}

void tc_sparse_linear(const tc_sparse_linear_params *p, const int8_t *input, int8_t *output)
{
    const tc_activation range = p->activation;
    for (int32_t o = 0, count, y[8]; o < p->outputs; o += count) {
        count = p->outputs - o < 8 ? p->outputs - o : 8;
        tc_sparse_rows(&p->product, o, count, input, y);
        for (int32_t k = 0; k < count; k++)
            output[o + k] = tc_clamp(y[k] + range.zero_point, range.minimum, range.maximum);
    }
}
