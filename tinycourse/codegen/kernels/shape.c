/* SPDX-License-Identifier: Apache-2.0
 * Operations that only move numbers: upsample, crop, pad, shift. */
#include "kernels.h"

void tc_upsample(const tc_upsample_params *p, const int8_t *input, int8_t *output)
{
    const int32_t channels = p->input.channels;
    const int8_t *row = input;

    for (int32_t y = 0, repeat_y = 0; y < p->output.height; y++) {
        const int8_t *pixel = row;
        for (int32_t x = 0, repeat_x = 0; x < p->output.width; x++) {
            output = tc_copy(pixel, channels, output);
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
            output = tc_copy(input + position * p->input.channels + p->start.channels, p->output.channels, output);
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
                output = tc_fill(p->zero_point, before, output);
                output = tc_copy(input, p->input.channels, output);
                output = tc_fill(p->zero_point, after, output);
                input += p->input.channels;
            } else {
                output = tc_fill(p->zero_point, p->output.channels, output);
            }
        }
    }
}

void tc_shift(const tc_shift_params *p, const int8_t *input, int8_t *output)
{
    for (int32_t y = 0; y < p->output.height; y++) {
        for (int32_t x = 0; x < p->output.width; x++) {
            const int16_t *run = p->run;
            for (int32_t i = 0; i < p->runs; i++, run += 4) {
                const int32_t row = y + run[2], column = x + run[3];
                if (row >= 0 && row < p->input.height && column >= 0 && column < p->input.width)
                    output = tc_copy(input + (row * p->input.width + column) * p->input.channels + run[0], run[1], output);
                else
                    output = tc_fill(p->zero_point, run[1], output);
            }
        }
    }
}
