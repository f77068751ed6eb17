/* SPDX-License-Identifier: Apache-2.0
 * Fully connected layers and pointwise (1x1) convolutions: the same product, once or at every position of a map. */
#include "products.h"

void tc_dense(const tc_dense_params *p, int32_t first, int32_t last, const int8_t *input, int8_t *output)
{
    const int32_t inputs = p->inputs;
    const int8_t *w = p->weight + first * inputs;
    int32_t o = first;

#if TC_WIDE
    for (; o + TC_LANES <= last; o += TC_LANES, w += TC_LANES * inputs) {
        int32_t sum[TC_LANES];
        for (int32_t i = 0; i < TC_LANES; i += 4)
            tc_add_four_rows(w + i * inputs, input, inputs, p->bias + o + i, sum + i);
        tc_wide_output(p, o, sum, output);
    }
#endif
    for (; o + 4 <= last; o += 4, w += 4 * inputs) {
        TC_FOUR_ROWS(w, input, inputs, p->bias, o)
        output[o] = tc_dense_output(p, o, sum0);
        output[o + 1] = tc_dense_output(p, o + 1, sum1);
        output[o + 2] = tc_dense_output(p, o + 2, sum2);
        output[o + 3] = tc_dense_output(p, o + 3, sum3);
    }
    for (; o < last; o++, w += inputs) {
        int32_t sum = p->bias[o], i = 0;
        TC_INPUTS(w, input, inputs)
        for (; i < inputs; i++)
            sum += input[i] * w[i];
        output[o] = tc_dense_output(p, o, sum);
    }
}

void tc_linear(const tc_linear_params *p, const int8_t *input, int8_t *output)
{
    for (int32_t row = 0; row < p->rows; row++) {
        tc_dense(&p->dense, 0, p->dense.outputs, input, output);
        input += p->dense.inputs;
        output += p->dense.outputs;
    }
}
