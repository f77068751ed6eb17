/* SPDX-License-Identifier: Apache-2.0
 * Operations on one number at a time: scale (a batch norm that could not be folded), add, multiply, lookup.
 * As far as the compiler knows, a store of int8 might change anything, parameters too. So the loops have copies of their own. */
#include "kernels.h"

void tc_scale(const tc_scale_params *parameters, const int8_t *input, int8_t *output)
{
    const tc_scale_params p = *parameters;
    int32_t row = 0; /* where the constants of this row of bands begin */

    for (int32_t y = 0, band_y = 0; y < p.shape.height; y++) {
        int32_t band = row;
        for (int32_t x = 0, band_x = 0; x < p.shape.width; x++) {
            const int16_t *multiplier = p.multiplier + band;
            const int32_t *bias = p.bias + band;
            for (int32_t c = 0; c < p.shape.channels; c++) {
                const int32_t value = (*input++ * multiplier[c] + bias[c]) >> p.shift[c];
                *output++ = tc_clamp(value + p.activation.zero_point, p.activation.minimum, p.activation.maximum);
            }
            if (++band_x == p.band_width) {
                band_x = 0;
                band += p.shape.channels;
            }
        }
        if (++band_y == p.band_height) {
            band_y = 0;
            row += p.bands * p.shape.channels;
        }
    }
}

void TC_PLAIN(tc_add)(const tc_add_params *parameters, const int8_t *a, const int8_t *b, int8_t *output)
{
    const tc_add_params p = *parameters;

    for (int32_t y = 0; y < p.output.height; y++) {
        for (int32_t x = 0; x < p.output.width; x++) {
            const int8_t *pa = a + y * p.stride_a.height + x * p.stride_a.width;
            const int8_t *pb = b + y * p.stride_b.height + x * p.stride_b.width;
            for (int32_t c = 0; c < p.output.channels; c++) {
                const int32_t value = (*pa * p.multiplier_a[c] + *pb * p.multiplier_b[c] + p.bias[c]) >> p.shift[c];
                *output++ = tc_clamp(value + p.activation.zero_point, p.activation.minimum, p.activation.maximum);
                pa += p.stride_a.channels;
                pb += p.stride_b.channels;
            }
        }
    }
}

void tc_multiply(const tc_multiply_params *parameters, const int8_t *a, const int8_t *b, int8_t *output)
{
    const tc_multiply_params p = *parameters;

    for (int32_t y = 0; y < p.output.height; y++) {
        for (int32_t x = 0; x < p.output.width; x++) {
            const int8_t *pa = a + y * p.stride_a.height + x * p.stride_a.width;
            const int8_t *pb = b + y * p.stride_b.height + x * p.stride_b.width;
            for (int32_t c = 0; c < p.output.channels; c++) {
                const int32_t product = (*pa - p.zero_point_a) * (*pb - p.zero_point_b);
                const int32_t value = tc_requantize(product, p.multiplier, p.shift) + p.activation.zero_point;
                *output++ = tc_clamp(value, p.activation.minimum, p.activation.maximum);
                pa += p.stride_a.channels;
                pb += p.stride_b.channels;
            }
        }
    }
}

#if !TC_DSP
void tc_lookup(const tc_lookup_params *p, const int8_t *input, int8_t *output)
{
    const int8_t *table = p->table + 128;
    const int32_t count = p->count;

    for (int32_t i = 0; i < count; i++)
        output[i] = table[input[i]];
}
#endif
