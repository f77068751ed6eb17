/* SPDX-License-Identifier: Apache-2.0
 * The larger of two numbers, element by element. */
#include "kernels.h"

void tc_maximum(const tc_maximum_params *parameters, const int8_t *a, const int8_t *b, int8_t *output)
{
    const tc_maximum_params p = *parameters;

    for (int32_t y = 0; y < p.output.height; y++) {
        for (int32_t x = 0; x < p.output.width; x++) {
            for (int32_t c = 0; c < p.output.channels; c++) {
                const int8_t *pa = a + y * p.stride_a.height + x * p.stride_a.width + c * p.stride_a.channels;
                const int8_t *pb = b + y * p.stride_b.height + x * p.stride_b.width + c * p.stride_b.channels;
                const int32_t ours = tc_requantize(*pa - p.side_a.zero_point, p.side_a.multiplier, p.side_a.shift);
                const int32_t theirs = tc_requantize(*pb - p.side_b.zero_point, p.side_b.multiplier, p.side_b.shift);
                const int32_t value = (ours > theirs ? ours : theirs) + p.activation.zero_point;
                *output++ = tc_clamp(value, p.activation.minimum, p.activation.maximum);
            }
        }
    }
}
