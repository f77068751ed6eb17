/* SPDX-License-Identifier: Apache-2.0
 * Operations on one number at a time: scale (a batch norm that could not be folded), add, multiply, lookup. */
#include "kernels.h"

void tc_scale(const tc_scale_params *p, const int8_t *input, int8_t *output)
{
    for (int32_t i = 0; i < p->positions; i++) {
        for (int32_t c = 0; c < p->channels; c++) {
            const int64_t value = (int64_t)*input++ * p->multiplier[c] + p->bias[c];
            const int32_t y = tc_shift_right(value, p->shift[c]) + p->activation.zero_point;
            *output++ = tc_clamp(y, p->activation.minimum, p->activation.maximum);
        }
    }
}

void tc_add(const tc_add_params *p, const int8_t *a, const int8_t *b, int8_t *output)
{
    for (int32_t y = 0; y < p->output.height; y++) {
        for (int32_t x = 0; x < p->output.width; x++) {
            const int8_t *pa = a + y * p->stride_a.height + x * p->stride_a.width;
            const int8_t *pb = b + y * p->stride_b.height + x * p->stride_b.width;
            for (int32_t c = 0; c < p->output.channels; c++) {
                const int64_t value = (int64_t)*pa * p->multiplier_a[c] + (int64_t)*pb * p->multiplier_b[c] + p->bias[c];
                const int32_t sum = tc_shift_right(value, p->shift[c]) + p->activation.zero_point;
                *output++ = tc_clamp(sum, p->activation.minimum, p->activation.maximum);
                pa += p->stride_a.channels;
                pb += p->stride_b.channels;
            }
        }
    }
}

void tc_multiply(const tc_multiply_params *p, const int8_t *a, const int8_t *b, int8_t *output)
{
    for (int32_t y = 0; y < p->output.height; y++) {
        for (int32_t x = 0; x < p->output.width; x++) {
            const int8_t *pa = a + y * p->stride_a.height + x * p->stride_a.width;
            const int8_t *pb = b + y * p->stride_b.height + x * p->stride_b.width;
            for (int32_t c = 0; c < p->output.channels; c++) {
                const int32_t product = (*pa - p->zero_point_a) * (*pb - p->zero_point_b);
                const int32_t value = tc_requantize(product, p->multiplier, p->shift) + p->activation.zero_point;
                *output++ = tc_clamp(value, p->activation.minimum, p->activation.maximum);
                pa += p->stride_a.channels;
                pb += p->stride_b.channels;
            }
        }
    }
}

void tc_lookup(const tc_lookup_params *p, const int8_t *input, int8_t *output)
{
    for (int32_t i = 0; i < p->count; i++)
        output[i] = p->table[input[i] + 128];
}
