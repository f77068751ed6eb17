/* SPDX-License-Identifier: Apache-2.0
 * Operations that only move numbers: upsample, crop, pad. */
#include "kernels.h"

static int8_t *copy(const int8_t *source, int32_t count, int8_t *output)
{
    for (int32_t i = 0; i < count; i++)
        output[i] = source[i];
    return output + count;
}

static int8_t *fill(int32_t value, int32_t count, int8_t *output)
{
    for (int32_t i = 0; i < count; i++)
        output[i] = (int8_t)value;
    return output + count;
}

void tc_upsample(const tc_upsample_params *p, const int8_t *input, int8_t *output)
{
    const int32_t channels = p->input.channels;
    const int8_t *row = input;

    for (int32_t y = 0, repeat_y = 0; y < p->output.height; y++) {
        const int8_t *pixel = row;
        for (int32_t x = 0, repeat_x = 0; x < p->output.width; x++) {
            output = copy(pixel, channels, output);
            if (++repeat_x == p->factor_width) {
                repeat_x = 0;
                pixel += channels;
            }
        }
        if (++repeat_y == p->factor_height) {
            repeat_y = 0;
            row += p->input.width * channels;
        }
    }
}

void tc_crop(const tc_box_params *p, const int8_t *input, int8_t *output)
{
    for (int32_t y = 0; y < p->output.height; y++) {
        for (int32_t x = 0; x < p->output.width; x++) {
            const int32_t position = (y + p->start.height) * p->input.width + x + p->start.width;
            output = copy(input + position * p->input.channels + p->start.channels, p->output.channels, output);
        }
    }
}

void tc_pad(const tc_box_params *p, const int8_t *input, int8_t *output)
{
    const int32_t before = p->start.channels, after = p->output.channels - before - p->input.channels;

    for (int32_t y = 0; y < p->output.height; y++) {
        const int32_t row_inside = y >= p->start.height && y < p->start.height + p->input.height;
        for (int32_t x = 0; x < p->output.width; x++) {
            if (row_inside && x >= p->start.width && x < p->start.width + p->input.width) {
                output = fill(p->zero_point, before, output);
                output = copy(input, p->input.channels, output);
                output = fill(p->zero_point, after, output);
                input += p->input.channels;
            } else {
                output = fill(p->zero_point, p->output.channels, output);
            }
        }
    }
}
