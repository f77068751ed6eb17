/* SPDX-License-Identifier: Apache-2.0
 * Operations on one number at a time: scale (a batch norm that could not be folded), add, multiply, lookup. */
#include "kernels.h"

void tc_scale(const tc_scale_params *p, const int8_t *input, int8_t *output)
{
    const int32_t channels = p->shape.channels;
    int32_t row = 0; /* where the constants of this row of bands begin */

    for (int32_t y = 0, band_y = 0; y < p->shape.height; y++) {
        int32_t band = row;
        for (int32_t x = 0, band_x = 0; x < p->shape.width; x++) {
            for (int32_t c = 0; c < channels; c++) {
                const int32_t value = *input++ * p->multiplier[band + c] + p->bias[band + c];
                const int32_t scaled = (value >> p->shift[c]) + p->activation.zero_point;
                *output++ = tc_clamp(scaled, p->activation.minimum, p->activation.maximum);
            }
            if (++band_x == p->band_width) {
                band_x = 0;
                band += channels;
            }
        }
        if (++band_y == p->band_height) {
            band_y = 0;
            row += p->bands * channels;
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
                const int32_t value = *pa * p->multiplier_a[c] + *pb * p->multiplier_b[c] + p->bias[c];
                const int32_t sum = (value >> p->shift[c]) + p->activation.zero_point;
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
