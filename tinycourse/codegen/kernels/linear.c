/* SPDX-License-Identifier: Apache-2.0
 * Fully connected layers and pointwise (1x1) convolutions: the same product, once or at every position of a map. */
#include "products.h"

void tc_dense(const tc_dense_params *p, int32_t first, int32_t last, const int8_t *input, int8_t *output)
{
    const int32_t inputs = p->inputs;
    const int8_t *w = p->weight + first * inputs;
    int32_t o = first;

    /* Four outputs at a time. */
    for (; o + 4 <= last; o += 4, w += 4 * inputs) {
        const int8_t *w1 = w + inputs, *w2 = w1 + inputs, *w3 = w2 + inputs;
        int32_t sum0 = p->bias[o], sum1 = p->bias[o + 1], sum2 = p->bias[o + 2], sum3 = p->bias[o + 3];
        TC_ADD_FOUR_ROWS(w, w1, w2, w3, input, inputs, sum0, sum1, sum2, sum3);
        output[o] = tc_dense_output(p, o, sum0);
        output[o + 1] = tc_dense_output(p, o + 1, sum1);
        output[o + 2] = tc_dense_output(p, o + 2, sum2);
        output[o + 3] = tc_dense_output(p, o + 3, sum3);
    }
    for (; o < last; o++, w += inputs) {
        int32_t sum = p->bias[o], i = 0;
        TC_ADD_FOURS_OF_ROW(w, input, inputs, sum)
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
